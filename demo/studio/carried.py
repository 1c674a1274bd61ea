"""The settings that a picture file carries, whoever wrote it: this studio, A1111, ComfyUI, InvokeAI or Fooocus.

In: file bytes, PNG, JPEG or WebP. Out: what of them means something here (prompt, negative prompt, seed, steps; of our
own files the rest too) and, by name, what was left out. Texts are read under limits and never run.
Ref: `parameters` (A1111; Fooocus as JSON), `prompt` (ComfyUI's graph), `invokeai_metadata`, `sd-metadata` (InvokeAI);
in JPEG and WebP EXIF's UserComment, of ComfyUI Make and Model.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pydantic import TypeAdapter, ValidationError

from demo.studio import parameters
from demo.studio.carried_graph import of_graph
from demo.studio.file_texts import texts_of
from jobspec import Draw, take_tags
from jobspec.fields import Seed, Steps

OURS, A1111, COMFYUI, INVOKEAI, FOOOCUS = "geuryeojwo", "a1111", "comfyui", "invokeai", "fooocus"
SEED: TypeAdapter[int] = TypeAdapter(Seed)
STEPS: TypeAdapter[int] = TypeAdapter(Steps)
LONGEST_SHOWN = 200  # characters of what was left out
OUR_SETTINGS = ("steps", "guidance_scale", "refine", "refine_strength", "width", "height")
Known = Callable[[str], bool]


@dataclass
class Carried:
    """`program`: who wrote it; `settings`: fields of a drawing; `left_out`: names and values that mean nothing here."""

    program: str
    settings: dict[str, object] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    def take(self, name: str, value: object, called: str, adapter: TypeAdapter[int]) -> None:
        """A whole number in its range, or it is left out under the name that its program has for it."""
        if value in (None, ""):
            return
        try:
            self.settings[name] = adapter.validate_python(int(str(value)), strict=True)
        except (ValueError, ValidationError):
            self.leave({called: value})

    def leave(self, values: Mapping[str, object]) -> None:
        for name, value in values.items():
            if value not in (None, "", [], {}):
                shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
                self.left_out[str(name)[:LONGEST_SHOWN]] = shown[:LONGEST_SHOWN]


def read_carried(data: bytes, style_known: Known = lambda _name: False) -> Carried | None:
    """What a file carries; None where it carries nothing that is known. `style_known`: whether a LoRA is here."""
    texts = texts_of(data)
    for reader in (_ours, _invokeai, _fooocus, _a1111, _comfyui):
        found = reader(texts)
        if found is not None and (found.settings.get("prompt") or found.settings.get("seed") is not None):
            _settle_styles(found, style_known)
            return found
    return None


def _ours(texts: Mapping[str, str]) -> Carried | None:
    recipe = _object(texts.get("recipe") or texts.get("geuryeojwo")) or _object(texts.get("UserComment"))
    settings = recipe.get("settings")
    if "prompt" not in recipe or "seed" not in recipe or not isinstance(settings, Mapping):
        return None
    asked = recipe.get("asked")
    asked = asked if isinstance(asked, Mapping) else {}
    found = Carried(OURS)
    wanted = {
        "prompt": asked.get("prompt", recipe["prompt"]), "negative_prompt": recipe.get("negative_prompt", ""),
        "seed": recipe["seed"], "style": asked.get("style") or settings.get("style"),
        "style_weight": settings.get("style_weight"), "styles": settings.get("styles"),
    }  # fmt: skip
    for name, value in (wanted | {name: settings.get(name) for name in OUR_SETTINGS}).items():
        if value is None:
            continue
        try:
            Draw.model_validate({"prompt": "x"} | {name: value})
            found.settings[name] = value
        except ValidationError:
            found.leave({name: value})
    return found


def _a1111(texts: Mapping[str, str]) -> Carried | None:
    text = texts.get("parameters") or texts.get("UserComment")
    if not text or text.lstrip().startswith("{"):
        return None
    prompt, negative, pairs = parameters.read(text)
    if not pairs:
        return None
    if pairs.get("Version") == parameters.PROGRAM:
        found = Carried(OURS)
    else:
        found = Carried(A1111)
    _words(found, prompt, negative)
    found.take("seed", pairs.pop("Seed", None), "Seed", SEED)
    found.take("steps", pairs.pop("Steps", None), "Steps", STEPS)
    found.leave(pairs)
    return found


def _fooocus(texts: Mapping[str, str]) -> Carried | None:
    data = _object(texts.get("parameters") or texts.get("UserComment"))
    if not {"prompt", "seed"} <= data.keys():
        return None
    return _flat(FOOOCUS, data, "prompt", "negative_prompt")


def _invokeai(texts: Mapping[str, str]) -> Carried | None:
    data = _object(texts.get("invokeai_metadata"))
    if data:
        return _flat(INVOKEAI, data, "positive_prompt", "negative_prompt")
    older = _object(texts.get("sd-metadata")).get("image")
    if not isinstance(older, Mapping):
        return None
    prompt = older.get("prompt")
    if isinstance(prompt, list):  # of weighted parts
        prompt = ", ".join(str(part.get("prompt", "")) for part in prompt if isinstance(part, Mapping))
    return _flat(INVOKEAI, dict(older) | {"prompt": prompt}, "prompt", "negative_prompt")


def _comfyui(texts: Mapping[str, str]) -> Carried | None:
    graph = _object(texts.get("prompt"))
    values = of_graph(graph) if graph else None
    return None if values is None else _flat(COMFYUI, values, "positive", "negative")


def _flat(program: str, data: Mapping[str, object], prompt: str, negative: str) -> Carried:
    """Of a program that writes names and values side by side."""
    found, rest = Carried(program), dict(data)
    _words(found, _text(rest.pop(prompt, "")), _text(rest.pop(negative, "")))
    found.take("seed", rest.pop("seed", None), "seed", SEED)
    found.take("steps", rest.pop("steps", None), "steps", STEPS)
    found.leave(rest)
    return found


def _words(found: Carried, prompt: str, negative: str) -> None:
    prompt, tagged = take_tags(prompt)
    found.settings["prompt"] = prompt
    if negative:
        found.settings["negative_prompt"] = negative
    if tagged:
        found.settings["styles"] = tagged


def _settle_styles(found: Carried, known: Known) -> None:
    """Styles that are not here, or of weights that are not allowed, are left out by name."""
    styles = found.settings.pop("styles", None)
    kept: list[object] = []
    for each in styles if isinstance(styles, list) else []:
        try:
            Draw.model_validate({"prompt": "x", "styles": [*kept, each]})
            good = known(str(each["name"]))
        except (ValidationError, KeyError, TypeError):
            good = False
        if good:
            kept.append(each)
        elif isinstance(each, Mapping):
            found.leave({f"LoRA {each.get('name')}": each.get("weight")})
    if kept:
        found.settings["styles"] = kept


def _object(text: str | None) -> dict[str, object]:
    """A JSON object; empty for anything else."""
    if not text or not text.lstrip().startswith("{"):
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""
