"""What a pattern is to be, and what it is put on: settled before anything waits. Labels of categories and items.

In: jobs of the kinds `pattern` and `apply`. Out: the same with category, palette and texts written out, or a refusal
that says what came, what is allowed and the cure. The command line settles them the same way.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from demo.store.errors import ServiceError, language
from demo.studio import pictures, prompts
from demo.studio.masks import require_mask_size
from demo.studio.readiness import WorkerFacts
from jobspec import Apply, Pattern, Warned
from textile.categories import CATEGORIES, category
from textile.checks import LEAST_SIDE
from textile.item_names import ITEM_SIZE, ITEMS, item_named
from textile.requests import PatternRequest, read_request

KINDS = ("pattern", "apply")
Recipe = Mapping[str, object]


class Sized(Protocol):
    """A picture's row, as far as it is asked here."""

    @property
    def width(self) -> int: ...

    @property
    def height(self) -> int: ...

    @property
    def recipe(self) -> Recipe | None: ...


def labels() -> dict[str, list[dict[str, object]]]:
    """Categories and default items, with their names in both languages."""
    return {
        name: [{"id": one.id, "label": {"ko": one.ko, "en": one.en}} for one in known]
        for name, known in (("categories", CATEGORIES), ("items", ITEMS))
    }


def makes_patterns(facts: WorkerFacts) -> bool:
    """Whether patterns can be made: by a worker that says so, or as long as none has said anything."""
    return not facts or "pattern" in facts.get("kinds", ())


def drawn_recipe(recipe: Recipe | None) -> Recipe | None:
    """The recipe of a picture that was drawn from a prompt; None of an upload, a pattern, and what one was put on."""
    return None if recipe is None or recipe.get("kind") in KINDS else recipe


def settled_pattern(job: Pattern, facts: WorkerFacts) -> Pattern:
    """The job with what its sentence says: category and palette. Raises ServiceError pattern_nothing,
    patterns_missing.
    """
    if not makes_patterns(facts):
        raise ServiceError("patterns_missing")
    text = prompts.clean(job.prompt)
    if not text and job.category is None:
        raise ServiceError("pattern_nothing", "prompt")
    if not text:
        known = category(str(job.category))
        return job.changed(prompt=known.en if language() == "en" else known.ko)  # type: ignore[return-value]
    read = _read(text)
    palette = job.palette or ([_hex(rgb) for rgb in read.palette] if read.palette else None)
    return job.changed(category=job.category or read.category, palette=palette)  # type: ignore[return-value]


def pattern_warnings(job: Pattern) -> list[Warned]:
    """What of a pattern's sentence says nothing about it."""
    text = prompts.clean(job.prompt)
    if not text:
        return []
    read = _read(text)
    said = {"pattern_unread": read.unread, "pattern_unused": read.unused}
    return [Warned(code, {"words": ", ".join(words[: prompts.NAMED])}) for code, words in said.items() if words]


def settled_apply(job: Apply, found: Mapping[str, Sized], facts: WorkerFacts) -> Apply:
    """The job with what it is called. `found`: its pictures by field. Raises ServiceError apply_target, cloth_tiny,
    cloth_unfound, edit_mask_size.
    """
    target, mask = found.get("source_image"), found.get("mask_image")
    if (job.item is None) == (target is None):
        given = "item, source_image" if job.item else "-"
        raise ServiceError("apply_target", "source_image" if job.item else "item", given=given)
    size = (ITEM_SIZE, ITEM_SIZE) if target is None else (target.width, target.height)
    if min(size) < LEAST_SIDE:
        raise ServiceError("cloth_tiny", "source_image", got=f"{size[0]}×{size[1]}", least=LEAST_SIDE)
    if mask is not None:
        require_mask_size(mask, size)
    elif target is not None and facts and not facts.get("segments", False):
        raise ServiceError("cloth_unfound", "mask_image")
    return job.changed(prompt=_called(job, found))  # type: ignore[return-value]


def _called(job: Apply, found: Mapping[str, Sized]) -> str:
    """What a person would call the result: the pattern, and what it is on."""
    english = language() == "en"
    of = _text(found["pattern_image"]) or ("my pattern" if english else "내 무늬")
    if job.item is not None:
        item = item_named(job.item)
        on = item.en if english else item.ko
    else:
        on = _text(found["source_image"]) or ("my photo" if english else "내 사진")
    return f"{of}, {on}"[: prompts.MAX_CHARACTERS]


def _text(row: Sized) -> str:
    return pictures.prompt_of(row.recipe) if row.recipe else ""


def _read(text: str) -> PatternRequest:
    return read_request(text[: prompts.MAX_CHARACTERS])


def _hex(rgb: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*rgb)
