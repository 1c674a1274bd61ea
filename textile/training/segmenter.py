"""Train the segmentation network on drawn garments over drawn and photographed grounds and on photos with pseudo-masks.

In: a pool of drawn pictures (`fashion.pool`), photos that GrabCut has cut (`textile.training.garment_photos`). Out:
`segmenter.safetensors` in float16 with `segmenter.json`. After a round the photos are cut again, GrabCut beginning at
what the network found (self-training); where the two differ, nothing is learnt.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageFilter
from torch import Tensor

from fashion.lexicon import GARMENTS
from fashion.pool import PicturePool, halved
from textile.segmentation import GarmentSegmenter, found_in
from textile.segmentation_network import INPUT, SegmentationNetwork
from textile.training.garment_photos import KINDS_OF_LABEL, GarmentPhotos, grab_cut
from training.schedule import TrainerSettings
from training.trainer import Losses, Trainer

logger = logging.getLogger(__name__)
_KIND = {kind.id: i for i, kind in enumerate(GARMENTS)}
_DRAWN, _PASTED, _PHOTOS, _NOTHING = 5, 3, 7, 1  # of 16 pictures of a batch


@dataclass(frozen=True)
class GarmentBatch:
    """`pictures` (n, 3, 128, 128) in -1..1, `masks` and `weights` (n, 1, 128, 128), `kinds` (n, 29) bool: those that
    the picture may show, none where it shows none."""

    pictures: Tensor
    masks: Tensor
    weights: Tensor
    kinds: Tensor


class GarmentBatches:
    """Batches of 16 pictures, decided by seed and step."""

    def __init__(self, pool: PicturePool, photos: GarmentPhotos, seed: int = 0) -> None:
        self.pool, self.seed = pool, seed
        kept = photos.agreed > 0.8
        self.photos = GarmentPhotos(*(array[kept] for array in vars(photos).values()))
        if not kept.any():
            raise ValueError(
                f"in none of {len(kept)} photos could the garment be told from its ground: give photos of one garment "
                "each that does not reach the edge"
            )
        self.grounds = grounds_of(self.photos)
        logger.info("%d of %d photos are cut surely enough, %d grounds", kept.sum(), len(kept), len(self.grounds))

    def at(self, step: int) -> GarmentBatch:
        rng = np.random.default_rng((43, self.seed, step))
        rows = [self._drawn(rng, pasted=i >= _DRAWN) for i in range(_DRAWN + _PASTED)]
        rows += [self._photo(rng) for _ in range(_PHOTOS)]
        rows += [self._nothing(rng) for _ in range(_NOTHING)]
        pictures, masks, kinds = zip(*(_disturbed(*row, rng) for row in rows), strict=True)
        shown = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)
        wanted = torch.from_numpy(np.stack(masks).astype(np.float32) / 255)[:, None]
        sure = 1 - (2 * (wanted - 0.5).abs() < 0.4).float()  # where two cuts differ, nothing is learnt
        return GarmentBatch(
            shown.contiguous(memory_format=torch.channels_last), wanted, sure, torch.from_numpy(np.stack(kinds))
        )

    def _drawn(self, rng: np.random.Generator, pasted: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        index = np.array([rng.integers(len(self.pool))])
        picture, labels = halved(self.pool.pictures(index))[0], self.pool.labels(index)[0]
        garments = self.pool.scene(int(index[0])).garments
        mask = np.where(labels > 0, 255, 0).astype(np.uint8)
        kinds = np.zeros(len(GARMENTS), bool)
        if mask.any():
            largest = int(np.bincount(labels[labels > 0]).argmax()) - 1
            kinds[_KIND[garments[largest].kind]] = True
        return (self._over_ground(picture, mask, rng) if pasted else picture), mask, kinds

    def _photo(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        i = int(rng.integers(len(self.photos.labels)))
        picture, mask = self.photos.pictures[i], self.photos.masks[i]
        kinds = np.zeros(len(GARMENTS), bool)
        kinds[[_KIND[id] for id in KINDS_OF_LABEL[str(self.photos.labels[i])]]] = True
        if self.photos.agreed[i] > 0.93 and rng.random() < 0.35:
            picture = self._over_ground(picture, np.where(mask > 128, 255, 0).astype(np.uint8), rng)
        return picture, mask, kinds

    def _nothing(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        empty = np.zeros((INPUT, INPUT), np.uint8)
        if rng.random() < 0.3:
            noise = rng.normal(0, rng.choice((0.0, 6.0, 50.0)), (INPUT, INPUT, 3))
            return (
                np.clip(rng.integers(0, 256, 3) + noise, 0, 255).astype(np.uint8),
                empty,
                np.zeros(len(GARMENTS), bool),
            )
        return self._ground(rng), empty, np.zeros(len(GARMENTS), bool)

    def _ground(self, rng: np.random.Generator) -> np.ndarray:
        ground = Image.fromarray(self.grounds[int(rng.integers(len(self.grounds)))])
        side = int(rng.integers(24, 49))
        x, y = rng.integers(0, 49 - side, 2)
        ground = ground.crop((x, y, x + side, y + side)).transpose(Image.Transpose(int(rng.integers(0, 7))))
        return np.asarray(ground.resize((INPUT, INPUT), Image.Resampling.BICUBIC))

    def _over_ground(self, picture: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The garment on a photographed ground, with a soft edge and, half of the time, a shadow."""
        ground = self._ground(rng).astype(np.float32)
        soft = (
            np.asarray(Image.fromarray(mask).filter(ImageFilter.GaussianBlur(rng.uniform(0.4, 1.0))), np.float32)[
                ..., None
            ]
            / 255
        )
        if rng.random() < 0.5:
            shadow = Image.fromarray(np.roll(mask, tuple(rng.integers(-4, 5, 2)), (0, 1))).filter(
                ImageFilter.GaussianBlur(3)
            )
            ground *= 1 - rng.uniform(0.1, 0.5) * np.asarray(shadow, np.float32)[..., None] / 255
        return (picture * soft + ground * (1 - soft)).astype(np.uint8)


def grounds_of(photos: GarmentPhotos) -> np.ndarray:
    """A square of 48 px of every photo that shows no garment, where there is one: (n, 48, 48, 3) uint8. Where no photo
    has one, the mean colours along their edges."""
    found = []
    for picture, mask in zip(photos.pictures, photos.masks, strict=True):
        for x, y in ((0, 0), (80, 0), (0, 80), (80, 80), (40, 0), (40, 80), (0, 40), (80, 40)):
            if not mask[y : y + 48, x : x + 48].any():
                found.append(picture[y : y + 48, x : x + 48])
                break
    return np.stack(found or [np.full((48, 48, 3), picture[0].mean(axis=0), np.uint8) for picture in photos.pictures])


def _disturbed(
    picture: np.ndarray, mask: np.ndarray, kinds: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """Mirrored, cut or widened, brighter or darker, in another tint, blurred."""
    if rng.random() < 0.5:
        picture, mask = picture[:, ::-1], mask[:, ::-1]
    shown, wanted = Image.fromarray(np.ascontiguousarray(picture)), Image.fromarray(np.ascontiguousarray(mask))
    if rng.random() < 0.6:
        wide, high = rng.uniform(0.72, 1.0, 2) * INPUT
        x, y = rng.uniform(0, INPUT - wide), rng.uniform(0, INPUT - high)
        box = (x, y, x + wide, y + high)
        shown = shown.resize((INPUT, INPUT), Image.Resampling.BILINEAR, box=box)
        wanted = wanted.resize((INPUT, INPUT), Image.Resampling.BILINEAR, box=box)
    if rng.random() < 0.15:
        turn = int(rng.choice((90, 270)))
        shown, wanted = shown.rotate(turn), wanted.rotate(turn)
    if rng.random() < 0.2:
        shown = shown.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.2)))
    levels = np.asarray(shown, np.float32) / 255
    tint = rng.uniform(0.85, 1.15, 3) if rng.random() < 0.5 else np.ones(3)
    levels = levels ** rng.uniform(0.7, 1.4) * tint * rng.uniform(0.8, 1.15)
    if rng.random() < 0.3:
        levels = levels + rng.normal(0, rng.uniform(0.005, 0.04), levels.shape)
    return (levels * 255).clip(0, 255).astype(np.uint8), np.asarray(wanted), kinds


def segmentation_losses(network: SegmentationNetwork, batch: GarmentBatch) -> Losses:
    """Cross-entropy and overlap of the mask where it is known, and what is read wrong of the kind."""
    mask, kinds = network(batch.pictures)
    pixels = F.binary_cross_entropy_with_logits(mask, batch.masks, reduction="none")
    pixels = (pixels * batch.weights).sum() / batch.weights.sum()
    found, wanted = (mask.sigmoid() * batch.weights).flatten(1), (batch.masks * batch.weights).flatten(1)
    overlap = 1 - (2 * (found * wanted).sum(dim=1) + 20) / (found.sum(dim=1) + wanted.sum(dim=1) + 20)
    named = batch.kinds.any(dim=1)
    said = kinds[named].log_softmax(dim=1).masked_fill(~batch.kinds[named], -torch.inf).logsumexp(dim=1)
    kind = -said.mean()
    return {"loss": 2 * pixels + overlap.mean() + 0.3 * kind, "pixels": pixels, "overlap": overlap.mean(), "kind": kind}


def train_segmenter(
    batches: GarmentBatches, settings: TrainerSettings, runs: Path, out: Path, start: Mapping[str, Tensor] | None = None
) -> GarmentSegmenter:  # fmt: skip
    """Train or go on, at first from the weights `start`; returns the segmenter with averaged weights, which it has
    written."""
    torch.manual_seed(0)
    network = SegmentationNetwork()
    if start is not None:
        network.load_state_dict(start)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's hint knows no memory_format

    def on_sample(step: int, average: Mapping[str, Tensor]) -> None:
        GarmentSegmenter(network).save(out, {"step": step})

    result = Trainer(
        network, lambda step: segmentation_losses(network, batches.at(step)), settings, runs, on_sample=on_sample
    ).run()
    network.load_state_dict(result.average)
    segmenter = GarmentSegmenter(network.eval())
    segmenter.save(out, {"step": result.step, "losses": result.losses})
    return segmenter


def cut_again(segmenter: GarmentSegmenter, photos: GarmentPhotos) -> GarmentPhotos:
    """The photos with masks by the network and by GrabCut that begins there; `agreed` is how alike the two are."""
    masks, agreed = [], []
    for picture in photos.pictures:
        likely = found_in(segmenter.network, picture)[0]
        first, second = likely > 0.5, grab_cut(picture, 0.02, likely)
        agreed.append((first & second).sum() / max((first | second).sum(), 1))
        masks.append(((first.astype(np.uint16) + second) * 255 // 2).astype(np.uint8))
    return replace(photos, masks=np.stack(masks), agreed=np.array(agreed))
