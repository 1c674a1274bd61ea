"""Train the pattern generator: a mixture of codes in closed form, then the decoder that paints from what it says.

In: a folder of cloth (`textile.training.cloth_set`). Out: `generator.safetensors` in float16 with `generator.json`.
The decoder sees three kinds of codes: a drawing's own, what the components of whole repeats keep of them, and what the
mixture can say of it, as when it makes new ones; it is to paint the drawing from each.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from sklearn.cluster import KMeans
from torch import Tensor

from textile.categories import CATEGORY_IDS
from textile.pattern_network import BLOCK, PIXELS, PatternNetwork
from textile.patterns import PatternGenerator
from textile.training.cloth_set import ClothSet, weave_bank
from training.schedule import TrainerSettings
from training.trainer import Losses, Trainer

logger = logging.getLogger(__name__)
_PHOTOS = 0.04  # of the tiles of a category that has any: close-ups are rough


@dataclass(frozen=True)
class PatternTraining:
    """`batch` repeats a step; `fitted` of a category the mixture is fitted to. `start`: a folder with a generator whose
    code of blocks and decoder to begin with."""

    runs: Path
    out: Path
    settings: TrainerSettings
    batch: int = 24
    fitted: int = 1400
    start: Path | None = None


@dataclass(frozen=True)
class ClothBatch:
    """`maps` (n, 3, 64, 64): layers 1 to 3; `category` and `colors` (n,) integers."""

    maps: Tensor
    category: Tensor
    colors: Tensor


class ClothBatches:
    """Batches of cloth, decided by seed and step; every category as often as any other."""

    def __init__(self, cloth: ClothSet, seed: int = 0) -> None:
        self.cloth, self.seed = cloth, seed
        self._drawn = [np.flatnonzero((cloth.category == c) & (cloth.photo < 0)) for c in range(len(CATEGORY_IDS))]
        self._photos = [np.flatnonzero((cloth.category == c) & (cloth.photo >= 0)) for c in range(len(CATEGORY_IDS))]
        self.present = [c for c in range(len(CATEGORY_IDS)) if len(self._drawn[c]) or len(self._photos[c])]

    def at(self, step: int, batch: int) -> ClothBatch:
        rng = np.random.default_rng((41, self.seed, step))
        first = int(rng.integers(len(self.present)))
        numbers = [self.present[(first + i) % len(self.present)] for i in range(batch)]
        tiles, colors = zip(*(self._tile(number, rng) for number in numbers), strict=True)
        maps = torch.from_numpy(np.stack(tiles)).permute(0, 3, 1, 2).float() / 255
        return ClothBatch(maps, torch.tensor(numbers), torch.tensor(colors))

    def _tile(self, category: int, rng: np.random.Generator) -> tuple[np.ndarray, int]:
        drawn, photos = self._drawn[category], self._photos[category]
        photo = len(photos) > 0 and (len(drawn) == 0 or rng.random() < _PHOTOS)
        row = int(rng.choice(photos if photo else drawn))
        tile = self.cloth.layers[row]
        return tile, int(self.cloth.colors[row])


def fit_mixture(network: PatternNetwork, batches: ClothBatches, each: int) -> None:
    """Fit components of whole repeats, forms and their directions, to the codes of cloth."""
    kinds = len(batches.present)
    parts = [batches.at(10**6 + step, kinds * 20) for step in range(-(-each // 20))]
    codes = torch.cat([network.code.encode(part.maps).flatten(1) for part in parts])
    category, colors = (torch.cat([getattr(part, name) for part in parts]) for name in ("category", "colors"))
    mixture = network.mixture
    mixture.mean.copy_(codes.mean(dim=0))
    torch.manual_seed(0)
    _, _, vectors = torch.svd_lowrank(codes - mixture.mean, q=len(mixture.basis), niter=4)
    mixture.basis.copy_(vectors.T)
    told = mixture.components(codes)
    for number in batches.present:
        _fit_forms(network, number, told[category == number], colors[category == number])


def _fit_forms(network: PatternNetwork, number: int, told: Tensor, colors: Tensor) -> None:
    """Forms of one category: k-means, then in each the directions in which it varies most."""
    mixture, shape = network.mixture, network.shape
    count = min(shape.forms, max(1, len(told) // 12), len(torch.unique(told, dim=0)))
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


def fit_weaves(network: PatternNetwork, cloth: ClothSet) -> None:
    """The repeating weaves, and the components of the light of photographed cloth, if there is any."""
    tiles = torch.from_numpy(weave_bank()[:, :BLOCK, :BLOCK])
    network.weave.tiles.copy_(tiles)
    if len(cloth.light) < 2:
        return
    light = (torch.from_numpy(cloth.light.astype(np.float32)) - 128) / 2  # units of L*
    light = light.flatten(1) - light.flatten(1).mean(dim=1, keepdim=True)
    light = light * (4.0 / light.std(dim=1, keepdim=True)).clamp(max=1)
    turned = torch.cat(
        [light.unflatten(1, (PIXELS, PIXELS)).roll((k * 5, k * 11), (1, 2)).flatten(1) for k in range(4)]
    )
    torch.manual_seed(0)
    count = min(network.shape.threads, len(turned) - 1)
    _, sizes, vectors = torch.svd_lowrank(turned, q=count, niter=4)
    spread = sizes / len(turned) ** 0.5
    network.weave.threads[:count].copy_((spread[:, None] * vectors.T).unflatten(1, (PIXELS, PIXELS)))


def pattern_losses(network: PatternNetwork, batch: ClothBatch, step: int) -> Losses:
    """The decoder's cross-entropy of layers, a third each from a drawing's codes, their components, and the mixture."""
    rng = torch.Generator().manual_seed(step)
    codes = network.code.encode(batch.maps)
    kept = network.mixture.codes_of(network.mixture.components(codes))
    said = network.mixture.nearest(codes, batch.category)
    third = torch.rand(len(codes), generator=rng)[:, None, None, None]
    seen = torch.where(third < 0.2, codes, torch.where(third < 0.5, kept, said))
    seen = seen + 0.05 * codes.std() * torch.randn(codes.shape, generator=rng)
    painted = network.decoder(seen, batch.category)
    return {"loss": layer_error(painted, batch.maps).mean()}


@torch.no_grad()
def leave_out_blurred_forms(network: PatternNetwork, batches: ClothBatches, steps: int, share: float = 0.4) -> None:
    """Give no share to the `share` of a category's forms from which its drawings are painted worst: where several kinds
    of cloth fell into one form, its middle is a blur."""
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
    mean = torch.where(seen > 0, error / seen.clamp(min=1), torch.tensor(torch.inf))
    for number in batches.present:
        used = int((network.mixture.share[number].sum(dim=0) > 0).sum())
        worst = mean[number].argsort(descending=True)[: shape.forms - used + int(share * used)]
        if used > 3:
            network.mixture.share[number, :, worst] = 0
        for colored in range(5):
            total = network.mixture.share[number, colored].sum()
            best = torch.zeros(shape.forms)
            best[mean[number].argmin()] = 1
            network.mixture.share[number, colored] = (
                network.mixture.share[number, colored] / total if total > 0 else best
            )


def layer_error(painted: Tensor, maps: Tensor) -> Tensor:
    """Cross-entropy (n, h, w) of painted logits (n, 4, h, w) beside maps of layers 1 to 3."""
    ground = (1 - maps.sum(dim=1, keepdim=True)).clamp(min=0)
    return -(torch.cat([ground, maps], dim=1) * painted.log_softmax(dim=1)).sum(dim=1)


def train_generator(training: PatternTraining, cloth: ClothSet) -> PatternGenerator:
    """Fit, train the decoder or go on; returns the generator with averaged weights, which it has written."""
    torch.manual_seed(0)
    batches, network = ClothBatches(cloth), PatternNetwork()
    if training.start:
        begun = PatternGenerator.load(training.start).network
        network.decoder.load_state_dict(begun.decoder.state_dict())
        network.code.load_state_dict(begun.code.state_dict())
    else:
        held = network.code.fit(
            torch.cat([batches.at(10**6 + step, 260).maps for step in range(-(-training.fitted // 240))])
        )
        logger.info("%d components hold %.1f %% of the variance of blocks", network.shape.code, 100 * held)
    fit_mixture(network, batches, training.fitted)
    fit_weaves(network, cloth)
    network.decoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's hint knows no memory_format

    def losses(step: int) -> Losses:
        return pattern_losses(network, batches.at(step, training.batch), step)

    def on_sample(step: int, average: Mapping[str, Tensor]) -> None:
        PatternGenerator(network).save(training.out, {"step": step})

    result = Trainer(network, losses, training.settings, training.runs, on_sample=on_sample).run()
    network.load_state_dict(result.average)
    leave_out_blurred_forms(network.eval(), batches, -(-training.fitted // 24))
    generator = PatternGenerator(network)
    generator.save(training.out, {"step": result.step, "losses": result.losses})
    logger.info("wrote %s at step %d: %s", training.out, result.step, json.dumps(result.losses))
    return generator
