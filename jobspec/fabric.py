"""Fabric: make patterns (the kind `pattern`), and put one onto a garment or a photo (the kind `apply`)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, get_args

from pydantic import Field

from jobspec.fields import PictureId, Text, Turn
from jobspec.job import Job, register

PATTERNS = 9  # at once
TILE = 128  # pixels of a tile's side; a larger picture is a sheet of tiles
Category = Literal[
    "solid", "stripes", "checkered", "dots", "floral", "leaves", "paisley", "zigzag", "cheetah", "cartoon",
    "camouflage", "dancheong", "cloud",
]  # fmt: skip
ItemName = Literal[
    "shirt", "trousers", "sweater", "dress", "coat", "sandals", "shoes", "boots", "bag", "hanbok",
]  # fmt: skip
CATEGORIES: tuple[str, ...] = get_args(Category)
ITEM_NAMES: tuple[str, ...] = get_args(ItemName)
ResultSide = Annotated[int, Field(ge=64, le=2048)]
SheetSide = Annotated[int, Field(ge=TILE, le=2048)]
HexColor = Annotated[str, Field(pattern="^#[0-9a-fA-F]{6}$", description="A colour as #rrggbb.")]


@register
class Pattern(Job):
    """Make fabric patterns whose edges meet: of a category and a palette, or as a sentence says."""

    COMMAND: ClassVar[str] = "Make fabric patterns of a category, or as a sentence says, without a server."

    kind: Literal["pattern"] = "pattern"
    n: Annotated[int, Field(ge=1, le=PATTERNS)] = Field(default=PATTERNS, description="How many patterns.")
    prompt: Text = Field(
        default="", examples=["파란 바탕에 흰 물방울"], description="What it is to look like; optional with a category."
    )
    category: Category | None = Field(default=None, description="The category; read from the sentence where absent.")
    palette: list[HexColor] | None = Field(
        default=None,
        min_length=1,
        max_length=4,
        description="One to four colours, the ground first; null: any that suit.",
    )
    size: SheetSide = Field(default=TILE, description="Side in pixels; beyond 128 it is a sheet of tiles.")


@register
class Apply(Job):
    """Put a pattern onto the cloth of a picture: one of the default items, an upload, or a picture drawn here."""

    ARGUMENT: ClassVar[str] = "pattern_image"
    MADE: ClassVar[tuple[str, ...]] = ("prompt",)
    PARENTS: ClassVar[tuple[str, ...]] = ("source_image", "pattern_image")
    COMMAND: ClassVar[str] = "Put a pattern onto a default item or a photo, without a server."

    kind: Literal["apply"] = "apply"
    n: Annotated[int, Field(ge=1, le=1)] = Field(default=1, description="One picture.")
    prompt: Text = Field(default="", description="Made from the pattern's words and the picture's.")
    pattern_image: PictureId = Field(description="A pattern made here, or any picture the caller may see.")
    item: ItemName | None = Field(default=None, description="A default item to put it on.")
    source_image: PictureId | None = Field(default=None, description="A photo or a drawn picture to put it on.")
    mask_image: PictureId | None = Field(
        default=None, description="An upload of that picture's size: white where the garment is; found where absent."
    )
    scale: Annotated[float, Field(ge=0.02, le=2, json_schema_extra={"x-slider": [0.04, 0.6, 0.01]})] = Field(
        default=0.25, description="A tile's width as a share of the picture's longer side."
    )
    turn: Turn = Field(default=0.0, description="Degrees clockwise.")
    offset_x: Annotated[float, Field(ge=-1, le=1)] = Field(default=0.0, description="Moved right by so many tiles.")
    offset_y: Annotated[float, Field(ge=-1, le=1)] = Field(default=0.0, description="Moved down by so many tiles.")
    mirror: bool | None = Field(
        default=None, description="Mirror every other tile, so that edges meet; null: where they do not by themselves."
    )
    size: ResultSide | None = Field(
        default=None, description="The result's longer side in pixels; the picture's own where absent."
    )
