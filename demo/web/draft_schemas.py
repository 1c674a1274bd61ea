"""The body of POST /drafts: of a drawing what a draft can show; the rest is the service's choice."""

from __future__ import annotations

from pydantic import Field

from demo.web.schemas import Body
from jobspec.fields import GuidanceScale, Seed, StyleName, StyleWeight, Text
from jobspec.styles import StyleUses


class NewDraft(Body):
    """One picture of the base stage, with half the usual steps."""

    prompt: Text = Field(min_length=1, examples=["빨간 체크무늬 원피스"], description="What has been written so far.")
    negative_prompt: Text = Field(default="", description="What should not be there.")
    seed: Seed | None = Field(default=None, description="The same seed keeps a draft steady while the prompt grows.")
    guidance_scale: GuidanceScale | None = Field(default=None, description="How closely the words are followed.")
    style: StyleName | None = Field(default=None, description="A style's name.")
    style_weight: StyleWeight = Field(default=1.0, description="The weight of a LoRA style.")
    styles: StyleUses = Field(default_factory=list, description="LoRA styles drawn beside it, with a weight each.")
