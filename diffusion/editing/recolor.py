"""A new colour on the cloth that was there: an edit of colour keeps the source's prints and folds.

In: source and edit of the same pixels, drawn from the same noise. Out: the edit, mixed with the source in the edit's
colours. A polynomial of second degree takes the source's colours to the edit's (least squares over what changed); its
answers are then brought to the edit's mean and covariance, which least squares shrinks, and at each place to the edit's
colour around it. So the shapes are the source's, to the pixel, and the colours are those that the network drew, of the
cloth and of its print. Where the source's colours do not tell the edit's (an upload, whose noise nobody knows; another
seed) the edit stays as it is.
Refs: Reinhard et al. 2001 (statistics of colour); Pitié and Kokaram 2007 (the linear Monge-Kantorovich map).
"""

from __future__ import annotations

from itertools import combinations_with_replacement

import torch

from diffusion.pictures import blurred

CHANGED = 8 / 255  # from this change on a pixel counts wholly
SOFT = 1.5  # deviation in pixels of 256 of the blur over what changed
TOLD, WELL_TOLD = 0.5, 0.8  # of the edit's variance that the source tells: below the first nothing is mixed in
BROAD = 8.0  # deviation in pixels of 256: colours that are as broad are the edit's, finer shapes the source's
_RIDGE = 1e-5  # of the pixels that count
_LEAST = 30.0  # pixels; of fewer no statistics are taken
_NOISE = 1.0 / 255**2  # added to covariances of colour, so that one colour alone has an inverse


def recolored(sources: torch.Tensor, edits: torch.Tensor, share: float) -> torch.Tensor:
    """Edits (n, 3, h, w) in 0..1, mixed with `share` of the sources (the same shape) in the edits' colours."""
    return torch.stack([_recolored(*pair, share) for pair in zip(sources.double(), edits.double(), strict=True)]).to(
        edits.dtype
    )


def _recolored(source: torch.Tensor, edit: torch.Tensor, share: float) -> torch.Tensor:
    """One edit (3, h, w) of one source."""
    side = edit.shape[-1]
    changed = blurred((edit - source).abs().mean(0)[None, None], SOFT * side / 256)[0, 0]
    weights = (changed / CHANGED).clamp(0, 1)
    counted = weights.flatten()
    if counted.sum() < _LEAST:
        return edit
    given, wanted = _terms(source.flatten(1).T), edit.flatten(1).T  # (pixels, 10), (pixels, 3)
    weighed = (given * counted[:, None]).T
    ridge = _RIDGE * counted.sum() * torch.eye(given.shape[1], dtype=given.dtype, device=given.device)
    found = given @ torch.linalg.solve(weighed @ given + ridge, weighed @ wanted)
    left = ((wanted - found).square().sum(1) @ counted) / counted.sum()
    told = 1 - left / _statistics(wanted, counted)[1].trace()
    much = share * ((told - TOLD) / (WELL_TOLD - TOLD)).clamp(0, 1)
    colors = _alike(found, wanted, counted).clamp(0, 1).T.view_as(edit)
    colors = colors + _averages(edit - colors, weights, BROAD * side / 256)
    return edit + much * weights * (colors - edit)


def _terms(colors: torch.Tensor) -> torch.Tensor:
    """Colours (pixels, 3) with 1 and their products, (pixels, 10)."""
    pairs = [colors[:, i] * colors[:, j] for i, j in combinations_with_replacement(range(3), 2)]
    return torch.stack([torch.ones_like(colors[:, 0]), *colors.unbind(1), *pairs], dim=1)


def _averages(values: torch.Tensor, weights: torch.Tensor, sigma: float) -> torch.Tensor:
    """The weighted averages (3, h, w) of values around each pixel."""
    return blurred((values * weights)[None], sigma)[0] / blurred(weights[None, None], sigma)[0].clamp_min(1e-3)


def _alike(colors: torch.Tensor, wanted: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Colours (pixels, 3) moved by the linear map of least motion to the weighted mean and covariance of `wanted`."""
    (mean, spread), (goal, goal_spread) = _statistics(colors, weights), _statistics(wanted, weights)
    root = _root(spread)
    back = torch.linalg.inv(root)
    return (colors - mean) @ (back @ _root(root @ goal_spread @ root) @ back) + goal


def _statistics(colors: torch.Tensor, weights: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The weighted mean (3,) and covariance (3, 3) of colours (pixels, 3)."""
    shares = weights / weights.sum()
    mean = shares @ colors
    apart = colors - mean
    return mean, (apart * shares[:, None]).T @ apart + _NOISE * torch.eye(3, dtype=colors.dtype, device=colors.device)


def _root(matrix: torch.Tensor) -> torch.Tensor:
    """The symmetric square root of a positive definite matrix."""
    values, vectors = torch.linalg.eigh(matrix)
    return (vectors * values.clamp_min(0).sqrt()) @ vectors.T
