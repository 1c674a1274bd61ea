"""Which part of a picture an edit may change: from cross-attention, or as a person painted it.

In: clean latents of the source, noise, what two texts say. Out: masks (n, 1, h, w) over latents, 1 where the edit may
change. The texts are looked at once, at one noise level of the source's own straight path; what their attention hands
on differently and what they predict differently are added, each in units of its greatest value, and cut by Otsu's
threshold (1979), closed and widened.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from diffusion.conditioning import Conditioning
from diffusion.editing.attention import watched
from diffusion.editing.levels import at
from diffusion.pictures import to_pixels
from diffusion.schedulers import Schedule
from diffusion.stage import Stage
from jobspec import PictureSize

LOOK = 0.6  # noise level (0 clean, 1 noise alone) at which the texts are compared
FINE = 2  # a layer counts whose cells are at most so many times as wide as the latents', twice as wide each way


def difference_maps(
    stage: Stage, schedule: Schedule, clean: torch.Tensor, noise: torch.Tensor, source: Conditioning,
    target: Conditioning,
) -> torch.Tensor:  # fmt: skip
    """How differently the two texts are heard in each cell of latents, (n, h, w), 0 to 1."""
    place = min(range(len(schedule)), key=lambda i: abs(schedule.share(i) - LOOK))
    latents, n = at(clean, noise, schedule.level(place)), len(clean)
    both = _joined(source, target)
    with stage.by_torch(), watched(stage.unet) as seen:
        output = stage.predict(torch.cat([latents, latents]), schedule, place, both, stage.own_guidance)
    predicted = (output[n:] - output[:n]).norm(dim=1)  # (n, h, w)
    side = predicted.shape[-1]
    fine = [cells for cells in seen.maps if cells.shape[1] >= (side // 2**FINE) ** 2]
    heard = torch.stack([_widened(cells, side) for cells in fine]).sum(dim=0)
    return (_scaled(heard) + _scaled(predicted)) / 2


def cut(maps: torch.Tensor, widened: int) -> torch.Tensor:
    """Maps (n, h, w) as masks (n, 1, h, w) of 0 and 1, with `widened` cells around what the threshold leaves; of a map
    that is flat, all ones.
    """
    from skimage.filters import threshold_otsu  # late: it takes long to import, and drawing does without

    rows = []
    for each in maps:
        flat = float(each.max() - each.min()) < 1e-6
        limit = 0.0 if flat else threshold_otsu(each.cpu().numpy())
        rows.append((each >= limit).float())
    masks = torch.stack(rows)[:, None]
    masks = -F.max_pool2d(-F.max_pool2d(masks, 3, 1, 1), 3, 1, 1)  # closed
    for _ in range(widened):
        masks = F.max_pool2d(masks, 3, 1, 1)
    return masks


def painted(masks: Sequence[Image.Image], side: int) -> torch.Tensor:
    """Masks of people (white may change) as (n, 1, side, side), cropped as their pictures are."""
    return torch.cat(
        [(to_pixels(each, PictureSize.square(side)).mean(1, keepdim=True) >= 0.5).float() for each in masks]
    )


def area(mask: torch.Tensor) -> float:
    """The share of a picture that a mask lets change."""
    return float(np.asarray(mask.float().mean().cpu()))


def _joined(first: Conditioning, second: Conditioning) -> Conditioning:
    """The rows of one conditioning, then of another."""

    def rows(one: torch.Tensor | None, other: torch.Tensor | None) -> torch.Tensor | None:
        return None if one is None or other is None else torch.cat([one, other])

    return Conditioning(
        torch.cat([first.hidden, second.hidden]), torch.cat([first.negative, second.negative]),
        rows(first.pooled, second.pooled), rows(first.negative_pooled, second.negative_pooled),
    )  # fmt: skip


def _widened(cells: torch.Tensor, side: int) -> torch.Tensor:
    """A layer's map (n, cells) over latents, (n, side, side), in units of its mean."""
    own = round(cells.shape[1] ** 0.5)
    scaled = cells / cells.mean(dim=1, keepdim=True).clamp_min(1e-12)
    return F.interpolate(scaled.view(-1, 1, own, own), (side, side), mode="bilinear")[:, 0]


def _scaled(maps: torch.Tensor) -> torch.Tensor:
    return maps / maps.amax(dim=(1, 2), keepdim=True).clamp_min(1e-12)
