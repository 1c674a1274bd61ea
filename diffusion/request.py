"""What is asked of the pipeline: shots (one picture each) and the settings that a batch shares.

In: plain values from a command line, a form or a stored recipe. Out: frozen, checked dataclasses.
This module imports no torch, so that a service can check a request without opening a model.
"""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image
from pydantic import ValidationError

from jobspec import SEEDS, StyleUse, bounds, fields

MAX_PICTURES = int(bounds(fields.Count)[1])
SCHEDULER_NAMES = ("dpm++", "unipc", "euler", "ddim", "lcm")

RANGES: dict[str, tuple[float, float]] = {
    name: bounds(field)
    for name, field in {
        "steps": fields.Steps,
        "refine_steps": fields.Steps,
        "guidance_scale": fields.GuidanceScale,
        "refine_guidance": fields.GuidanceScale,
        "size": fields.Side,
        "width": fields.Side,
        "height": fields.Side,
        "refine_strength": fields.RefineStrength,
        "strength": fields.Strength,
        "style_weight": fields.StyleWeight,
    }.items()
}
WHOLE = ("steps", "refine_steps", "size", "width", "height")


@dataclass(frozen=True)
class Shot:
    """One picture to draw; with `source` it is a variation of that picture.

    `drawn_prompt`, `drawn_negative`: the texts as they are drawn where they were read before (a stored recipe has
    them); None leaves it to the pipeline's prompt reader.
    Raises ValueError for a seed outside 0..2**32-1 or a prompt that is not text.
    """

    prompt: str
    negative_prompt: str = ""
    seed: int = 0
    source: Image.Image | None = None
    drawn_prompt: str | None = None
    drawn_negative: str | None = None

    def __post_init__(self) -> None:
        for name in ("prompt", "negative_prompt", "drawn_prompt", "drawn_negative"):
            value = getattr(self, name)
            if not isinstance(value, str) and (value is not None or not name.startswith("drawn")):
                raise ValueError(f"{name} is {value!r}: give text")
        _check_number("seed", self.seed, 0, SEEDS - 1, whole=True)
        if self.source is not None and not isinstance(self.source, Image.Image):
            raise ValueError(f"source is a {type(self.source).__name__}: give a PIL image")


@dataclass(frozen=True)
class DrawSettings:
    """What all shots of one batch share; None means the checkpoint's default.

    `steps`: base steps. `width`, `height`: of the base picture in pixels (a refined one is larger by the checkpoint's
    upscale); `size`: the side of a square, and what stands for either where it is None. `refine_steps`: real refiner
    steps; None and no default: int(steps * refine_strength). `guidance_scale` is the base's, `refine_guidance` the
    refiner's. `style`: a LoRA's name, `styles` more of them, each with its own weight (from a recipe they may come as
    a list of dictionaries). `strength`: how much of a source picture is drawn anew (vary).
    Raises ValueError naming the value and what is allowed.
    """

    steps: int | None = None
    guidance_scale: float | None = None
    size: int | None = None
    refine: bool = True
    refine_strength: float | None = None
    scheduler: str | None = None
    style: str | None = None
    style_weight: float = 1.0
    strength: float = fields.DEFAULT_STRENGTH
    refine_steps: int | None = None
    refine_guidance: float | None = None
    styles: tuple[StyleUse, ...] = ()
    width: int | None = None
    height: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "styles", tuple(map(_style_use, self.styles)))
        for name, (low, high) in RANGES.items():
            value = getattr(self, name)
            if value is not None:
                _check_number(name, value, low, high, whole=name in WHOLE)
        for name in ("strength", "style_weight"):
            if getattr(self, name) is None:
                raise ValueError(f"{name} is None: give a number")
        if not isinstance(self.refine, bool):
            raise ValueError(f"refine is {self.refine!r}: give True or False")
        if self.scheduler is not None and self.scheduler not in SCHEDULER_NAMES:
            raise ValueError(f"scheduler is {self.scheduler!r}: choose one of {', '.join(SCHEDULER_NAMES)}")
        if self.style is not None and (not isinstance(self.style, str) or not self.style):
            raise ValueError(f"style is {self.style!r}: give the name of a LoRA, or None")

    @property
    def all_styles(self) -> tuple[StyleUse, ...]:
        """Every style that is drawn with."""
        one = () if self.style is None else (StyleUse(name=self.style, weight=float(self.style_weight)),)
        return (*one, *self.styles)

    @property
    def is_styled(self) -> bool:
        """Whether any style weighs anything."""
        return any(use.weight for use in self.all_styles)


def shots_for(
    prompt: str, n: int, seed: int, negative_prompt: str = "", source: Image.Image | None = None
) -> list[Shot]:
    """Make n shots of one prompt; picture i has seed (seed + i) modulo 2**32. Raises ValueError for n outside 1-10 or
    a seed outside 0..2**32-1.
    """
    _check_number("n", n, 1, MAX_PICTURES, whole=True)
    _check_number("seed", seed, 0, SEEDS - 1, whole=True)
    return [Shot(prompt, negative_prompt, (seed + i) % SEEDS, source) for i in range(n)]


def _style_use(given: object) -> StyleUse:
    """A style and its weight, from a dictionary too; raises ValueError saying what came and what is allowed."""
    try:
        return StyleUse.model_validate(given)
    except ValidationError as error:
        low, high = RANGES["style_weight"]
        raise ValueError(f"a style is {given!r}: give a name, and a weight from {low} to {high}") from error


def _check_number(name: str, value: object, low: float, high: float, whole: bool) -> None:
    kind = "a whole number" if whole else "a number"
    right = _is_int(value) if whole else isinstance(value, (int, float)) and not isinstance(value, bool)
    if not right or not low <= value <= high:  # type: ignore[operator]  # NaN fails the comparison too
        raise ValueError(f"{name} is {value!r}: give {kind} from {low} to {high}")


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
