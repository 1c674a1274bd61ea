"""What an edit is to change: the words of a picture, and the texts before and after it, settled before anything waits.

In: a job of the kind `edit` and the recipe of its source, None of an upload. Out: the texts as they are drawn, or a
refusal that says what came, what is allowed and the cure. The worker and the command line settle them the same way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from demo.store.errors import ServiceError
from demo.studio import pictures, prompts
from demo.studio.prompts import DomainReader
from fashion.replacing import Alternative as Alternative  # the web room shows it
from fashion.replacing import EditableWord, WordChange, WordNotFound
from jobspec import Edit

FIELDS = {"title": "garment", "color": "color", "style": "style"}  # of an edit's form, and what words they are
ADDED = ("background", "style")  # what a sentence can say at its end
Recipe = Mapping[str, object]


@dataclass(frozen=True)
class EditTexts:
    """`source`, `target`, `negative`: as they are drawn. `prompt`: the new text as a person would write it. `changed`:
    the fields of the words that differ. `seed`: of the noise that the source was drawn from; None where it was not
    drawn here.
    """

    source: str
    target: str
    negative: str
    prompt: str
    changed: frozenset[str]
    seed: int | None


@dataclass(frozen=True)
class Words:
    """A picture's text as it was drawn, the words in it that can be changed, and the form that it fills. `additions`:
    what can be said behind it, by field, where it says none.
    """

    text: str
    words: Sequence[EditableWord]
    fields: Mapping[str, str]
    additions: Mapping[str, Sequence[Alternative]]
    guessed: bool = False


def settled(job: Edit, recipe: Recipe | None, reader: DomainReader) -> Edit:
    """The job with its prompt written out and, where it names no seed, that of the source's noise. Raises
    ServiceError.
    """
    texts = texts_of(job, recipe, reader)
    seed = texts.seed if job.seed is None else job.seed
    return job.changed(prompt=prompts.accept(texts.prompt), seed=seed)  # type: ignore[return-value]


def texts_of(job: Edit, recipe: Recipe | None, reader: DomainReader) -> EditTexts:
    """The texts of an edit. Raises ServiceError edit_nothing, edit_several, edit_unknown_word, edit_same_word,
    edit_word_twice, edit_source_prompt.
    """
    typed, source = _source(job, recipe, reader)
    drawn = recipe is not None and not job.source_prompt
    seed = _seed(recipe) if drawn and recipe is not None else None
    negative = str(recipe.get("drawn_negative_prompt", recipe.get("negative_prompt", ""))) if drawn and recipe else ""
    way = _way(job)
    if way == "prompt":
        prompt = prompts.clean(job.prompt)
        target = reader.read(prompt)
        if seed is not None:
            target = (reader.styled() if _is_styled(recipe) else reader).complete(target, seed, negative)
        if prompt in (typed, source):  # the same sentence: the picture comes back
            target = source
    else:
        changes = _changes(job) if way == "replace" else _filled(job, source, reader)
        target = _replaced(source, changes, reader, way)
        prompt = _as_typed(typed, changes, reader) or target
        if way == "form" and (added := _added_style(job, source, reader)):
            target, prompt = f"{target}, {added}", f"{prompt}, {added}"
    return EditTexts(source, target, negative, prompt, reader.changed_fields(source, target), seed)


def words_of(text: str, reader: DomainReader, guessed: bool = False) -> Words:
    """The words of a picture's text."""
    found = reader.editable_words(text)
    return Words(
        text,
        found,
        {name: word.text if (word := _first(found, field)) else "" for name, field in FIELDS.items()},
        {
            field: offers
            for field in ADDED
            if text and not _first(found, field) and (offers := reader.additions(field, text))
        },
        bool(text) and guessed,
    )


def drawn_text(recipe: Recipe) -> str:
    """What a picture was drawn from, completed where its prompt left something open."""
    return str(recipe.get("drawn_prompt", recipe.get("prompt", "")))


def styles_of(recipe: Recipe | None) -> list[str]:
    """The LoRA styles that a picture was drawn with."""
    settings = (recipe or {}).get("settings")
    if not isinstance(settings, Mapping):
        return []
    named = [settings.get("style"), *(each.get("name") for each in settings.get("styles", ()))]
    return [str(name) for name in named if name]


def _way(job: Edit) -> str:
    """By which of its fields an edit says what to change."""
    form = [name for name in FIELDS if getattr(job, name).strip()]
    given = {"replace": bool(job.replace), "prompt": bool(job.prompt.strip()), "form": bool(form)}
    ways = [name for name, there in given.items() if there]
    if "replace" in ways and "prompt" in ways and "form" not in ways:  # a settled job: the prompt was made of these
        return "replace"
    if ways == ["prompt", "form"]:
        return "form"
    if not ways:
        raise ServiceError("edit_nothing", "replace")
    if len(ways) > 1:
        raise ServiceError("edit_several", ways[1], given=", ".join(ways))
    return ways[0]


def _source(job: Edit, recipe: Recipe | None, reader: DomainReader) -> tuple[str, str]:
    """What the source shows, as typed and as drawn. Raises ServiceError edit_source_prompt."""
    if job.source_prompt.strip():
        typed = prompts.clean(job.source_prompt, "source_prompt")
        return typed, reader.read(typed)
    if recipe is None or not drawn_text(recipe):
        if job.mask_image is not None and job.prompt.strip():  # a prompt and a mask alone are an edit too
            typed = prompts.clean(job.prompt)
            return typed, reader.read(typed)
        raise ServiceError("edit_source_prompt", "source_prompt")
    return pictures.prompt_of(recipe), drawn_text(recipe)


def _seed(recipe: Recipe) -> int | None:
    seed = recipe.get("seed")
    return seed if isinstance(seed, int) else None


def _is_styled(recipe: Recipe | None) -> bool:
    """Whether a picture was drawn with LoRA styles, which leave its background and drawing style open."""
    settings = recipe.get("settings") if recipe else None
    return isinstance(settings, Mapping) and bool(settings.get("style") or settings.get("styles"))


def _changes(job: Edit) -> list[WordChange]:
    return [WordChange(one.old, one.new, one.start) for one in job.replace]


def _filled(job: Edit, source: str, reader: DomainReader) -> list[WordChange]:
    """The words of the source that a form says otherwise; the form comes filled, so what is the same stays."""
    found = reader.editable_words(source)
    given = {name: getattr(job, name).strip() for name in FIELDS}
    changes = []
    for name, field in FIELDS.items():
        old = _first(found, field)
        if given[name] and old is not None and given[name] != old.text:
            changes.append(WordChange(old.text, given[name], old.start))
        elif given[name] and old is None and name != "style":
            raise ServiceError("edit_unknown_word", name, word=given[name], known=_known(found))
    return changes


def _added_style(job: Edit, source: str, reader: DomainReader) -> str:
    """A form's style where the source's text names none."""
    return "" if _first(reader.editable_words(source), "style") else job.style.strip()


def _replaced(text: str, changes: Sequence[WordChange], reader: DomainReader, way: str) -> str:
    field = "replace" if way == "replace" else "title"
    for change in changes:
        if change.old.strip() == change.new.strip():
            raise ServiceError("edit_same_word", field, word=change.old)
    try:
        return reader.replaced(text, changes)
    except WordNotFound as error:
        known = ", ".join(dict.fromkeys(error.known)) or text
        raise ServiceError("edit_unknown_word", field, word=error.word, known=known) from error
    except ValueError as error:
        raise ServiceError("edit_word_twice", field, word=changes[-1].old) from error


def _as_typed(typed: str, changes: Sequence[WordChange], reader: DomainReader) -> str | None:
    """The typed prompt with the same changes; None where a word of them is only in the completed text."""
    try:
        return reader.replaced(typed, [WordChange(one.old, one.new) for one in changes])
    except ValueError:
        return None


def _first(found: Sequence[EditableWord], field: str) -> EditableWord | None:
    return next((word for word in found if word.field == field), None)


def _known(found: Sequence[EditableWord]) -> str:
    return ", ".join(dict.fromkeys(word.text for word in found))
