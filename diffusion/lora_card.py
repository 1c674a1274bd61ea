"""What a style says of itself in its file's header: trigger, example, base, rank, licence.

In: the metadata of a safetensors file, in the words of the modelspec standard, of kohya's trainer, or of ours (JSON
under "geuryeojwo"). Out: a frozen `StyleCard`. Ref: github.com/Stability-AI/ModelSpec.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from diffusion.lora_base import named_base

KEY = "geuryeojwo"


@dataclass(frozen=True)
class StyleCard:
    """`trigger`: the word that calls the style; `example`: a prompt that shows it; `base`: what it was trained on, ""
    where the file says nothing; `offered`: its training found it better than none, or did not measure it; `beside`: the
    SHA-256 of styles that it was trained to be drawn with, by adding up.
    """

    name: str
    sha256: str
    trigger: str = ""
    example: str = ""
    base: str = ""
    rank: int | None = None
    license: str = ""
    offered: bool = True
    beside: frozenset[str] = frozenset()


def read_card(name: str, header: Mapping[str, str], sha256: str) -> StyleCard:
    """The card of a style. What cannot be read in a header is left out: it changes no picture."""
    ours = _json(header.get(KEY, "{}"))
    trigger = str(ours.get("trigger") or header.get("modelspec.trigger_phrase") or "")
    beside = ours.get("beside")
    rank = str(ours.get("rank") or header.get("ss_network_dim") or "")
    return StyleCard(
        name,
        sha256,
        trigger=trigger,
        example=str(ours.get("example") or trigger),
        base=named_base({**header, **ours}),
        rank=int(rank) if rank.isascii() and rank.isdigit() else None,
        license=str(ours.get("license") or header.get("modelspec.license") or ""),
        offered=ours.get("offered") is not False,
        beside=frozenset(map(str, beside.values())) if isinstance(beside, dict) else frozenset(),
    )


def _json(text: str) -> dict[str, object]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
