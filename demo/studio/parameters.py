"""The text `parameters` by which A1111 and the image browsers around it know how a picture was drawn: written and read.

In: a recipe and the picture's size. Out: prompt, `Negative prompt: …`, and a last line of `Name: value` pairs; a value
with a comma, a colon or a line break is quoted as JSON. LoRA styles are `<lora:NAME:WEIGHT>` in the prompt.
Ref: the text that stable-diffusion-webui 1.10 writes into its files.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

PROGRAM = "geuryeojwo"
NEGATIVE = "Negative prompt:"
SAMPLERS = {"dpm++": "DPM++ 2M", "unipc": "UniPC", "euler": "Euler"}
FEWEST = 3  # pairs that make a line the last one
_PAIR = re.compile(r'\s*([A-Za-z][\w /-]*?)\s*:\s*("(?:[^"\\]|\\.)*"|[^,]*)\s*(?:,|$)')


def write(recipe: Mapping[str, object], width: int, height: int) -> str:
    """The text of one of our pictures."""
    settings = recipe.get("settings")
    settings = settings if isinstance(settings, Mapping) else {}
    asked = recipe.get("asked")
    prompt = str((asked if isinstance(asked, Mapping) else recipe).get("prompt", ""))
    lines = [" ".join([prompt, *_tags(settings)])]
    if negative := str(recipe.get("negative_prompt") or ""):
        lines.append(f"{NEGATIVE} {negative}")
    pairs = _pairs(recipe, settings, f"{width}x{height}")
    return "\n".join([*lines, ", ".join(f"{name}: {_quoted(value)}" for name, value in pairs if value is not None)])


def read(text: str) -> tuple[str, str, dict[str, str]]:
    """Prompt, negative prompt and the pairs of the last line; all of the text is a prompt where there are none."""
    lines = text.strip().splitlines()
    pairs = dict(_unquoted(lines[-1])) if lines else {}
    if len(pairs) < FEWEST:
        pairs = {}
    else:
        lines = lines[:-1]
    start = next((place for place, line in enumerate(lines) if line.strip().startswith(NEGATIVE)), len(lines))
    negative = "\n".join(lines[start:]).strip().removeprefix(NEGATIVE)
    return "\n".join(lines[:start]).strip(), negative.strip(), pairs


def _pairs(recipe: Mapping[str, object], settings: Mapping[str, object], size: str) -> list[tuple[str, object]]:
    made = recipe.get("made_with")
    checkpoint = str(made.get("checkpoint", "")) if isinstance(made, Mapping) else ""
    scheduler = settings.get("scheduler")
    strength = settings.get("strength") if recipe.get("source_sha256") else None
    return [
        ("Steps", settings.get("steps")), ("Sampler", SAMPLERS.get(str(scheduler), scheduler)),
        ("CFG scale", settings.get("guidance_scale")), ("Seed", recipe.get("seed")), ("Size", size),
        ("Model hash", checkpoint.rpartition(":")[2][:10] or None), ("Model", PROGRAM),
        ("Denoising strength", strength), ("Version", PROGRAM),
    ]  # fmt: skip


def _tags(settings: Mapping[str, object]) -> Iterator[str]:
    if settings.get("style"):
        yield f"<lora:{settings['style']}:{settings.get('style_weight', 1.0)}>"
    styles = settings.get("styles")
    for each in styles if isinstance(styles, list) else []:
        if isinstance(each, Mapping):
            yield f"<lora:{each.get('name')}:{each.get('weight', 1.0)}>"


def _quoted(value: object) -> str:
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if re.search("[,:\n]", text) else text


def _unquoted(line: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(line) and (found := _PAIR.match(line, at)) is not None and found.end() > at:
        name, value = found[1], found[2].strip()
        if value.startswith('"'):
            try:
                value = str(json.loads(value))
            except ValueError:
                value = value.strip('"')
        yield name, value
        at = found.end()
