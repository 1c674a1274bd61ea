"""What one .safetensors file of a whole checkpoint is, told from its header alone: no weight is read.

In: a file in the layout that Stable Diffusion 1.x, 2.x, SDXL and its refiner were released in, as it is shared today
(pruned or not, any number format, with EMA weights or without). Out: a `SingleFile`: family, prediction, size, where
its autoencoder comes from. What no key says (the prediction, few steps) is read, in this order, from keys that
fine-tunes add, the header's metadata (modelspec.*), a NAME.yaml beside the file, and the file's name.
Ref: https://github.com/Stability-AI/ModelSpec (metadata). Imports no torch.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml
from safetensors import SafetensorError, safe_open

from diffusion.distilled import FewSteps, few_steps_by_name
from diffusion.weights import Shapes, WeightsError

UNET, EMA, VAE = "model.diffusion_model.", "model_ema.", "first_stage_model."
SUFFIX = ".safetensors"
PICKLES = (".ckpt", ".pt", ".pth", ".bin")
END = "<|endoftext|>"


@dataclass(frozen=True)
class Tower:
    """A text encoder in the file: `part` is its folder's name. `open`: stored as OpenCLIP stores it. `cut`: its last
    layer is not used. `pad`: what fills the 77 slots.
    """

    part: str
    prefix: str
    open: bool
    pad: str
    cut: bool = False

    @property
    def tokenizer(self) -> str:
        return self.part.replace("text_encoder", "tokenizer")


@dataclass(frozen=True)
class CheckpointFamily:
    """What holds for every checkpoint of a family. `side`: pixels, where the file does not say."""

    name: str
    role: str
    pipeline: str
    towers: tuple[Tower, ...]
    side: int = 512
    prediction: str = "epsilon"
    scaling_factor: float = 0.18215

    @property
    def heads(self) -> dict[str, Tower]:
        """Head of a student → the text encoder that it must reproduce."""
        if len(self.towers) == 2:
            return {"base_1": self.towers[0], "base_2": self.towers[1]}
        return {self.role: self.towers[0]}

    @property
    def is_xl(self) -> bool:
        return self.towers[-1].part == "text_encoder_2"


_XL = {"side": 1024, "scaling_factor": 0.13025}
FAMILIES = (
    CheckpointFamily("Stable Diffusion 1", "base", "StableDiffusionPipeline",
           (Tower("text_encoder", "cond_stage_model.transformer.", False, END),)),
    CheckpointFamily("Stable Diffusion 2", "base", "StableDiffusionPipeline",
           (Tower("text_encoder", "cond_stage_model.model.", True, "!", cut=True),), 768, "v_prediction"),
    CheckpointFamily("SDXL", "base", "StableDiffusionXLPipeline",
           (Tower("text_encoder", "conditioner.embedders.0.transformer.", False, END),
            Tower("text_encoder_2", "conditioner.embedders.1.model.", True, "!")), **_XL),  # type: ignore[arg-type]
    CheckpointFamily("the SDXL refiner", "refiner", "StableDiffusionXLImg2ImgPipeline",
           (Tower("text_encoder_2", "conditioner.embedders.0.model.", True, "!"),), **_XL),  # type: ignore[arg-type]
)  # fmt: skip

# Files that are something else, by a part of some key, and what to do with them.
OTHERS = (
    (("joint_blocks.", "double_blocks.", "single_stream_modulation", "cap_embedder.", "net.blocks.", "txtfusion."),
     "a transformer (Stable Diffusion 3, Flux or a later one)"),
    (("edm_mean",), "Playground 2.5, whose noise levels are its own"),
    (("lora_unet_", "lora_te", ".lora_A.", ".lora_B.", ".lora.down.", ".lora_down.", "hada_w1_a", "lokr_w1"),
     "a LoRA: python -m demo styles add FILE"),
    (("control_model.", "controlnet_cond_embedding.", "input_hint_block."), "a ControlNet"),
    (("emb_params", "clip_l", "string_to_param"), "a textual inversion"),
    (("down_blocks.", "mid_block.attentions."),
     "one part in diffusers' layout, without the rest: put it into its folder (unet/ or vae/) of a whole checkpoint"),
    ((UNET,), "a U-Net without text encoders: a whole checkpoint is needed"),
    (("encoder.down.", "decoder.up."), "an autoencoder alone: name it NAME.vae.safetensors beside its checkpoint"),
)  # fmt: skip
CONVERSION = (
    "python -c 'import sys, torch; from safetensors.torch import save_file; d = torch.load(sys.argv[1], "
    'map_location="cpu", weights_only=True); d = d.get("state_dict", d); '
    "save_file({k: v.clone().contiguous() for k, v in d.items() if torch.is_tensor(v)}, sys.argv[2])' "
)


@dataclass(frozen=True)
class SingleFile:
    """A checkpoint in one file. `vae`: another file that its autoencoder is in. `prediction_from`, `few.told_by`: what
    says so.
    """

    path: Path
    family: CheckpointFamily
    shapes: Shapes
    dtypes: tuple[str, ...]
    prediction: str
    prediction_from: str
    side: int
    ema: bool
    zero_snr: bool
    vae: Path | None
    few: FewSteps | None

    @property
    def parameters(self) -> int:
        """Of the U-Net that is drawn with."""
        return sum(math.prod(shape) for key, shape in self.shapes.items() if key.startswith(UNET))


def read_single_file(path: Path) -> SingleFile:
    """Read a file's header; raises FileNotFoundError, or WeightsError saying what it is and what to do with it."""
    if path.suffix.lower() in PICKLES:
        raise WeightsError(f"{path} is a pickle, which runs code when it is opened: convert it where nothing can be "
                           f"harmed, {CONVERSION}{path.name} {path.stem}{SUFFIX}")  # fmt: skip
    shapes, dtypes, metadata = read_header(path)
    family = _family(path, shapes)
    prediction, said_by = _prediction(path, family, shapes, metadata)
    few = few_steps_by_name(path.stem, metadata.get("modelspec.title", ""))
    if few is not None and few.predicts_picture:
        prediction, said_by = "sample", few.told_by
    side = _side(metadata) or (512 if family.name == "Stable Diffusion 2" and prediction == "epsilon" else family.side)
    beside = path.with_suffix(f".vae{SUFFIX}")
    vae = beside if beside.is_file() else None
    if vae is None and not any(key.startswith(VAE) for key in shapes):
        raise WeightsError(f"{path} holds no autoencoder: put the one of {family.name} beside it as "
                           f"{path.stem}.vae{SUFFIX}")  # fmt: skip
    ema = all(ema_name(key) in shapes for key in shapes if key.startswith(UNET))
    return SingleFile(path, family, shapes, dtypes, prediction, said_by, side, ema, "ztsnr" in shapes, vae, few)


def read_header(path: Path) -> tuple[Shapes, tuple[str, ...], dict[str, str]]:
    """Shapes by key, number formats (the most frequent first), and metadata of a safetensors file."""
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    shapes: Shapes = {}
    formats: dict[str, int] = {}
    try:
        with safe_open(path, "np") as file:
            for key in file.keys():  # noqa: SIM118 (not a dict)
                each = file.get_slice(key)
                shapes[key] = tuple(each.get_shape())
                formats[each.get_dtype()] = formats.get(each.get_dtype(), 0) + math.prod(shapes[key])
            metadata = dict(file.metadata() or {})
    except SafetensorError as error:
        raise WeightsError(f"{path} is no safetensors file, truncated or damaged ({error}): copy it again") from error
    return shapes, tuple(sorted(formats, key=lambda name: -formats[name])), metadata


def ema_name(key: str) -> str:
    """Where the moving average of a U-Net's weight is stored: all of its dots but one are left out."""
    return EMA + "".join(key.split(".")[1:])


def _family(path: Path, shapes: Shapes) -> CheckpointFamily:
    if any(key.startswith(UNET + "input_blocks.") for key in shapes) and "edm_mean" not in shapes:
        for family in FAMILIES:
            if all(any(key.startswith(tower.prefix) for key in shapes) for tower in family.towers):
                return family
    raise WeightsError(_other(path, shapes))


def _other(path: Path, shapes: Shapes) -> str:
    """What a file is that is none of these."""
    for marks, what in OTHERS:
        if any(mark in key for mark in marks for key in shapes):
            return f"{path} is {what}; drawn with here are {known_families()}"
    some = ", ".join(sorted(shapes)[:3]) or "none"
    return f"{path} is no checkpoint that is known (its first keys: {some}): known are {known_families()}"


def known_families() -> str:
    return ", ".join(family.name for family in FAMILIES)


def _prediction(path: Path, family: CheckpointFamily, shapes: Shapes, metadata: Mapping[str, str]) -> tuple[str, str]:
    """What the U-Net predicts, and what says so."""
    if "v_pred" in shapes:
        return "v_prediction", "its key v_pred"
    beside = path.with_suffix(".yaml")
    said = {"modelspec.prediction_type": metadata.get("modelspec.prediction_type", ""), beside.name: _sidecar(beside)}
    for source, value in said.items():
        if value:
            return ("v_prediction" if value.lower().startswith("v") else "epsilon"), source
    return family.prediction, "its family, the file does not say"


def _sidecar(path: Path) -> str:
    """The parameterization in a NAME.yaml of the kind that was released with Stable Diffusion 2."""
    if not path.is_file():
        return ""
    try:
        node: object = yaml.safe_load(path.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise WeightsError(f"{path} is not YAML ({' '.join(str(error).split())[:80]}): mend it or remove it") from error
    for key in ("model", "params", "parameterization"):
        node = node.get(key) if isinstance(node, dict) else None
    return str(node or "eps")  # as that code takes a file without one


def _side(metadata: Mapping[str, str]) -> int | None:
    """Pixels of the shorter side that the metadata names."""
    found = re.fullmatch(r"(\d+)(?:x(\d+))?", metadata.get("modelspec.resolution", "").strip())
    return min(int(each) for each in found.groups() if each) if found else None
