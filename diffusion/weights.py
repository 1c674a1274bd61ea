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

import torch
from safetensors import SafetensorError, safe_open

_TOWER, _NOT_TOWER = "text_model.", ("text_projection.weight", "position_ids")
STEMS = ("diffusion_pytorch_model", "model")
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
    for name, entry in files.items():  # type: ignore[union-attr]
        hashes[_inside(folder, name)] = _verify_file(folder, name, entry)
    return hashes


def _verify_file(folder: Path, name: str, entry: Mapping[str, object]) -> str:
    path = _inside(folder, name)
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing, and the manifest lists it: copy the checkpoint again")
    size = path.stat().st_size
    if size != entry["size"]:
        raise WeightsError(f"{path} has {size} bytes, the manifest says {entry['size']}: copy it again")
    digest = sha256_file(path)
    if digest != entry["sha256"]:
        raise WeightsError(f"{path} has SHA-256 {digest}, the manifest says {entry['sha256']}: copy it again")
    return digest


def _inside(folder: Path, name: str) -> Path:
    pure = PurePosixPath(name)
    if pure.is_absolute() or ".." in pure.parts:
        raise WeightsError(f"{folder}/manifest.json lists {name!r}: only paths below the folder are allowed")
    return (folder / pure).resolve()


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of one part (several if sharded), in name order."""
    for stem in STEMS:
        index = folder / f"{stem}.safetensors.index.json"
        if index.is_file():
            return [folder / name for name in sorted(set(read_json(index)["weight_map"].values()))]  # type: ignore[attr-defined]
        for variant in ("", ".fp16"):
            path = folder / f"{stem}{variant}.safetensors"
            if path.is_file():
                return [path]
    if any(folder.glob("*.bin")) or any(folder.glob("*.ckpt")):
        raise FileNotFoundError(f"{folder} has pickled weights only: convert them to safetensors, nothing else is read")
    raise FileNotFoundError(f"{folder} has no *.safetensors: copy the checkpoint again")


def fingerprint(folder: Path, known: Mapping[Path, str] | None = None) -> str:
    """Identify a part by "sha256:<hex>" of its weight file's bytes; a sharded one by its shards' sums in name
    order.
    """
    known = known or {}
    sums = [known.get(path.resolve()) or sha256_file(path) for path in weight_files(folder)]
    digest = sums[0] if len(sums) == 1 else hashlib.sha256("".join(sums).encode()).hexdigest()
    return f"sha256:{digest}"


def text_fingerprint(folder: Path) -> str:
    """Identify a text encoder by its tower's tensors alone: "sha256:<hex>" over name, type, shape and bytes of each.

    A CLIP's image tower and the projections may learn more without parting it from those that reproduce its text
    tower. ko_clip.teachers.fingerprint says the same.
    """
    found: dict[str, torch.Tensor] = {}
    for path in weight_files(folder):
        with _open(path) as file:
            found |= {key: file.get_tensor(key).contiguous() for key in file.keys()}  # noqa: SIM118 (not a dict)
    whole = any(key.startswith(_TOWER) for key in found)
    digest = hashlib.sha256()
    for key in sorted(key for key in found if (key.startswith(_TOWER) or not whole) and not key.endswith(_NOT_TOWER)):
        digest.update(f"{key.removeprefix(_TOWER)} {found[key].dtype} {tuple(found[key].shape)}\n".encode())
        digest.update(found[key].view(torch.uint8).numpy())
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
    """Read the stored keys in `names` (stored → wanted) as `dtype`, in the wanted shape."""
    state: dict[str, torch.Tensor] = {}
    for path in weight_files(folder):
        with _open(path) as file:
            for key in file.keys():  # noqa: SIM118 (not a dict)
                if key in names:
                    wanted = names[key]
                    state[wanted] = file.get_tensor(key).to(dtype).reshape(shapes[wanted])
    return state


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
