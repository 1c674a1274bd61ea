"""Say what a checkpoint is and how it would be drawn with: python -m diffusion inspect model.safetensors

In: a folder, a .safetensors file, a hub id, or base+refiner. Out: lines on stdout. Of a file the header is read and its
text encoders, to name their fingerprints; nothing is written. `python -m diffusion unpack FILE FOLDER` writes the
folder that a file is drawn from, for those who train with its parts.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from diffusion.distilled import distilled_defaults
from diffusion.schedulers import default_scheduler
from diffusion.single_file import EMA, SUFFIX, SingleFile, read_single_file
from diffusion.specs import CheckpointSpec, StageDefaults, StageSpec, resolve, split, usual_defaults
from diffusion.vocabulary import VOCABULARY, find_vocabulary
from diffusion.weights import read_json, sha256_file, stored_shapes, text_fingerprint

Line = tuple[str, str]


def main(argv: Sequence[str]) -> int:
    """Inspect or unpack; return the exit status (1: what was named cannot be drawn with)."""
    parser = argparse.ArgumentParser("python -m diffusion", description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    inspect = commands.add_parser("inspect", help="say what a checkpoint is")
    inspect.add_argument("checkpoint", help="folder, .safetensors file, hub id, or base+refiner")
    unpack = commands.add_parser("unpack", help="write a single file as a folder in diffusers' layout")
    unpack.add_argument("file", type=Path)
    unpack.add_argument("folder", type=Path, help="that does not exist yet")
    options = parser.parse_args(list(argv))
    try:
        if options.command == "unpack":
            _unpack(options.file, options.folder)
        else:
            print("\n".join(described(options.checkpoint)))
    except (ValueError, OSError) as error:
        print(f"python -m diffusion {options.command}: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    return 0


def described(checkpoint: str) -> list[str]:
    """What each stage of a checkpoint is, line by line. Raises what opening it would."""
    found: list[str] = []
    whole: list[str | Path] = []
    for part in split(checkpoint):
        if isinstance(part, Path) and part.is_file() or str(part).endswith(SUFFIX):
            file = read_single_file(Path(part))
            found += [f"{file.path}: {file.family.name}, one file", *_aligned(_file_lines(file))]
        else:
            whole.append(part)
    for part in whole:
        found += _folder_lines(resolve(part, base_needed=False))
    return found


def _unpack(path: Path, folder: Path) -> None:
    from diffusion.unpack import add_vocabulary, unpack  # late: a refusal comes at once

    file = read_single_file(path)
    unpack(file, folder, sha256_file(path))
    vocabulary = add_vocabulary(file, folder)
    print(folder)
    if vocabulary is None:
        print(f"without a vocabulary: put {' and '.join(VOCABULARY)} of CLIP into its tokenizer folders for English "
              "prompts and for training; a Korean encoder draws without", file=sys.stderr)  # fmt: skip


def _file_lines(file: SingleFile) -> Iterable[Line]:
    from diffusion.single_file_configs import scheduler_config, unet_config
    from diffusion.unpack import tower_fingerprints

    unet, size = unet_config(file), file.path.stat().st_size
    scheduler = scheduler_config(file)
    yield "file", f"{size / 1e9:.2f} GB, {', '.join(file.dtypes)}, SHA-256 {sha256_file(file.path)}"
    average = ", their moving average (EMA)" if file.ema else ""
    if not file.ema and any(key.startswith(EMA) for key in file.shapes):
        average = ", as trained (the moving average in the file is incomplete)"
    yield "U-Net", f"{file.parameters:,} weights{average}; reads {unet['cross_attention_dim']} numbers a token"
    yield "prediction", f"{file.prediction} ({file.prediction_from})"
    yield "autoencoder", str(file.vae) if file.vae else "its own"
    for head, identity in tower_fingerprints(file).items():
        yield f"head {head}", identity
    vocabulary = find_vocabulary(file.path)
    needed = f"none; English prompts need {' and '.join(VOCABULARY)} in {file.path.parent / 'tokenizer'}/"
    yield "vocabulary", str(vocabulary[VOCABULARY[0]].parent) if vocabulary else needed
    if file.few:
        yield "distilled", f"{file.few.kind}, {file.few.steps} steps (by {file.few.told_by})"
    defaults = usual_defaults(file.family.role, file.family.role == "base" and file.family.is_xl)
    if few := distilled_defaults(scheduler, unet):
        defaults = replace(defaults, steps=file.few.steps if file.few else few[0], guidance_scale=few[1])
    yield from _drawn_with(file.family.role, scheduler, defaults, file.side)


def _folder_lines(spec: CheckpointSpec) -> list[str]:
    from diffusion.supported import check_unet

    found = []
    for role, stage in spec.stages.items():
        check_unet(stage)
        heads = [(f"head {head}", text_fingerprint(folder)) for head, folder in stage.text_folders.items()]
        scheduler = read_json(stage.folder("scheduler") / "scheduler_config.json")
        lines = [*_stage_lines(stage), *heads, *_drawn_with(role, scheduler, stage.defaults, _side(stage))]
        found += [f"{stage.root}: {role}", *_aligned(lines)]
    return found


def _stage_lines(stage: StageSpec) -> Iterable[Line]:
    config = read_json(stage.folder("unet") / "config.json")
    weights = sum(math.prod(shape) for shape in stored_shapes(stage.folder("unet")).values())
    yield "U-Net", f"{weights:,} weights; reads {config.get('cross_attention_dim')} numbers a token"
    scheduler = read_json(stage.folder("scheduler") / "scheduler_config.json")
    yield "prediction", str(scheduler.get("prediction_type", "epsilon"))
    if config.get("time_cond_proj_dim") is not None:
        yield "distilled", "LCM, told its guidance scale"


def _drawn_with(role: str, scheduler: Mapping[str, object], defaults: StageDefaults, side: int) -> Iterable[Line]:
    often = f"{defaults.steps} steps" if defaults.steps else f"strength {defaults.strength}"
    name = default_scheduler(scheduler)
    yield "drawn as", f"{role}, {side} px, {often}, guidance {defaults.guidance_scale}, scheduler {name}"


def _side(stage: StageSpec) -> int:
    unet, vae = (read_json(stage.folder(part) / "config.json") for part in ("unet", "vae"))
    widths = vae.get("block_out_channels") or vae.get("encoder_block_out_channels") or []
    assert isinstance(widths, list)
    return stage.size or int(str(unet.get("sample_size", 0))) * 2 ** (len(widths) - 1)


def _aligned(lines: Iterable[Line]) -> list[str]:
    return [f"  {name:<15} {what}" for name, what in lines]
