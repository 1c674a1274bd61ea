"""A checkpoint in one file, as the folder that the rest of the project opens: converted by diffusers, once.

In: a `SingleFile`. Out: a folder in diffusers' layout, under a cache by the file's SHA-256 or where a person wants it.
Every weight of the networks must be one that the conversion knows, so that none is dropped in silence. CLIP's
vocabulary is no weight, and no single file holds it: it is copied from a folder `tokenizer` beside the file or from the
hub's cache; a Korean encoder needs none.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import torch
from diffusers.loaders.single_file_utils import (
    convert_ldm_clip_checkpoint,
    convert_ldm_unet_checkpoint,
    convert_ldm_vae_checkpoint,
    convert_open_clip_checkpoint,
)
from safetensors import safe_open
from safetensors.torch import save_file

from diffusion.parts import vae_name
from diffusion.single_file import END, UNET, VAE, SingleFile, Tower, ema_name, read_header, read_single_file
from diffusion.single_file_configs import Config, scheduler_config, text_config, unet_config, vae_config
from diffusion.unpack_cache import KEPT_BYTES, UNPACKING, hold, lock_of, sweep
from diffusion.vocabulary import SOURCE, VOCABULARY, find_vocabulary
from diffusion.weights import WeightsError, sha256_file, tensors_fingerprint

logger = logging.getLogger(__name__)
Tensors = dict[str, torch.Tensor]


def default_cache() -> Path:
    """Where unpacked checkpoints are kept: below XDG_CACHE_HOME, else ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "geuryeojwo" / "checkpoints"


def unpacked(path: Path, cache: Path | None = None, limit: int = KEPT_BYTES) -> Path:
    """The folder of a checkpoint in one file, converted if that was not done before. Raises what reading it raises.

    `limit`: bytes of the cache, beyond which the folders that were used longest ago and are not in use are removed.
    """
    file = read_single_file(path)
    cache = cache or default_cache()
    beside = sha256_file(file.vae)[:8] if file.vae else "own"
    told = f"{file.few.kind}{file.few.steps}" if file.few else file.prediction[0]
    sha256 = sha256_file(path)
    folder = cache / f"{sha256[:24]}-{beside}-{told}-{file.side}"
    cache.mkdir(parents=True, exist_ok=True)
    with lock_of(folder):
        if not folder.is_dir():
            logger.info("unpacking %s (%s) into %s", path, file.family.name, folder)
            unpack(file, folder, sha256)
        add_vocabulary(file, folder)
        hold(folder)
    sweep(cache, limit)
    return folder


def unpack(file: SingleFile, folder: Path, sha256: str = "") -> None:
    """Write a file's parts into `folder`, which is whole or not there. Raises FileExistsError, WeightsError."""
    if folder.exists():
        raise FileExistsError(f"{folder} exists: name a folder that does not")
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=UNPACKING, dir=folder.parent))
    try:
        _write_part(beside / "unet", unet_config(file), unet_tensors(file))
        _write_part(beside / "vae", *vae_parts(file))
        for tower in file.family.towers:
            tensors = tower_tensors(file, tower)
            _write_part(beside / tower.part, text_config(tower, _shapes(tensors)), tensors, "model")
            _write_json(beside / tower.tokenizer / "tokenizer_config.json", _tokenizer_config(tower))
        _write_json(beside / "scheduler/scheduler_config.json", scheduler_config(file))
        few = {"steps": file.few.steps} if file.few else {}
        _write_json(beside / SOURCE, {"file": str(file.path.resolve()), "sha256": sha256, **few})
        _write_json(beside / "model_index.json", _index(file))
        beside.chmod(0o755)  # mkdtemp's is for its owner alone
        beside.rename(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def unet_tensors(file: SingleFile) -> Tensors:
    """The U-Net's weights by diffusers' names: the moving average's where the file holds it whole."""
    read = {key: ema_name(key) if file.ema else key for key in file.shapes if key.startswith(UNET)}
    stored = _read(file.path, read)
    config = unet_config(file)
    found = convert_ldm_unet_checkpoint(dict(stored), config)
    _all_used(file.path, stored, found)
    return found


def vae_parts(file: SingleFile) -> tuple[Config, Tensors]:
    """The autoencoder's settings and weights, from a file beside the checkpoint where there is one."""
    path = file.vae or file.path
    shapes = file.shapes if file.vae is None else read_header(file.vae)[0]
    prefix = VAE if any(key.startswith(VAE) for key in shapes) else ""
    stored = _read(path, {key.removeprefix(prefix): key for key in shapes if key.startswith(prefix)})
    stored = {key: value for key, value in stored.items() if not key.startswith(("loss.", "model_ema."))}
    if any(key.startswith("encoder.down_blocks.") for key in stored):  # diffusers' names already, as some are shared
        raise WeightsError(f"{path} is in diffusers' layout: put it into the folder vae of an unpacked checkpoint "
                           "(python -m diffusion unpack FILE FOLDER)")  # fmt: skip
    config = vae_config(file, _shapes(stored))
    found = convert_ldm_vae_checkpoint({VAE + key: value for key, value in stored.items()}, config)
    if len(found) != len(stored):
        raise WeightsError(f"{path}: {len(stored) - len(found)} of the autoencoder's weights are not known")
    return config, {vae_name(key): value.contiguous() for key, value in found.items()}


def tower_tensors(file: SingleFile, tower: Tower) -> Tensors:
    """A text encoder's weights by transformers' names, without what is not read."""
    keys = [key for key in file.shapes if key.startswith(tower.prefix)]
    if not tower.open:
        beside = ("position_ids", "text_projection.weight")
        renamed = {_with_model(key, tower.prefix): key for key in keys if not key.endswith(beside)}
        return convert_ldm_clip_checkpoint(_read(file.path, renamed))
    blocks = f"{tower.prefix}transformer.resblocks."
    last = max((int(key.removeprefix(blocks).split(".")[0]) for key in keys if key.startswith(blocks)), default=0)
    dropped = (f"{blocks}{last}.", f"{tower.prefix}text_projection") if tower.cut else ()
    stored = _read(file.path, {key: key for key in keys if not key.startswith(dropped)})
    width = file.shapes[f"{tower.prefix}positional_embedding"][1]
    model = SimpleNamespace(config=SimpleNamespace(hidden_size=width))  # all that the conversion asks of it
    found = convert_open_clip_checkpoint(model, stored, tower.prefix)
    return {key: value.contiguous() for key, value in found.items()}


def tower_fingerprints(file: SingleFile) -> dict[str, str]:
    """Head → fingerprint of its text encoder, as diffusion.weights.text_fingerprint gives it of the folder."""
    return {head: tensors_fingerprint(tower_tensors(file, tower)) for head, tower in file.family.heads.items()}


def add_vocabulary(file: SingleFile, folder: Path) -> Path | None:
    """Copy CLIP's vocabulary into an unpacked folder that lacks it; returns where it is from, None for nowhere."""
    missing = [tower for tower in file.family.towers if not (folder / tower.tokenizer / VOCABULARY[0]).is_file()]
    found = find_vocabulary(file.path)
    for tower in missing if found else ():
        for name in reversed(VOCABULARY):  # vocab.json last: it says that both are there
            shutil.copyfile(found[name], folder / tower.tokenizer / name)
    return found[VOCABULARY[0]].parent if found else None


def _with_model(key: str, prefix: str) -> str:
    """Some merges leave text_model out of a CLIP's names."""
    rest = key.removeprefix(prefix)
    return key if rest.startswith("text_model.") else f"{prefix}text_model.{rest}"


def _tokenizer_config(tower: Tower) -> Config:
    special = {"bos_token": "<|startoftext|>", "eos_token": END, "unk_token": END, "pad_token": tower.pad}
    return {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, **special}


def _index(file: SingleFile) -> Config:
    towers = {tower.part: "CLIPTextModelWithProjection" if tower.part.endswith("_2") else "CLIPTextModel"
              for tower in file.family.towers}  # fmt: skip
    tokenizers = {tower.tokenizer: "CLIPTokenizer" for tower in file.family.towers}
    parts = {"unet": "UNet2DConditionModel", "vae": "AutoencoderKL",
             "scheduler": str(scheduler_config(file)["_class_name"])}  # fmt: skip
    return {"_class_name": file.family.pipeline} | {
        name: ["transformers", kind] for name, kind in (towers | tokenizers).items()
    } | {name: ["diffusers", kind] for name, kind in parts.items()} | (
        {"force_zeros_for_empty_prompt": file.family.role == "base"} if file.family.is_xl else {}
    )  # fmt: skip


def _read(path: Path, names: Mapping[str, str]) -> Tensors:
    """Tensors of a file by other names (wanted → stored)."""
    with safe_open(path, "pt") as file:
        return {wanted: file.get_tensor(stored) for wanted, stored in names.items()}


def _all_used(path: Path, stored: Tensors, found: Tensors) -> None:
    used = {id(value) for value in found.values()}
    if left := sorted(key for key, value in stored.items() if id(value) not in used):
        more = f" and {len(left) - 3} more" if len(left) > 3 else ""
        raise WeightsError(f"{path} has weights that no U-Net of its family has ({', '.join(left[:3])}{more}): "
                           "use the text-to-image checkpoint that it was made from")  # fmt: skip


def _write_part(folder: Path, config: Config, tensors: Tensors, stem: str = "diffusion_pytorch_model") -> None:
    _write_json(folder / "config.json", config)
    save_file(tensors, folder / f"{stem}.safetensors", metadata={"format": "pt"})


def _write_json(path: Path, value: Mapping[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1), "utf-8")


def _shapes(tensors: Tensors) -> dict[str, tuple[int, ...]]:
    return {key: tuple(value.shape) for key, value in tensors.items()}
