"""Write `checkpoints/manifest.json`: which parts make up each stage, and the SHA-256 of every file.

In: a checkpoints folder with trained parts. Out: the manifest that `diffusion.load` checks before it opens anything.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import cast

from diffusion.load import STYLES
from diffusion.weights import read_json
from training.command import run_command
from training.parts import FACTS_FILE

LARGEST_FOLDER = 48_000_000  # bytes, so that a clone stays quick; styles are not counted
DOMAIN = "fashion"  # what it draws, and so whose reader its prompts go through
_TEXT = {"text_encoder": "clip", "tokenizer": "clip"}
# Chosen by the tables of benchmarks.checkpoint: steps against accuracy, what the refiner keeps against how sharp it is.
GUIDANCE = 3.0
DEFAULTS: dict[str, dict[str, float]] = {
    "base": {"steps": 8, "guidance_scale": GUIDANCE, "unite_styles": True},  # summed, two styles show neither
    "refiner": {"steps": 1, "guidance_scale": 1.0, "strength": 0.07, "color_fix": 1.25},
}
DISTILLED: dict[str, float] = {"steps": 6, "distilled_guidance": GUIDANCE}  # of the base, in place of DEFAULTS


def manifest(folder: Path) -> dict[str, object]:
    """The manifest of what lies in `folder`: stages whose U-Net is there, every file but READMEs and styles, which
    people add and remove.

    A refiner without an autoencoder of its own shares the base's. Raises FileNotFoundError where the base stage lacks a
    part, ValueError where the folder is too large.
    """
    for part in ("base", "vae", "clip"):
        if not (folder / part / "config.json").exists():
            raise FileNotFoundError(f"{folder / part} has no config.json: train it first (make train-embedded)")
    files: dict[str, dict[str, int | str]] = {}
    total = 0
    for path in sorted(folder.rglob("*")):
        if STYLES in path.relative_to(folder).parts[:1]:
            continue
        if path.is_file() and path.suffix in (".json", ".safetensors") and path != folder / "manifest.json":
            content = path.read_bytes()
            total += len(content)
            files[path.relative_to(folder).as_posix()] = {
                "size": len(content),
                "sha256": hashlib.sha256(content).hexdigest(),
            }
    if total > LARGEST_FOLDER:
        raise ValueError(f"{folder} holds {total} bytes: at most {LARGEST_FOLDER} may ship")
    roles = [role for role in DEFAULTS if (folder / role / "config.json").exists()]
    stages = {role: _stage(folder, role) for role in roles}
    return {"format": 1, "domain": DOMAIN, "files": files, "stages": stages}


def _stage(folder: Path, role: str) -> dict[str, object]:
    vae = "refiner_vae" if role == "refiner" and (folder / "refiner_vae" / "config.json").exists() else "vae"
    levels = cast("list[int]", read_json(folder / vae / "config.json")["decoder_block_out_channels"])
    cells = cast("int", read_json(folder / role / "config.json")["sample_size"])
    size = cells * 2 ** (len(levels) - 1)
    defaults = DEFAULTS[role] | (DISTILLED if role == "base" and is_distilled(folder) else {})
    return {"unet": role, "vae": vae, **_TEXT, "scheduler": f"{role}/scheduler", "size": size,
            "defaults": defaults}  # fmt: skip


def is_distilled(folder: Path) -> bool:
    """Whether the base of a checkpoint folder has its guidance distilled (`diffusion.training.guidance`)."""
    facts = folder / "base" / FACTS_FILE
    return facts.exists() and "guidance" in read_json(facts)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m diffusion.training.manifest", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("checkpoints"))
    folder = parser.parse_args(argv).folder
    text = json.dumps(manifest(folder), indent=1, ensure_ascii=False) + "\n"
    (folder / "manifest.json").write_text(text, encoding="utf-8")
    print(f"{folder / 'manifest.json'} written")


if __name__ == "__main__":
    sys.exit(run_command(main))
