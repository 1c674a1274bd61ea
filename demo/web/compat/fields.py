"""What becomes of each field of a compatible API: taken, ignored (and said so in a header), or refused by name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pydantic import BaseModel

from demo.store.errors import ServiceError

TAKEN, IGNORED, REFUSED = "taken", "ignored", "refused"
IGNORED_HEADER = "X-Ignored-Fields"
MOST_NAMED = 100  # in one header
_FITS = re.compile(r"[\w.-]{1,64}", re.ASCII)


@dataclass(frozen=True)
class Treated:
    """Metadata of a field: `how` it is treated, and a note for people."""

    how: str
    note: str


def taken(note: str) -> Treated:
    return Treated(TAKEN, note)


def ignored(note: str) -> Treated:
    return Treated(IGNORED, note)


def refused(note: str) -> Treated:
    return Treated(REFUSED, note)


def treatments(model: type[BaseModel]) -> Iterator[tuple[str, Treated]]:
    """Each field of a request as its clients name it, in order."""
    for name, field in model.model_fields.items():
        yield field.alias or name, next(each for each in field.metadata if isinstance(each, Treated))


def check_refused(asked: BaseModel) -> None:
    """Raise ServiceError invalid_request for a given field that is refused."""
    for name in _given(asked, REFUSED):
        raise wrong(name, "cannot_be_done")


def wrong(name: str, reason: str) -> ServiceError:
    """The refusal of a field by name; `reason`: of demo/store/messages.py."""
    return ServiceError("invalid_request", name, reason=reason, name=name)


def told(asked: BaseModel, *further: str) -> Mapping[str, str]:
    """The header that names what of a request was ignored."""
    return header_of([*_given(asked, IGNORED), *further])


def header_of(names: Iterable[str]) -> Mapping[str, str]:
    """The header for these; what a client made up is named only as far as a header can hold it."""
    fit = sorted({name for name in names if _FITS.fullmatch(name)})[:MOST_NAMED]
    return {IGNORED_HEADER: ", ".join(fit)} if fit else {}


def _given(asked: BaseModel, how: str) -> list[str]:
    fields = dict(zip(type(asked).model_fields, treatments(type(asked)), strict=True))
    return [alias for name, (alias, treated) in fields.items()
            if treated.how == how and name in asked.model_fields_set and getattr(asked, name) is not None]  # fmt: skip
