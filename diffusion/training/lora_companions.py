"""Which styles of a folder learnt beside another, and how they go on naming it once its file is another.

In: a folder of styles whose headers name, by SHA-256, what they were trained beside (`lora --beside`). Out: the same
files, whose headers name the new one. A pipeline adds a style and its companion up only where these names hold.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from diffusion.lora_card import KEY
from diffusion.lora_files import check_header, find_styles, read_tensors
from diffusion.training.lora_adapters import as_json, write_file


def companions_of(folder: Path, sha256: str) -> list[tuple[Path, str]]:
    """Files and names of the styles that name this one in their header."""
    styles = find_styles(folder).items()
    return [(path, name) for name, path in styles if sha256 in _beside(check_header(path, name)).values()]


def name_anew(companions: list[tuple[Path, str]], before: str, after: str) -> list[Path]:
    """Let companions name `after` where they named `before`; gives their files."""
    for path, name in companions:
        tensors, header = read_tensors(path, name)
        beside = {each: after if sha256 == before else sha256 for each, sha256 in _beside(header).items()}
        write_file(path, tensors, {**header, KEY: as_json({**own_facts(header), "beside": beside})})
    return [path for path, _ in companions]


def own_facts(header: Mapping[str, str]) -> dict[str, Any]:
    """What our training wrote into a header; {} where another program did."""
    found: dict[str, Any] = json.loads(header.get(KEY, "{}"))
    return found


def _beside(header: Mapping[str, str]) -> dict[str, str]:
    """Name → SHA-256 of the styles that a style was trained beside."""
    found: dict[str, str] = own_facts(header).get("beside", {})
    return found
