"""A fine-tuned U-Net as a checkpoint folder of the layout that it came from, which everything here opens.

In: the checkpoint that was trained on, its base U-Net with other weights. Out: a copy of the base stage's folder with
these weights in the precision of the old ones, manifest.json brought up to date, and finetuned.json, which says what
was done.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from diffusion.specs import MANIFEST, CheckpointSpec
from diffusion.weights import read_json, sha256_file, weight_files

FACTS = "finetuned.json"
WEIGHTS = "diffusion_pytorch_model.safetensors"
_NOT_COPIED = ("*.ckpt", "*.bin", "*.pt", "*.pth", ".git", ".cache")


def stored_dtype(folder: Path) -> torch.dtype:
    """The precision of a part's weights on disk."""
    with safe_open(weight_files(folder)[0], "pt") as file:
        return file.get_tensor(next(iter(file.keys()))).dtype


def check_out(spec: CheckpointSpec, out: Path) -> None:
    """Raise FileExistsError for a folder that holds something else than a fine-tuned checkpoint, ValueError for the
    checkpoint itself.
    """
    if out.resolve() == spec.stages["base"].root.resolve():
        raise ValueError(f"{out} is the checkpoint itself: name another --out, so that both can be compared")
    if out.exists() and (not out.is_dir() or any(out.iterdir())) and not (out / FACTS).is_file():
        raise FileExistsError(f"{out} holds something else than a fine-tuned checkpoint: name another --out")


def write_finetuned(spec: CheckpointSpec, unet: nn.Module, out: Path, facts: Mapping[str, object]) -> str:
    """Write the folder, whole or not at all; the SHA-256 of the U-Net's weights."""
    stage = spec.stages["base"]
    check_out(spec, out)
    work = out.with_name(f".{out.name}.writing")
    shutil.rmtree(work, ignore_errors=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(stage.root, work, ignore=shutil.ignore_patterns(*_NOT_COPIED, out.name, work.name))
    folder = work / stage.unet
    dtype = stored_dtype(stage.folder("unet"))
    for path in folder.glob("*.safetensors*"):
        path.unlink()
    save_file({name: value.detach().cpu().to(dtype).contiguous() for name, value in unet.state_dict().items()},
              folder / WEIGHTS, metadata={"format": "pt"})  # fmt: skip
    digest = sha256_file(folder / WEIGHTS)
    _renew_manifest(work, stage.unet)
    told = {**facts, "weights": f"sha256:{digest}"}
    (work / FACTS).write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", "utf-8")
    if out.exists():
        shutil.rmtree(out)
    work.rename(out)
    return digest


def _renew_manifest(folder: Path, unet: str) -> None:
    """Give the files of the U-Net's folder their sizes and sums, where there is a manifest."""
    path = folder / MANIFEST
    if not path.is_file():
        return
    manifest = read_json(path)
    files = manifest.get("files")
    assert isinstance(files, dict)  # `resolve` has checked it
    kept = {name: entry for name, entry in files.items() if (folder / name).is_file()}
    weights = folder / unet / WEIGHTS
    kept[f"{unet}/{WEIGHTS}"] = {"size": weights.stat().st_size, "sha256": sha256_file(weights)}
    manifest["files"] = dict(sorted(kept.items()))
    path.write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", "utf-8")
