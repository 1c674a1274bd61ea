"""What is asked of an edit: shots (one picture each) and how. Imports no torch."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, replace

from PIL import Image

from diffusion.request import DrawSettings, Shot
from jobspec import SEEDS

METHODS = ("redraw", "flow", "cycle")
FIELDS = ("color", "garment", "pattern", "material", "background", "style")  # what a word may change
SHAPE_KEPT = {"color", "pattern", "material", "background"}  # words whose change leaves every outline where it is
NARROW, WIDE = 1, 2  # cells around a mask
# of pictures drawn by the checkpoint that ships
RECOLORED = 0.65  # of an edit that changes colours alone
EVERYWHERE, GUIDED = ({"background"}, {"style"}), 5.0  # what is seen everywhere, and its guidance scale


@dataclass(frozen=True)
class EditShot:
    """One edit: `source` shows `source_prompt` and is to show `prompt`; both are drawn as they stand.

    `seed`: of the noise in the changed part. `source_seed`: of a picture that was drawn here, whose noise it was; None
    for any other. `mask`: white where it may change, of the source's size; None finds it. `whole`: the change shows
    everywhere (another style). `typed`: the new prompt as a person put it, for the recipe.
    Raises ValueError.
    """

    source: Image.Image
    source_prompt: str
    prompt: str
    seed: int = 0
    source_seed: int | None = None
    negative_prompt: str = ""
    mask: Image.Image | None = None
    whole: bool = False
    typed: str | None = None

    def __post_init__(self) -> None:
        for name in ("source_prompt", "prompt"):
            if not getattr(self, name).strip():
                raise ValueError(
                    f"{name} is empty: say what the picture {'shows' if name != 'prompt' else 'is to show'}"
                )
        self.target()
        if self.source_seed is not None:
            Shot("", seed=self.source_seed)
        if self.mask is not None and self.mask.size != self.source.size:
            sizes = [f"{one.width} × {one.height}" for one in (self.mask, self.source)]
            raise ValueError(f"the mask is {sizes[0]}, its picture {sizes[1]}: give a mask of the picture's size")

    @property
    def changes(self) -> bool:
        """Whether the texts differ, or a mask says what to draw anew."""
        return self.prompt != self.source_prompt or self.mask is not None

    def target(self) -> Shot:
        """The shot of the new text."""
        typed = self.prompt if self.typed is None else self.typed
        return Shot(typed, self.negative_prompt, self.seed, self.source, self.prompt, self.negative_prompt)

    def before(self) -> Shot:
        """The shot of the source's text."""
        return replace(self.target(), prompt=self.source_prompt, drawn_prompt=self.source_prompt)


@dataclass(frozen=True)
class EditSettings:
    """How an edit is made. `keep`: how much of what is outside the changed part stays, 0 to 1. `method`: "redraw" (the
    part under the mask is drawn anew from the source's noise), "flow" (the difference of two velocities, FlowEdit) or
    "cycle" (CycleDiffusion); None chooses by the picture and the checkpoint. `strength`: how much noise an edit begins
    with; None: the method's own. `guidance_scale`: None: that of the settings that drew the source. `widened`: cells of
    latents around the mask that is found: where the shape may change, what is new needs room, or its edge is cut off
    in steps.
    """

    keep: float = 1.0
    method: str | None = None
    strength: float | None = None
    guidance_scale: float | None = None
    widened: int = WIDE
    recolored: float = 0.0

    def __post_init__(self) -> None:
        if self.widened < 0:
            raise ValueError(f"widened is {self.widened!r}: give cells, 0 or more")
        for name in ("keep", "recolored"):
            share = getattr(self, name)
            if not isinstance(share, int | float) or not 0 <= share <= 1:
                raise ValueError(f"{name} is {share!r}: give a number from 0 to 1")
        if self.method is not None and self.method not in METHODS:
            raise ValueError(f"method is {self.method!r}: choose one of {', '.join(METHODS)}")
        if self.strength is not None and not 0 < self.strength <= 1:
            raise ValueError(f"strength is {self.strength!r}: give a number above 0 and up to 1")
        DrawSettings(guidance_scale=self.guidance_scale)


def settings_for(changed: Set[str], keep: float = 1.0) -> EditSettings:
    """How to make an edit of these words ("color", "garment", "pattern", "background", "style"…), by measurement
    (docs/explanation/editing.md): what is everywhere needs more guidance, a colour keeps the source's prints.
    """
    widened = NARROW if changed and changed <= SHAPE_KEPT else WIDE
    guidance = GUIDED if changed in EVERYWHERE else None
    recolored = RECOLORED if changed == {"color"} else 0.0
    return EditSettings(keep, guidance_scale=guidance, widened=widened, recolored=recolored)


def edits_for(first: EditShot, n: int) -> list[EditShot]:
    """n edits alike; picture i has seed (seed + i) modulo 2**32."""
    return [replace(first, seed=(first.seed + i) % SEEDS) for i in range(n)]
