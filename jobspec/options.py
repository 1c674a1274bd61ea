"""A job kind's fields as options of a command line, and back."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jobspec.fields import StyleWeight, bounds
from jobspec.job import ASKED_OTHERWISE, Job, picture_fields, properties
from jobspec.styles import StyleUse

TYPES = {"integer": int, "number": float, "string": str}


def add_options(parser: argparse.ArgumentParser, kind: type[Job], defaults: Mapping[str, object]) -> None:
    """Add the job's text as the argument and every other field as an option; a picture is named by its file.

    `defaults`: of this command line, where they are not the job's own.
    """
    argument = kind.ARGUMENT or kind.TEXT
    for name, field in properties(kind).items():
        if name in ASKED_OTHERWISE or name in kind.MADE:
            continue
        help = _help(field, defaults.get(name, field.get("default")))
        if name == argument:
            given: dict[str, Any] = {} if kind.model_fields[name].is_required() else {"nargs": "?", "default": ""}
            parser.add_argument(name, help=help, type=Path if name in picture_fields(kind) else str, **given)
            continue
        flags = [f"-{name}"] if len(name) == 1 else [f"--{name.replace('_', '-')}"]
        extra: dict[str, Any] = {"type": TYPES.get(str(field.get("type")), str)}
        if field.get("type") == "boolean":
            extra = {"action": argparse.BooleanOptionalAction}
        elif name == "styles":
            extra = {"type": style_option, "nargs": "+", "metavar": "NAME:WEIGHT"}
        elif name == "palette":
            extra = {"type": str, "nargs": "+", "metavar": "#RRGGBB"}
        elif field.get("type") == "array":  # of replacements
            extra = {"action": "append", "type": replacement, "metavar": "OLD=NEW"}
        elif name in picture_fields(kind):
            extra = {
                "type": Path,
                "metavar": "FILE",
                "required": name not in kind.model_fields or kind.model_fields[name].is_required(),
            }
        parser.add_argument(*flags, dest=name, help=help, default=argparse.SUPPRESS, **extra)
    parser.set_defaults(**defaults)


def replacement(text: str) -> dict[str, str]:
    """`원피스=코트` as a replacement. Raises argparse.ArgumentTypeError."""
    old, sign, new = text.partition("=")
    if not sign or not old.strip() or not new.strip():
        raise argparse.ArgumentTypeError(f"{text!r}: give the word and what is to stand there as OLD=NEW")
    return {"from": old.strip(), "to": new.strip()}


def from_options(arguments: argparse.Namespace, kind: type[Job]) -> tuple[dict[str, object], dict[str, Path]]:
    """What was given of the job's fields, and the files of its pictures by field."""
    given = {name: value for name, value in vars(arguments).items() if name in kind.model_fields and name != "kind"}
    files = {name: Path(str(given.pop(name))) for name in picture_fields(kind) if name in given}
    return given, files


def style_option(text: str) -> StyleUse:
    """NAME or NAME:WEIGHT as an option's value."""
    try:
        return StyleUse.parse(text)
    except ValueError as error:
        low, high = bounds(StyleWeight)
        raise argparse.ArgumentTypeError(
            f"{text!r}: write NAME or NAME:WEIGHT, a weight from {low} to {high}"
        ) from error


def _help(field: Mapping[str, object], default: object) -> str:
    """The field's description with its range and default: "Steps of the base stage, 1-150."."""
    text = str(field.get("description", "")).removesuffix(".")
    if "minimum" in field:
        end = field["maximum"] if "maximum" in field else f"{field['exclusiveMaximum']} - 1"
        text += f", {field['minimum']} to {end}"
    return (text if default in (None, "") else f"{text} (default {default})").replace("%", "%%")
