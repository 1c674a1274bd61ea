"""Draw pictures from words, and vary a picture: the two kinds that the two-stage pipeline runs."""

from __future__ import annotations

import json
from typing import ClassVar, Literal

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
