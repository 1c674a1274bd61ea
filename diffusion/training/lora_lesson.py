"""What a style or a base is learnt from and measured by: pictures of an imagefolder, each with its caption and, of a
style, the word that calls it.

In: a folder with metadata.jsonl (file_name, text, text_ko), as `python -m fashion prepare` and `export` write it. Out:
batches that depend on the step alone, and the error on pictures that no batch shows, with the same noise each time.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from tqdm import tqdm

from diffusion.pictures import to_pixels
from diffusion.training.lora_base import StyleBase, TextConditioning
from fashion.dataset import METADATA, TEST, read_metadata
from jobspec import PictureSize
from pictures import UnreadablePicture, open_picture
from training.processes import ONE_PROCESS, Share

logger = logging.getLogger(__name__)
COLUMNS = {"ko": "text_ko", "en": "text"}
CAPTIONS_DROPPED = 0.1
HELD_OUT_SHARE, MOST_HELD_OUT, LEAST_HELD_OUT = 0.1, 64, 2
LEAST_TRAINED = 2
NOISES = 4  # on each held-out picture
BATCH = 16


@dataclass(frozen=True)
class StylePicture:
    """One picture of the data set and what is words of it."""

    path: Path
    text: str
    test: bool = False  # one of the data set's own test rows


def read_pictures(folder: Path, language: str, trigger: str = "") -> tuple[list[StylePicture], list[str]]:
    """The pictures of an imagefolder with the trigger before each caption, and "name: reason" of what is left out.

    A picture without a caption is called by the trigger alone; without a trigger it is left out. Raises
    FileNotFoundError where there is no metadata, ValueError where too few pictures are left, or where all captions are
    in the other language.
    """
    found: dict[str, StylePicture] = {}
    left_out = []
    rows = list(read_metadata(folder))
    there = {other for other, column in COLUMNS.items() if any(row.get(column) for row in rows)}
    if there and language not in there:
        raise ValueError(f"{folder} has no captions in {COLUMNS[language]}: give --language {there.pop()}")
    for number, row in enumerate(rows, start=1):
        name, text = row.get("file_name"), row.get(COLUMNS[language])
        path = folder / str(name)
        if not isinstance(name, str) or not path.resolve().is_relative_to(folder.resolve()):
            left_out.append(f"row {number}: file_name {name!r} is none of this folder")
        elif not path.is_file():
            left_out.append(f"{name}: is not there")
        elif name not in found:
            words = text.strip() if isinstance(text, str) else ""
            called = ", ".join(filter(None, (trigger, words)))
            if not called:
                left_out.append(f"{name}: has no caption")
                continue
            found[name] = StylePicture(path, called, row.get("split") == TEST)
    if len(found) < LEAST_TRAINED + LEAST_HELD_OUT:
        least = LEAST_TRAINED + LEAST_HELD_OUT
        raise ValueError(f"{folder} has {len(found)} pictures that can be read: give at least {least}")
    return list(found.values()), left_out


def split(pictures: Sequence[StylePicture]) -> tuple[list[StylePicture], list[StylePicture]]:
    """Pictures to train on and pictures to measure on, chosen by their names, whatever their order.

    Of a data set with test rows of its own these are measured on, and none is trained on. Raises ValueError where too
    few are left to train on.
    """
    ordered = sorted(pictures, key=lambda each: hashlib.sha256(each.path.name.encode()).hexdigest())
    if len(tested := [each for each in ordered if each.test]) >= LEAST_HELD_OUT:
        trained = [each for each in ordered if not each.test]
        if len(trained) < LEAST_TRAINED:
            raise ValueError(
                f"{len(trained)} of {len(ordered)} pictures are no test rows: give at least {LEAST_TRAINED}"
            )
        return trained, tested[:MOST_HELD_OUT]
    ordered = [each for each in ordered if not each.test]
    count = min(MOST_HELD_OUT, max(LEAST_HELD_OUT, round(HELD_OUT_SHARE * len(ordered))))
    return ordered[count:], ordered[:count]


@dataclass(frozen=True)
class Captions:
    """What the U-Net is told of n texts, of which many may be the same: `places` (n,) of the distinct ones."""

    distinct: TextConditioning
    places: torch.Tensor

    def rows(self, picked: torch.Tensor) -> TextConditioning:
        return self.distinct.rows(self.places[picked])


class StyleLesson:
    """Batches of disturbed latents with their captions, and the held-out error; everything is encoded once.

    `most`: train on so many pictures only. `share`: the rows of a batch that this process trains on. `through`: what is
    called in the U-Net's place while it trains.
    """

    def __init__(
        self, base: StyleBase, pictures: Sequence[StylePicture], batch: int, most: int | None = None,
        share: Share = ONE_PROCESS,
    ) -> None:  # fmt: skip
        trained, self.held_out = split(pictures)
        trained = trained[:most]
        self.base, self.batch, self._share = base, batch, share
        self.through: nn.Module | None = None
        self.count = len(trained)
        self._latents = _encoded(base, trained, mirrored=True)  # (2, n, c, h, w)
        self._conditioning = _conditioned(base, [each.text for each in trained] + [""])  # the last one: no caption
        self._held_latents = _encoded(base, self.held_out, mirrored=False)[0]
        self._held_conditioning = _conditioned(base, [each.text for each in self.held_out])

    def losses(self, step: int) -> Mapping[str, torch.Tensor]:
        """Mean squared error of the prediction on the batch of a step."""
        generator, rows = torch.Generator().manual_seed(step), self._share.all_rows(self.batch)
        picked = torch.randint(self.count, (rows,), generator=generator)
        flips = torch.randint(2, (rows,), generator=generator)
        dropped = torch.rand(rows, generator=generator) < CAPTIONS_DROPPED
        own = self._share.own(rows)
        conditioning = self._conditioning.rows(torch.where(dropped, self.count, picked)[own])
        noisy, timesteps, goal = (each[own] for each in self.base.disturb(self._latents[flips, picked], generator))
        return {"loss": (self.base.predict(noisy, timesteps, conditioning, self.through) - goal).square().mean()}

    def errors(self) -> torch.Tensor:
        """The error on each held-out picture (n,), the same noise and times at every call."""
        return self._errors(self._held_latents, self._held_conditioning)

    def trained_errors(self) -> torch.Tensor:
        """The same on the first pictures that are trained on, as many as may be held out."""
        return self._errors(self._latents[0, :MOST_HELD_OUT], self._conditioning)

    @torch.no_grad()
    def _errors(self, latents: torch.Tensor, conditioning: Captions) -> torch.Tensor:
        generator = torch.Generator().manual_seed(0)
        found = torch.zeros(len(latents))
        for _ in range(NOISES):
            for rows in torch.arange(len(latents)).split(BATCH):
                noisy, timesteps, goal = self.base.disturb(latents[rows], generator)
                output = self.base.predict(noisy, timesteps, conditioning.rows(rows))
                found[rows] += (output - goal).square().flatten(1).mean(dim=1).cpu() / NOISES
        return found


def is_better(with_style: torch.Tensor, without: torch.Tensor) -> bool:
    """Whether a style lowers the errors (n,) of held-out pictures by more than chance would: by two standard errors of
    the differences, picture by picture.
    """
    lower = without - with_style
    deviation = lower.std() / len(lower) ** 0.5 if len(lower) > 1 else torch.zeros(())
    return bool(lower.mean() > 2 * deviation)


def data_card(folder: Path, language: str, pictures: Sequence[StylePicture], held_out: int) -> dict[str, object]:
    """What a style was trained on, for its header: no paths, no pictures."""
    digest = hashlib.sha256((folder / METADATA).read_bytes()).hexdigest()
    return {"folder": folder.resolve().name, "pictures": len(pictures), "held_out": held_out,
            "captions": language, "metadata_sha256": digest}  # fmt: skip


def _encoded(base: StyleBase, pictures: Sequence[StylePicture], mirrored: bool) -> torch.Tensor:
    """Scaled latents (1 or 2, n, c, h, w) of pictures and of their mirror images."""
    views: list[list[torch.Tensor]] = [[], []] if mirrored else [[]]
    for shown in tqdm(pictures, unit="picture", desc="encoding", disable=None):
        try:
            pixels = to_pixels(open_picture(shown.path), PictureSize.square(base.stage.size))
        except UnreadablePicture as error:
            raise ValueError(f"{shown.path.name} cannot be read ({error}): leave it out of {METADATA}") from error
        for view, rows in zip((pixels, pixels.flip(-1)), views, strict=False):
            rows.append(base.stage.encode(view.to(base.stage.device)).clone())
    return torch.stack([torch.cat(rows) for rows in views])


def _conditioned(base: StyleBase, texts: Sequence[str]) -> Captions:
    """What the U-Net is told of many texts, each different one encoded and kept once."""
    distinct = list(dict.fromkeys(texts))
    parts = [base.condition(distinct[start : start + BATCH]) for start in range(0, len(distinct), BATCH)]
    pooled = [part.pooled for part in parts if part.pooled is not None]
    whole = TextConditioning(torch.cat([part.hidden for part in parts]), torch.cat(pooled) if pooled else None)
    places = {text: i for i, text in enumerate(distinct)}
    return Captions(whole, torch.tensor([places[text] for text in texts]))
