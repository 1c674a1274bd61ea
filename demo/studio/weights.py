"""Which weights a setting names: a job is run with those of the web process that took it."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from demo.store.settings import Settings

STYLES = "styles"  # LoRA that may be added at any time
INDEXES = ("manifest.json", "model_index.json")
FABRIC = ("pattern", "apply")  # kinds that do not draw: they are run with the weights of TEXTILE
FABRIC_INDEXES = ("generator.json", "segmenter.json")


def weights_for(kind: str, settings: Settings) -> str:
    """The weights that a kind of job is run with."""
    return fabric_weights(settings) if kind in FABRIC else weights_of(settings.checkpoint)


def fabric_weights(settings: Settings) -> str:
    """The weights of the pattern generator and of the segmenter."""
    return weights_of(settings.textile, FABRIC_INDEXES)


def weights_of(checkpoint: str, indexes: tuple[str, ...] = INDEXES) -> str:
    """A short name of the weights: equal for equal folders on any host, another once they were trained anew.

    Of a folder: its manifest (which holds the SHA-256 of every file) or, where it has none, its index and the sizes of
    its weights, styles aside; of a hub id or a registered name, the name.
    """
    folder = Path(checkpoint)
    found = [folder / name for name in indexes if (folder / name).is_file()]
    if not found:
        return _short(f"{folder.name} {folder.stat().st_size}".encode() if folder.is_file() else checkpoint.encode())
    return _of_folder(folder, tuple((path.name, path.stat().st_mtime_ns) for path in found))


@lru_cache(maxsize=8)
def _of_folder(folder: Path, indexes: tuple[tuple[str, int], ...]) -> str:
    """Read again once an index has changed."""
    parts = [(folder / name).read_bytes() for name, _ in indexes]
    if indexes[0][0] == INDEXES[0]:
        return _short(parts[0])
    weights = [(path.relative_to(folder), path.stat().st_size) for path in sorted(folder.glob("**/*.safetensors"))]
    parts += [f"{path.as_posix()} {size}".encode() for path, size in weights if STYLES not in path.parts]
    return _short(b"\0".join(parts))


def _short(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
