"""Open a checkpoint: find its folders, check them, load each part once, and compose the pipeline.

In: what names a checkpoint (see diffusion/specs.py) and, if not its own, a text encoder. Out: a
`EditingPipeline`. Every way in is local safetensors: a hub id is downloaded to a folder first, without
pickle and without code.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

from diffusion.allocator import give_back_freed_memory, keep_freed_memory
from diffusion.editing.pipeline import EditingPipeline
from diffusion.encoder import ClipTextEncoder, TextEncoder, check_teachers
from diffusion.engines import ENGINES
from diffusion.lora import LoraShelf
from diffusion.memory import save_memory, use_attention
from diffusion.openvino_engine import use_engine
from diffusion.openvino_graphs import build, convert_in_process, default_cache
from diffusion.parts import (
    Autoencoder,
    check_tokenizer,
    in_format,
    open_text_tower,
    open_tokenizer,
    open_unet,
    open_vae,
    scheduler_config,
)
from diffusion.precision import choose_device, choose_dtype, dtype_name
from diffusion.quantized import BITS_BY_TORCH, Packing, check_bits
from diffusion.specs import CheckpointSpec, StageDefaults, StageSpec, resolve
from diffusion.stage import Stage
from diffusion.supported import check_unet
from diffusion.weights import fingerprint, read_json, text_fingerprint
from jobspec.prompts import PromptReader

logger = logging.getLogger(__name__)
STYLES = "styles"
REPORTED = {"steps", "guidance_scale", "strength"}  # of a stage's defaults, what a recipe writes out
T = TypeVar("T")


def load_pipeline(
    checkpoint: str | Path,
    text_encoder: TextEncoder | None = None,
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
    *,
    reader: PromptReader | None = None,
    styles: str | Path | None = None,
    low_memory: bool = False,
    weight_bits: int | None = None,
    attention: str = "sdpa",
    engine: str = "torch",
    engine_cache: Path | None = None,
    download: Callable[[str], Path] | None = None,
) -> EditingPipeline:
    """Open a checkpoint for drawing.

    `reader` reads the prompts of a checkpoint whose manifest names a domain; one without gets them as typed. One with
    a domain has learnt squares of it and draws no other shape.
    `styles`: a folder of LoRA files (default: the checkpoint's own styles/). `low_memory`: for large checkpoints on a
    small device. `weight_bits`: 8 or 4, how the weights of U-Nets and of the checkpoint's own text encoders are kept
    (diffusion/quantized.py). `attention`: "sdpa" or "xformers". `engine`: "torch"; "openvino" (on a CPU: graphs are
    converted and compiled before this returns, and kept in `engine_cache`); "auto" (torch draws at once, OpenVINO as
    soon as its graphs are ready and only where it is measured faster). `download`: hub id → folder.
    Raises ValueError (an engine, attention or weight_bits that cannot be had), FileNotFoundError (absent), WeightsError
    (damaged, misshapen, of a kind that cannot be drawn with), EncoderMismatch (another teacher's encoder).
    """
    if engine not in ENGINES:
        raise ValueError(f"engine is {engine!r}: choose one of {', '.join(ENGINES)}")
    device = choose_device(device)
    if weight_bits is not None:
        check_bits(weight_bits, device)
        if engine == "openvino":
            raise ValueError(BITS_BY_TORCH.format(weight_bits))
    spec = resolve(checkpoint, download)
    for stage in spec.stages.values():
        check_unet(stage)
    teachers = _text_fingerprints(spec)
    if text_encoder is not None:
        check_teachers(
            text_encoder, teachers, lambda head: text_fingerprint(_text_folders(spec)[head], half=True),
            lambda head: _width(spec, head),
        )  # fmt: skip
    memo, dtype = _Once(), choose_dtype(dtype, device)
    where = torch.device("cpu") if low_memory else device  # group offload fetches what it needs
    packing = Packing(weight_bits, device, where)
    opened = {role: _open_stage(stage, dtype, packing, memo, bool(spec.domain)) for role, stage in spec.stages.items()}
    encoder = text_encoder or _own_encoder(spec, teachers, dtype, packing, memo)
    if weight_bits is not None:
        give_back_freed_memory()
    if device.type == "cpu" and not low_memory:
        keep_freed_memory()
    for each in opened.values():
        each.device = device
        use_attention(each.unet, attention, device)
        if low_memory:
            save_memory(each, device)
    shelf = LoraShelf(Path(styles) if styles else spec.stages["base"].root / STYLES)
    logger.info("opened %s: %s, %s on %s", spec.name, " + ".join(opened), dtype_name(dtype), device)
    own_reader = reader if spec.domain else None
    weights = {role: _fingerprint(spec, stage, "unet") for role, stage in spec.stages.items()}
    pipeline = EditingPipeline(opened, encoder, _checkpoint_id(spec, weights), shelf, own_reader, spec.domain)
    pipeline.weights = weights

    def convert(folder: Path) -> None:
        if engine == "auto":
            convert_in_process(str(checkpoint), folder)
        else:
            plain = dtype is torch.float32
            build(pipeline if plain else load_pipeline(checkpoint, device="cpu", dtype="float32"), folder)

    use_engine(pipeline, engine, engine_cache or default_cache(), convert)
    return pipeline


def text_fingerprints(checkpoint: str | Path, download: Callable[[str], Path] | None = None) -> dict[str, str]:
    """Head → fingerprint of the text encoder that a student must reproduce to draw with this checkpoint."""
    return _text_fingerprints(resolve(checkpoint, download))


def _text_fingerprints(spec: CheckpointSpec) -> dict[str, str]:
    folders = _text_folders(spec)
    found = {folder: text_fingerprint(folder) for folder in set(folders.values())}
    return {head: found[folder] for head, folder in folders.items()}


def _text_folders(spec: CheckpointSpec) -> dict[str, Path]:
    return {head: folder for stage in spec.stages.values() for head, folder in stage.text_folders.items()}


def _width(spec: CheckpointSpec, head: str) -> int:
    """Numbers a token that a stage's cross-attention reads."""
    stage = spec.stages["refiner" if head == "refiner" else "base"]
    width = read_json(stage.folder("unet") / "config.json").get("cross_attention_dim")
    return width if isinstance(width, int) else 0  # a list a block, as no U-Net of these families has it


class _Once:
    """Opens each folder once: parts that two stages share are one object in memory."""

    def __init__(self) -> None:
        self._opened: dict[tuple[str, Path], object] = {}

    def __call__(self, kind: str, folder: Path, opening: Callable[[], T]) -> T:
        key = (kind, folder.resolve())
        if key not in self._opened:
            self._opened[key] = opening()
        return self._opened[key]  # type: ignore[return-value]


def _open_stage(
    spec: StageSpec, dtype: torch.dtype, packing: Packing, memo: _Once, squares_only: bool = False
) -> Stage:
    unet = memo("unet", spec.folder("unet"), lambda: _open_unet(spec.folder("unet"), dtype, packing))
    vae = memo("vae", spec.folder("vae"), lambda: _open_vae(spec.folder("vae"), dtype, packing.where))
    scheduler = scheduler_config(spec.folder("scheduler"))
    return Stage(spec.role, unet, vae, scheduler, spec.defaults, spec.size, spec.zeros_for_empty, squares_only)


def _open_unet(folder: Path, dtype: torch.dtype, packing: Packing) -> UNet2DConditionModel:
    """channels_last suits a GPU's convolutions; small U-Nets on a CPU are faster without (8 pictures: 1.3×)."""
    unet = open_unet(folder, dtype, packing.reading)
    return packing.packed(in_format(unet, torch.channels_last) if packing.where.type == "cuda" else unet)


def _open_vae(folder: Path, dtype: torch.dtype, device: torch.device) -> Autoencoder:
    """SDXL's autoencoder overflows in float16 and says so (force_upcast); channels_last halves a CPU's
    decoding.
    """
    vae = open_vae(folder, dtype, device)
    if dtype is torch.float16 and vae.config.get("force_upcast"):
        vae = open_vae(folder, torch.float32, device)
    return in_format(vae, torch.channels_last)


def _own_encoder(
    spec: CheckpointSpec, teachers: dict[str, str], dtype: torch.dtype, packing: Packing, memo: _Once
) -> ClipTextEncoder:
    """CLIP's towers, in float32 on a CPU: they run once a draw, and a picture must not depend on its batch."""
    precise = torch.float32 if packing.where.type == "cpu" else dtype

    def tower(role: str, projected: bool, number: str = "") -> tuple[object, object]:
        stage = spec.stages[role]
        text, words = stage.folder(f"text_encoder{number}"), stage.folder(f"tokenizer{number}")
        tokenizer = memo("tokenizer", words, lambda: open_tokenizer(words))
        check_tokenizer(tokenizer, words, text)

        def opening() -> object:
            return packing.packed(open_text_tower(text, projected, precise, packing.reading))

        return tokenizer, memo(f"text {projected}", text, opening)

    base_2 = tower("base", True, "_2") if spec.stages["base"].text_encoder_2 else None
    shared = base_2 is not None and teachers["base_2"] == teachers.get("refiner")  # SDXL's own refiner
    refiner = base_2 if shared else tower("refiner", True) if "refiner" in spec.stages else None
    base = tower("base", False)
    if refiner and spec.stages["base"].folder("text_encoder") == spec.stages["refiner"].folder("text_encoder"):
        base = refiner  # the same tower, with a projection that the base does not read
    return ClipTextEncoder(base, refiner, teachers, base_2)  # type: ignore[arg-type]


def _fingerprint(spec: CheckpointSpec, stage: StageSpec, part: str) -> str:
    return fingerprint(stage.folder(part), spec.manifest_files)


def _checkpoint_id(spec: CheckpointSpec, unets: Mapping[str, str] | None = None) -> str:
    """ "sha256:<hex>" over the weights and settings that a picture depends on, wherever the folder lies; `unets`:
    fingerprints that are known already, by stage.
    """
    known = unets or {}
    digest = hashlib.sha256()
    for role, stage in sorted(spec.stages.items()):
        second = ("text_encoder_2",) if stage.text_encoder_2 else ()
        for part in ("unet", "vae", "text_encoder", "scheduler", *second):
            folder = stage.folder(part)
            config = folder / ("scheduler_config.json" if part == "scheduler" else "config.json")
            digest.update(f"{role}/{part}".encode() + config.read_bytes())
            if part != "scheduler":
                found = known.get(role) if part == "unet" else None
                digest.update((found or _fingerprint(spec, stage, part)).encode())
        digest.update(json.dumps(_unreported(stage.defaults), sort_keys=True).encode())
    return f"sha256:{digest.hexdigest()}"


def _unreported(defaults: StageDefaults) -> dict[str, object]:
    """What a stage does by default and no recipe tells; where another strength changes the colour fix, its own too, and
    guidance that was distilled where it was: checkpoints without keep the id that they had before there was any.
    """
    reported = REPORTED - {"strength"} if defaults.color_fix else REPORTED
    reported = reported if defaults.distilled_guidance != 1.0 else reported | {"distilled_guidance"}
    reported = reported if defaults.unite_styles else reported | {"unite_styles"}
    return {name: value for name, value in asdict(defaults).items() if name not in reported}
