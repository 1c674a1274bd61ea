"""The forms of the mixture: fitted to the codes of cloth, tried, and the best of them kept.

In: a network whose code of blocks is fitted, batches of cloth. More forms are fitted than ship. After the decoder has
been trained, patterns are made of each; those stay that are sharp, that a critic takes for their category, and that
show every colour they are given.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from sklearn.cluster import KMeans
from torch import Tensor

from textile.categories import CATEGORY_IDS, category
from textile.pattern_network import NZ, PatternNetwork
from textile.patterns import TEMPERATURE, sharpness
from textile.training.cloth_batches import ClothBatches
from textile.training.critic import FormCritic, with_ground

_TRIES = 6  # patterns of each form and number of colours
_BLURRED = 0.2  # of the forms: those from which cloth is painted worst
_STRICT = 6  # a form of which the critic is half as sure is chosen 64 times as seldom
_SHOWN = 0.03  # of a repeat that every colour is to cover


def fit_mixture(network: PatternNetwork, batches: ClothBatches, each: int) -> None:
    """Fit components of whole repeats, forms and their directions, to the codes of cloth."""
    kinds = len(batches.present)
    parts = [batches.at(10**6 + step, kinds * 20) for step in range(-(-each // 20))]
    codes = torch.cat([network.code.encode(part.maps).flatten(1) for part in parts])
    category, colors = (torch.cat([getattr(part, name) for part in parts]) for name in ("category", "colors"))
    mixture = network.mixture
    mixture.mean.copy_(codes.mean(dim=0))
    torch.manual_seed(0)
    _, _, vectors = torch.svd_lowrank(_evened(codes - mixture.mean, category), q=len(mixture.basis), niter=4)
    mixture.basis.copy_(vectors.T)
    told = mixture.components(codes)
    for number in batches.present:
        _fit_forms(network, number, told[category == number], colors[category == number])


def _evened(codes: Tensor, category: Tensor) -> Tensor:
    """Codes scaled so that small motifs on much ground weigh as much in the components as cloth that is full."""
    evened = codes.clone()
    for number in category.unique():
        mine = category == number
        evened[mine] /= codes[mine].square().mean().sqrt().clamp(min=1e-3)
    return evened


def _fit_forms(network: PatternNetwork, number: int, told: Tensor, colors: Tensor) -> None:
    """Forms of one category: k-means, then in each the directions in which it varies most."""
    mixture, shape = network.mixture, network.shape
    count = min(shape.forms, max(1, len(told) // 8), len(torch.unique(told, dim=0)))
    groups = KMeans(count, n_init=2, max_iter=40, random_state=number).fit(told.numpy())
    centers, labels = groups.cluster_centers_, groups.labels_
    near = torch.from_numpy(labels.astype(np.int64))
    for form in range(count):
        mine = told[near == form]
        if len(mine) == 0:
            continue
        mixture.centers[number, form].copy_(torch.from_numpy(centers[form]))
        rank = min(shape.rank, len(mine) - 1)
        if rank > 0:
            _, sizes, directions = torch.linalg.svd(mine - mine.mean(dim=0), full_matrices=False)
            spread = sizes[:rank] / max(len(mine) - 1, 1) ** 0.5
            mixture.factors[number, form, :rank].copy_(spread[:, None] * directions[:rank])
    mixture.share[number].zero_()
    for colored in range(5):
        found = np.bincount(
            labels[(colors == colored).numpy()] if (colors == colored).any() else labels, minlength=shape.forms
        )
        mixture.share[number, colored].copy_(torch.from_numpy(found / found.sum()))


@torch.no_grad()
def best_forms(
    network: PatternNetwork, batches: ClothBatches, critic: FormCritic, forms: int, steps: int = 30
) -> PatternNetwork:
    """The network with the `forms` best ones of each category; how blurred they are is told by `steps` batches."""
    best = PatternNetwork(replace(network.shape, forms=forms))
    best.code, best.decoder, best.weave = network.code, network.decoder, network.weave
    best.mixture.mean.copy_(network.mixture.mean)
    best.mixture.basis.copy_(network.mixture.basis)
    blurred = _blur(network, batches, steps)
    for number in batches.present:
        share = network.mixture.share[number]  # (5, forms)
        tried = share * tried_in_colors(network, critic, number)
        used = int((share.sum(dim=0) > 0).sum())
        if used > forms // 2:
            worst = torch.where(share.sum(dim=0) > 0, blurred[number], 0).argsort(descending=True)
            tried[:, worst[: int(_BLURRED * used)]] = 0
        kept = (tried / tried.sum(dim=1, keepdim=True).clamp(min=1e-9)).sum(dim=0).argsort(descending=True)[:forms]
        best.mixture.centers[number].copy_(network.mixture.centers[number, kept])
        best.mixture.factors[number].copy_(network.mixture.factors[number, kept])
        for colored in range(5):
            mine = tried[colored, kept] if tried[colored, kept].sum() > 0 else share[colored, kept] + 1e-6
            best.mixture.share[number, colored].copy_(mine / mine.sum())
    return best


def tried_in_colors(network: PatternNetwork, critic: FormCritic, number: int) -> Tensor:
    """How well each form serves patterns in 0 to 4 colours, (5, forms), from 0 to 1."""
    most = category(CATEGORY_IDS[number]).colors
    first = min(2, most)  # a palette of one colour gets a companion
    served = {colored: _served(network, critic, number, colored) for colored in range(first, most + 1)}
    return torch.stack([served[min(max(colored, first), most)] for colored in range(5)])


def _served(network: PatternNetwork, critic: FormCritic, number: int, colored: int) -> Tensor:
    """How sure the critic is of the category in new patterns, sharpened, times how much of the palette they show."""
    found = torch.zeros(network.shape.forms)
    rng = torch.Generator().manual_seed(97 * number + colored)
    numbers = torch.full((_TRIES,), number)
    for form in network.mixture.share[number, colored].nonzero().flatten().tolist():
        z = TEMPERATURE * torch.randn((_TRIES, NZ), generator=rng)
        codes = network.mixture.sample(z, numbers, torch.full((_TRIES,), form))
        painted = sharpness(number) * network.decoder(codes, numbers)
        painted[:, colored:] = -100.0
        shown = painted.softmax(dim=1)
        sure = critic(shown).softmax(dim=1)[:, number]
        whole = (shown.mean(dim=(2, 3))[:, :colored].amin(dim=1) / _SHOWN).clamp(max=1)
        found[form] = sure.mean() ** _STRICT * whole.mean()
    return found


def _blur(network: PatternNetwork, batches: ClothBatches, steps: int) -> Tensor:
    """How badly cloth is painted from the form nearest to it, (categories, forms): where several kinds of cloth fell
    into one form, its middle is a blur."""
    shape = network.shape
    error, seen = torch.zeros(shape.categories, shape.forms), torch.zeros(shape.categories, shape.forms)
    for step in range(steps):
        batch = batches.at(3 * 10**6 + step, 52)
        codes = network.code.encode(batch.maps)
        form = network.mixture.form_of(codes, batch.category)
        painted = network.decoder(network.mixture.nearest(codes, batch.category), batch.category)
        each = layer_error(painted, batch.maps).mean(dim=(1, 2))
        error.index_put_((batch.category, form), each, accumulate=True)
        seen.index_put_((batch.category, form), torch.ones(len(form)), accumulate=True)
    return torch.where(seen > 0, error / seen.clamp(min=1), error.sum() / seen.sum())


def layer_error(painted: Tensor, maps: Tensor) -> Tensor:
    """Cross-entropy (n, h, w) of painted logits (n, 4, h, w) beside maps of layers 1 to 3."""
    return -(with_ground(maps) * painted.log_softmax(dim=1)).sum(dim=1)
