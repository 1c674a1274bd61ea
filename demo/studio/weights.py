"""Which weights a checkpoint setting names: a job is drawn with those of the web process that took it."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

STYLES = "styles"  # LoRA that may be added at any time
INDEXES = ("manifest.json", "model_index.json")


def weights_of(checkpoint: str) -> str:
    """A short name of the weights: equal for equal folders on any host, another once they were trained anew.

    Of a folder: its manifest (which holds the SHA-256 of every file) or, where it has none, its index and the sizes of
    its weights, styles aside; of a hub id or a registered name, the name.
    """
    folder = Path(checkpoint)
    found = [folder / name for name in INDEXES if (folder / name).is_file()]
    if not found:
        return _short(f"{folder.name} {folder.stat().st_size}".encode() if folder.is_file() else checkpoint.encode())
    return _of_folder(folder, tuple((path.name, path.stat().st_mtime_ns) for path in found))


@lru_cache(maxsize=8)
def _of_folder(folder: Path, indexes: tuple[tuple[str, int], ...]) -> str:
    """Read again once an index has changed."""
    parts = [(folder / name).read_bytes() for name, _ in indexes]
    if indexes[0][0] == INDEXES[0]:
        return _short(parts[0])
    weights = [path for path in sorted(folder.glob("**/*.safetensors")) if STYLES not in path.parts]
    parts += [f"{path.relative_to(folder).as_posix()} {path.stat().st_size}".encode() for path in weights]
    return _short(b"\0".join(parts))


def _short(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
