"""How well garments are found: IoU on drawn scenes, and on photos whose masks were drawn by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from fashion.drawing import draw, draw_masks
from fashion.scene import sample_scene
from textile.segmentation import GarmentSegmenter
from textile.training.garment_photos import KINDS_OF_LABEL

POLYGONS = Path(__file__).parent / "garment_polygons.json"
_SCENES = 63 * 10**7  # no training set begins here


def hand_masks(part: str) -> dict[str, list[list[tuple[int, int]]]]:
    """Polygons by photo; part: seen, the ten to choose by, or held, the ten for the end."""
    data = json.loads(POLYGONS.read_text(encoding="utf-8"))
    return {name: [[(x, y) for x, y in polygon] for polygon in polygons] for name, polygons in data[part].items()}


def filled(polygons: list[list[tuple[int, int]]], size: tuple[int, int]) -> np.ndarray:
    """The pixels inside polygons: (h, w) bool."""
    mask = Image.new("1", size)
    for polygon in polygons:
        ImageDraw.Draw(mask).polygon(polygon, fill=1)
    return np.asarray(mask)


def overlap(found: np.ndarray, true: np.ndarray) -> float:
    """Intersection over union of two masks."""
    return float((found & true).sum() / max((found | true).sum(), 1))


def drawn_overlaps(segmenter: GarmentSegmenter, scenes: int) -> Iterator[tuple[float, bool]]:
    """IoU and whether the kind is right, of drawn scenes that no training has met."""
    for i in range(scenes):
        scene = sample_scene(_SCENES + i, "held_out")
        found = segmenter.mask(draw(scene, 256))
        masks = draw_masks(scene, 256)
        largest = int(masks.sum(axis=(1, 2)).argmax())
        yield overlap(found.mask > 0.5, masks.any(axis=0)), found.kind == scene.garments[largest].kind


def photo_overlaps(segmenter: GarmentSegmenter, folder: Path, part: str) -> Iterator[tuple[str, float, bool]]:
    """Name, IoU and whether the kind is one that the photo's label allows."""
    for name, polygons in hand_masks(part).items():
        picture = Image.open(folder / name).convert("RGB")
        found = segmenter.mask(picture)
        allowed = KINDS_OF_LABEL[name.rsplit("_", 1)[0]]
        yield name, overlap(found.mask > 0.5, filled(polygons, picture.size)), found.kind in allowed


def grab_cut_overlap(folder: Path, part: str) -> float:
    """What GrabCut from a frame alone reaches."""
    from textile.training.garment_photos import grab_cut

    found = []
    for name, polygons in hand_masks(part).items():
        picture = Image.open(folder / name).convert("RGB")
        found.append(overlap(grab_cut(np.asarray(picture), 0.03), filled(polygons, picture.size)))
    return float(np.mean(found))


def mask_rows(weights: Path, photos: Path | None, held: bool, scenes: int) -> list[str]:
    """The table of masks."""
    segmenter = GarmentSegmenter.load(weights)
    rows = ["| masks | IoU | least | kind right | GrabCut |", "|---|---:|---:|---:|---:|"]
    drawn = list(drawn_overlaps(segmenter, scenes))
    overlaps = [one for one, _ in drawn]
    rows.append(f"| {scenes} drawn scenes | {_cells(overlaps, [kind for _, kind in drawn])} | - |")
    for part in ("seen", "held") if held else ("seen",) if photos else ():
        assert photos is not None
        found = list(photo_overlaps(segmenter, photos, part))
        overlaps = [one for _, one, _ in found]
        cut = grab_cut_overlap(photos, part)
        rows.append(f"| {len(found)} photos, {part} | {_cells(overlaps, [kind for *_, kind in found])} | {cut:.3f} |")
    return rows


def _cells(overlaps: list[float], kinds: list[bool]) -> str:
    return f"{np.mean(overlaps):.3f} | {np.min(overlaps):.2f} | {np.mean(kinds):.0%}"
