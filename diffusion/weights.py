"""Weights on disk: verified, described and read, safetensors only.

In: a folder in the Hugging Face layout. Out: SHA-256 sums, shapes by key (from file headers alone), and
tensors. Every way in which a file can be wrong (absent, pickled, truncated, altered, misshapen) has its own
message.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from safetensors import SafetensorError, safe_open

if TYPE_CHECKING:  # what names a checkpoint is read without torch
    import torch

_TOWER, _NOT_TOWER = "text_model.", ("text_projection.weight", "position_ids")
STEMS = ("diffusion_pytorch_model", "model")
VARIANTS = ("", "fp16", "bf16")  # the fullest precision first
Shapes = dict[str, tuple[int, ...]]


class WeightsError(ValueError):
    """Weights that cannot be used: truncated, altered, missing keys or of another shape."""


def read_json(path: Path) -> dict[str, object]:
    """Read a JSON object; raises FileNotFoundError or WeightsError naming the file."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: copy the checkpoint again")
    try:
        value = json.loads(path.read_text("utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise WeightsError(f"{path} is not JSON ({error}): copy the checkpoint again") from error
    if not isinstance(value, dict):
        raise WeightsError(f"{path} holds a {type(value).__name__}: an object is expected")
    return value


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify_manifest(folder: Path, manifest: Mapping[str, object]) -> dict[Path, str]:
    """Check size and SHA-256 of every file that the manifest lists; return absolute path → SHA-256."""
    if manifest.get("format") != 1:
        raise WeightsError(f"{folder}/manifest.json has format {manifest.get('format')!r}: this version reads 1")
    hashes: dict[Path, str] = {}
    files = manifest.get("files", {})
    if not isinstance(files, dict) or not all(isinstance(entry, dict) for entry in files.values()):
        raise WeightsError(f"{folder}/manifest.json: files must be names with size and sha256 each")
    for name, entry in files.items():
        hashes[_inside(folder, name)] = _verify_file(folder, name, entry)
    return hashes


def _verify_file(folder: Path, name: str, entry: Mapping[str, object]) -> str:
    path = _inside(folder, name)
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing, and the manifest lists it: copy the checkpoint again")
    size = path.stat().st_size
    if size != entry.get("size"):
        raise WeightsError(f"{path} has {size} bytes, the manifest says {entry.get('size')}: copy it again")
    digest = sha256_file(path)
    if digest != entry.get("sha256"):
        raise WeightsError(f"{path} has SHA-256 {digest}, the manifest says {entry.get('sha256')}: copy it again")
    return digest


def _inside(folder: Path, name: str) -> Path:
    pure = PurePosixPath(name)
    if pure.is_absolute() or ".." in pure.parts:
        raise WeightsError(f"{folder}/manifest.json lists {name!r}: only paths below the folder are allowed")
    return (folder / pure).resolve()


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of one part (several if sharded), in name order.

    A variant's files are called so by diffusers and transformers: model.fp16.safetensors, and sharded ones by
    model.safetensors.index.fp16.json.
    """
    for stem, variant in ((stem, variant) for stem in STEMS for variant in VARIANTS):
        infix = f".{variant}" if variant else ""
        index = folder / f"{stem}.safetensors.index{infix}.json"
        if index.is_file():
            return _shards(index)
        path = folder / f"{stem}{infix}.safetensors"
        if path.is_file():
            return [path]
    if any(folder.glob("*.bin")) or any(folder.glob("*.ckpt")):
        raise FileNotFoundError(f"{folder} has pickled weights only: convert them to safetensors, nothing else is read")
    raise FileNotFoundError(f"{folder} has no *.safetensors: copy the checkpoint again")


def _shards(index: Path) -> list[Path]:
    """The files that an index names, in name order."""
    places = read_json(index).get("weight_map")
    if not isinstance(places, dict) or not places:
        raise WeightsError(f"{index} has no weight_map: copy the checkpoint again")
    names = sorted({str(name) for name in places.values()})
    if wrong := [name for name in names if Path(name).name != name]:
        raise WeightsError(f"{index} names {wrong[0]!r}: only files beside it are allowed")
    return [index.parent / name for name in names]


def fingerprint(folder: Path, known: Mapping[Path, str] | None = None) -> str:
    """Identify a part by "sha256:<hex>" of its weight file's bytes; a sharded one by its shards' sums in name
    order.
    """
    known = known or {}
    sums = [known.get(path.resolve()) or sha256_file(path) for path in weight_files(folder)]
    digest = sums[0] if len(sums) == 1 else hashlib.sha256("".join(sums).encode()).hexdigest()
    return f"sha256:{digest}"


def text_fingerprint(folder: Path, *, half: bool = False) -> str:
    """Identify a text encoder by its tower's tensors alone: "sha256:<hex>" over name, type, shape and bytes of each.

    A CLIP's image tower and the projections may learn more without parting it from those that reproduce its text
    tower. `half`: rounded to float16, as a checkpoint is often shared. ko_clip.teachers.fingerprint says the same.
    """
    found: dict[str, torch.Tensor] = {}
    for path in weight_files(folder):
        with _open(path) as file:
            found |= {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a dict)
    return tensors_fingerprint({key: value.half() for key, value in found.items()} if half else found)


def tensors_fingerprint(found: Mapping[str, torch.Tensor]) -> str:
    """`text_fingerprint` of weights that are in memory."""
    import torch

    whole = any(key.startswith(_TOWER) for key in found)
    digest = hashlib.sha256()
    for key in sorted(key for key in found if (key.startswith(_TOWER) or not whole) and not key.endswith(_NOT_TOWER)):
        digest.update(f"{key.removeprefix(_TOWER)} {found[key].dtype} {tuple(found[key].shape)}\n".encode())
        digest.update(found[key].contiguous().view(torch.uint8).numpy().data)
    return f"sha256:{digest.hexdigest()}"


def stored_shapes(folder: Path) -> Shapes:
    """Shapes by key from the files' headers; raises WeightsError for a truncated or damaged file."""
    shapes: Shapes = {}
    for path in weight_files(folder):
        with _open(path) as file:
            for key in file.keys():  # noqa: SIM118 (not a dict)
                shapes[key] = tuple(file.get_slice(key).get_shape())
    return shapes


def read_state(
    folder: Path, names: Mapping[str, str], dtype: torch.dtype, shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, torch.Tensor]:
    """Read the stored keys in `names` (stored → wanted) as `dtype`, in the wanted shape.

    Raises WeightsError naming a weight that is NaN or infinite, as stored or as `dtype`.
    """
    state: dict[str, torch.Tensor] = {}
    for path in weight_files(folder):
        with _open(path) as file:
            for key in file.keys():  # noqa: SIM118 (not a dict)
                if key in names:
                    wanted = names[key]
                    stored = file.get_tensor(key)
                    state[wanted] = stored.to(dtype).reshape(shapes[wanted])
                    _check_finite(state[wanted], stored, f"{path}: {key}")
    return state


def is_finite(tensor: torch.Tensor) -> bool:
    """Whether no value is NaN or infinite."""
    return bool(tensor.isfinite().all())


def _check_finite(made: torch.Tensor, stored: torch.Tensor, where: str) -> None:
    if is_finite(made):
        return
    if not is_finite(stored.float()):
        raise WeightsError(f"{where} holds NaN or infinite values: the file is damaged or its training failed")
    kind = str(made.dtype).removeprefix("torch.")
    raise WeightsError(f"{where} holds values too large for {kind}: open it with dtype float32 or bfloat16")


def match_keys(
    wanted: Mapping[str, tuple[int, ...]],
    stored: Mapping[str, tuple[int, ...]],
    where: Path | str,
    rename: Callable[[str], str] = lambda key: key,
    ignored: Iterable[str] = (),
) -> dict[str, str]:
    """Pair stored keys with a model's; raises WeightsError for any missing, surplus or misshapen one.

    `rename` turns a stored key into today's name; `ignored` are prefixes of stored keys that belong to other
    parts. A stored 1×1 convolution (c, d, 1, 1) fits a wanted linear layer (c, d).
    """
    pairs = {key: rename(key) for key in stored}
    missing = set(wanted) - set(pairs.values())
    surplus = {k for k, v in pairs.items() if v not in wanted and not k.startswith(tuple(ignored))}
    if missing:
        raise WeightsError(f"{where} lacks {_some(missing)}: the weights do not belong to this config.json")
    if surplus:
        raise WeightsError(f"{where} has unknown weights {_some(surplus)}: they do not belong to this config.json")
    pairs = {key: name for key, name in pairs.items() if name in wanted}
    for key, name in pairs.items():
        if not _fits(stored[key], wanted[name]):
            raise WeightsError(f"{where}: {key} has shape {stored[key]}, config.json asks for {wanted[name]}")
    return pairs


def _fits(stored: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    return stored == wanted or (stored[2:] == (1, 1) and stored[:2] == wanted)


def _open(path: Path) -> safe_open:
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: copy the checkpoint again")
    try:
        return safe_open(path, "pt")
    except SafetensorError as error:
        raise WeightsError(f"{path} is truncated or damaged ({error}): copy it again") from error


def _some(keys: Iterable[str]) -> str:
    ordered = sorted(keys)
    more = f" and {len(ordered) - 3} more" if len(ordered) > 3 else ""
    return ", ".join(ordered[:3]) + more
