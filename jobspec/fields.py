"""The fields that kinds share: type, range and, where a slider offers less than is allowed, what it offers.

Ranges are wide where the two stages can follow (`steps` to 150, as schedulers allow; `style_weight` from -2, which
takes a style away), and are said nowhere else.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

SEEDS = 2**32
DEFAULT_STRENGTH = 0.6  # of a source picture, how much is drawn anew where nothing is asked
MAX_TEXT = 12_000  # code points before normalising: 2,000 syllables in NFD and something over


def _slider(low: float, high: float, step: float) -> dict[str, object]:
    return {"x-slider": [low, high, step]}


Text = Annotated[str, Field(max_length=MAX_TEXT, description="At most 2,000 characters once normalised (NFC).")]
Count = Annotated[int, Field(ge=1, le=10)]
Seed = Annotated[int, Field(ge=0, lt=SEEDS)]
Steps = Annotated[int, Field(ge=1, le=150, json_schema_extra=_slider(1, 50, 1))]
GuidanceScale = Annotated[float, Field(ge=1, le=30, json_schema_extra=_slider(1, 12, 0.5))]
RefineStrength = Annotated[float, Field(ge=0.01, le=1, json_schema_extra=_slider(0.05, 1, 0.05))]
Strength = Annotated[float, Field(ge=0.01, le=1, json_schema_extra=_slider(0.1, 1, 0.05))]
StyleName = Annotated[str, Field(min_length=1, max_length=100)]
StyleWeight = Annotated[float, Field(ge=-2, le=2, json_schema_extra=_slider(0, 2, 0.1))]
Keep = Annotated[float, Field(ge=0, le=1, json_schema_extra=_slider(0, 1, 0.05))]
Turn = Annotated[float, Field(ge=-180, le=180, json_schema_extra=_slider(-180, 180, 1))]  # degrees, clockwise
Side = Annotated[int, Field(ge=16, le=2048)]
PictureId = Annotated[
    str, Field(pattern="^[0-9a-f]{32}$", json_schema_extra={"x-picture": True}, description="A picture's id.")
]
Visibility = Literal["private", "public"]


def bounds(field: object) -> tuple[float, float]:
    """The least and the greatest value of a number field of this module, both allowed."""
    known = TypeAdapter(field).json_schema()  # type: ignore[arg-type]  # a type that is a value here
    return known["minimum"], known["maximum"] if "maximum" in known else known["exclusiveMaximum"] - 1
