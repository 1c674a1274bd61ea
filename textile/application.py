"""Put a pattern onto the cloth of a picture: tiled at a scale, a turn and an offset, lit and bent as the cloth is.

In: a tile or any picture (h, w, 3) uint8, a picture (H, W, 3) uint8, its mask (H, W), 1 where the cloth is, soft at
the edge. Out: (H, W, 3) uint8. Where the mask is 0 every byte is as it was. At the soft edge the old cloth's colour is
taken out as well: what lies behind is carried on to there from outside.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image
from scipy import ndimage

from textile.checks import check_mask, check_picture
from textile.oklab import linear, srgb
from textile.shading import Shading, shading_of

SCALES = (0.02, 2.0)
TILE_PIXELS = (4, 2048)  # of a tile's side as it is laid out
INWARD = 0.8  # pixels
OUTSIDE = 1 / 512  # a mask below this is none: it would not change a byte
SEAM = 2.0  # times the difference between neighbours: an edge that differs more from the opposite one is a seam
SEAM_LEVELS = 4.0  # of difference that no eye takes for a seam
EDGE = 2.0  # pixels from which what lies behind the edge is carried on, at 512
_BESIDE = 8  # pixels around the mask that are looked at


@dataclass(frozen=True)
class Placement:
    """How a tile lies on a picture. `scale`: its width as a share of the picture's longer side; `turn`: degrees,
    clockwise; `across`, `down`: moved by so many tiles. Turned about the picture's middle. `mirror`: every other tile
    is mirrored, so that edges meet; None: where they do not by themselves. Raises ValueError.
    """

    scale: float = 0.25
    turn: float = 0.0
    across: float = 0.0
    down: float = 0.0
    mirror: bool | None = None

    def __post_init__(self) -> None:
        low, high = SCALES
        if not low <= self.scale <= 2 * high:  # mirrored tiles are pairs
            raise ValueError(f"scale {self.scale}: a tile's width is {low} to {high} of the picture's longer side")
        for name in ("turn", "across", "down"):
            if not np.isfinite(getattr(self, name)):
                raise ValueError(f"{name} {getattr(self, name)}: give a finite number")


def put_on(
    pattern: np.ndarray, picture: np.ndarray, mask: np.ndarray, placement: Placement = Placement()
) -> np.ndarray:
    """The picture with the pattern on its cloth.

    Raises ClothError for pictures and masks that show nothing to put it on.
    """
    check_picture(picture, "picture")
    check_picture(pattern, "pattern", plain=True)
    check_mask(mask, picture)
    box = _box(mask)
    mask = softened(np.clip(mask.astype(np.float32), 0, 1))
    if placement.mirror or (placement.mirror is None and not edges_meet(pattern)):
        pattern, placement = mirrored(pattern), doubled(placement)
    mask, part = mask[box], picture[box]
    lit = shading_of(part, mask, max(picture.shape))
    touched = mask > OUTSIDE
    cloth = _cloth(pattern, lit, touched, placement, box, picture.shape[:2])  # (n, 3) sRGB levels
    share = mask[touched][:, None]
    behind = _behind(part, mask)[touched]
    result = picture.copy()
    part_result = result[box]
    part_result[touched] = np.clip(np.rint(share * cloth + (1 - share) * behind), 0, 255).astype(np.uint8)
    return result


def tile_of(pattern: np.ndarray, width: float) -> np.ndarray:
    """A tile resampled to about `width` pixels, its edges still meeting: linear light (h, w, 3) float32."""
    low, high = TILE_PIXELS
    across = int(min(max(round(width), low), high))
    down = int(min(max(round(width * pattern.shape[0] / pattern.shape[1]), low), high))
    beside = [min(length, 16) for length in pattern.shape[:2]]  # what the filter looks at beyond the edge
    planes = [np.pad(plane, [(side, side) for side in beside], "wrap") for plane in np.moveaxis(linear(pattern), 2, 0)]
    height, length = pattern.shape[:2]
    where = (beside[1], beside[0], beside[1] + length, beside[0] + height)
    resized = [
        Image.fromarray(plane).resize((across, down), Image.Resampling.BICUBIC, box=where, reducing_gap=3.0)
        for plane in planes
    ]
    return np.clip(np.stack([np.asarray(plane) for plane in resized], axis=-1), 0, 1)


def edges_meet(pattern: np.ndarray) -> bool:
    """Whether a picture's opposite edges differ no more than lines that are neighbours inside it."""
    levels = pattern.astype(np.float32)
    for axis in (0, 1):
        if pattern.shape[axis] < 3:
            continue
        inside = np.abs(np.diff(levels, axis=axis)).mean(axis=(1 - axis, 2))  # of each line and the next
        seam = np.abs(levels.take(0, axis) - levels.take(-1, axis)).mean()
        if seam > max(SEAM * inside.mean(), float(inside.max())) + SEAM_LEVELS:
            return False
    return True


def mirrored(pattern: np.ndarray) -> np.ndarray:
    """Two by two of a picture, every other one mirrored: edges meet, whatever it shows."""
    row = np.concatenate([pattern, pattern[:, ::-1]], axis=1)
    return np.concatenate([row, row[::-1]], axis=0)


def doubled(placement: Placement) -> Placement:
    """The same for a tile that is two by two of the one meant."""
    twice = replace(placement, scale=2 * placement.scale)
    return replace(twice, across=placement.across / 2, down=placement.down / 2)


def softened(mask: np.ndarray) -> np.ndarray:
    """A hard mask with an edge that is soft inward; a soft one as it is."""
    if float(((mask > 0.02) & (mask < 0.98)).sum()) > 0.1 * float(np.abs(np.diff(mask > 0.5, axis=0)).sum()):
        return mask
    return mask * ndimage.gaussian_filter(mask, INWARD, mode="nearest")


def _box(mask: np.ndarray) -> tuple[slice, slice]:
    """The part of a picture that its cloth is in, and a little around it."""
    rows, columns = (np.flatnonzero((mask > OUTSIDE).any(axis)) for axis in (1, 0))
    return tuple(  # type: ignore[return-value]
        slice(max(0, found[0] - _BESIDE), min(length, found[-1] + 1 + _BESIDE))
        for found, length in zip((rows, columns), mask.shape, strict=True)
    )


def _cloth(
    pattern: np.ndarray, lit: Shading, touched: np.ndarray, placement: Placement, box: tuple[slice, slice],
    size: tuple[int, ...],
) -> np.ndarray:  # fmt: skip
    """The pattern's sRGB levels (n, 3) at the touched points."""
    side = max(size)
    tile = tile_of(pattern, placement.scale * side)
    y, x = np.nonzero(touched)
    right = x + box[1].start + 0.5 - size[1] / 2 + lit.bend[0][touched] * side
    down = y + box[0].start + 0.5 - size[0] / 2 + lit.bend[1][touched] * side
    turn = np.deg2rad(placement.turn)
    unit = placement.scale * side  # pixels of a tile's width
    across = (np.cos(turn) * right + np.sin(turn) * down) / unit - placement.across + 0.5
    along = (np.cos(turn) * down - np.sin(turn) * right) / unit * (pattern.shape[1] / pattern.shape[0])
    along += 0.5 - placement.down
    places = np.stack([along * tile.shape[0] - 0.5, across * tile.shape[1] - 0.5])
    sampled = [ndimage.map_coordinates(tile[..., i], places, order=1, mode="grid-wrap") for i in range(3)]
    return srgb(np.stack(sampled, axis=-1) * lit.light[touched][:, None] ** 3)


def _behind(part: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """What lies behind the soft edge of a mask, (H, W, 3) float32: the picture outside, carried on."""
    soft = (mask > OUTSIDE) & (mask < 1 - OUTSIDE)
    colors = part.astype(np.float32)
    if not soft.any():
        return colors
    sigma = EDGE * max(1.0, max(part.shape) / 512)
    weights = (1 - mask) ** 4
    mass = ndimage.gaussian_filter(weights, sigma, mode="nearest")
    known = np.clip(mass / 0.02, 0, 1)[..., None]  # deep inside nothing from outside is known
    means = np.stack([ndimage.gaussian_filter(colors[..., i] * weights, sigma, mode="nearest") for i in range(3)], -1)
    return known * means / np.maximum(mass, 1e-6)[..., None] + (1 - known) * colors
