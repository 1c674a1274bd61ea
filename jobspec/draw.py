"""Draw pictures from words, and vary a picture: the two kinds that the two-stage pipeline runs; and in which sizes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

from pydantic import Field, model_validator

from jobspec.fields import (
    GuidanceScale,
    PictureId,
    RefineStrength,
    Side,
    Steps,
    Strength,
    StyleName,
    StyleWeight,
    Text,
)
from jobspec.job import Job, register
from jobspec.styles import StyleUses, take_tags

PORTRAIT = 2 / 3  # width beside height of the upright shape that people are offered
MOST = 2  # times as many pixels as the checkpoint's own square that a request may ask for


class PictureSize(NamedTuple):
    """Height and width in pixels, in the order of a tensor's last two dimensions."""

    height: int
    width: int

    @classmethod
    def square(cls, side: int) -> PictureSize:
        return cls(side, side)

    @property
    def is_square(self) -> bool:
        return self.height == self.width

    @property
    def pixels(self) -> int:
        return self.height * self.width

    @property
    def turned(self) -> PictureSize:
        """The same lying down, or standing up."""
        return PictureSize(self.width, self.height)

    def times(self, factor: float) -> PictureSize:
        """The size enlarged, each side rounded to a pixel."""
        return PictureSize(round(self.height * factor), round(self.width * factor))

    def cells(self, factor: int) -> PictureSize:
        """Height and width in latents of an autoencoder of this factor."""
        return PictureSize(self.height // factor, self.width // factor)

    def __str__(self) -> str:
        return f"{self.width}×{self.height}"


@dataclass(frozen=True)
class Shapes:
    """Which sizes a checkpoint's base draws for people: `side` pixels square and, unless `squares_only`, all whose
    sides are multiples of `unit` and that have at most `MOST` times as many pixels.
    """

    side: int
    unit: int
    squares_only: bool = False

    @property
    def own(self) -> PictureSize:
        return PictureSize.square(self.side)

    @property
    def most_pixels(self) -> int:
        return MOST * self.own.pixels

    def offered(self) -> dict[str, PictureSize]:
        """What a form offers by name: a square, and upright and lying sizes of about as many pixels."""
        if self.squares_only:
            return {"square": self.own}
        sides = self.side * PORTRAIT**-0.5, self.side * PORTRAIT**0.5
        upright = PictureSize(*(max(self.unit, round(each / self.unit) * self.unit) for each in sides))
        return {"square": self.own, "portrait": upright, "landscape": upright.turned}

    def takes(self, size: PictureSize) -> bool:
        if size == self.own:
            return True
        whole = not any(side % self.unit for side in size)
        return whole and not self.squares_only and size.pixels <= self.most_pixels

    def near(self, size: PictureSize) -> PictureSize:
        """The size itself where it is taken, else the one that is offered in its orientation."""
        if self.takes(size):
            return size
        name = "square" if size.is_square else "portrait" if size.height > size.width else "landscape"
        return self.offered().get(name, self.own)


@register
class Draw(Job):
    """Draw a prompt; null means the checkpoint's default."""

    BATCH: ClassVar[tuple[str, ...]] = ("steps", "guidance_scale", "refine", "refine_strength", "style", "style_weight")
    OTHER_TEXTS: ClassVar[tuple[str, ...]] = ("negative_prompt",)
    COMMAND: ClassVar[str] = "Draw a Korean (or English) prompt into a folder, without a server."
    ALSO_SHOWN: ClassVar[tuple[str, ...]] = ("source_image", "strength")

    kind: Literal["draw"] = "draw"
    prompt: Text = Field(min_length=1, examples=["빨간 체크무늬 원피스"], description="What to draw.")
    negative_prompt: Text = Field(default="", description="What should not be there.")
    steps: Steps | None = Field(default=None, description="Steps of the base stage.")
    guidance_scale: GuidanceScale | None = Field(default=None, description="How closely the words are followed.")
    refine: bool = Field(default=True, description="Refine what the base stage drew.")
    refine_strength: RefineStrength | None = Field(default=None, description="How much the refiner draws anew.")
    style: StyleName | None = Field(default=None, description="A style's name.")
    style_weight: StyleWeight = Field(default=1.0, description="The weight of a LoRA style.")
    styles: StyleUses = Field(
        default_factory=list,
        description="LoRA styles with a weight each, drawn together; <lora:NAME:WEIGHT> in the prompt adds one.",
    )
    width: Side | None = Field(
        default=None, description="Pixels across that the base draws, where the checkpoint draws other shapes."
    )
    height: Side | None = Field(default=None, description="The same from top to bottom.")

    def batch_key(self) -> str:
        """A style's weight tells nothing where there is no style."""
        shared = [getattr(self, name) for name in self.BATCH]
        more: list[object] = []
        if self.styles:
            more.append([[each.name, each.weight] for each in self.styles])
        if self.width or self.height:
            more.append({"width": self.width, "height": self.height})
        return json.dumps([self.BATCH_AS or self.kind, *(shared if self.style else [*shared[:-1], None]), *more])

    @model_validator(mode="before")
    @classmethod
    def _with_tags_taken(cls, given: object) -> object:
        """`<lora:수묵화:0.8>` in a prompt is a style, not words."""
        if not isinstance(given, dict) or "<" not in str(given.get("prompt")):
            return given
        prompt, tagged = take_tags(str(given["prompt"]))
        named = given.get("styles", [])
        if not tagged or not isinstance(named, list):
            return given
        return {**given, "prompt": prompt, "styles": [*named, *tagged]}

    @model_validator(mode="before")
    @classmethod
    def _without_source(cls, given: object) -> object:
        """A request may say that it has no source picture; how much of none is drawn anew means nothing."""
        if cls is Draw and isinstance(given, dict) and given.get("source_image", None) is None:
            return {name: value for name, value in given.items() if name not in ("source_image", "strength")}
        return given


@register
class Vary(Draw):
    """Draw a picture anew, by words."""

    BATCH: ClassVar[tuple[str, ...]] = (*Draw.BATCH[:-2], "strength", *Draw.BATCH[-2:])
    COMMAND: ClassVar[str] = "Vary a picture by a prompt, without a server."
    ALSO_SHOWN: ClassVar[tuple[str, ...]] = ()

    kind: Literal["vary"] = "vary"  # type: ignore[assignment]
    source_image: PictureId = Field(description="Any picture the caller may see, uploads included.")
    strength: Strength | None = Field(default=None, description="How much of the source is drawn anew.")
