"""Open models from folders: quietly, whole, and with the file's name in every error.

In: a folder in the Hugging Face layout. Out: a model all of whose weights came from its file and are numbers.
transformers fills weights that a file lacks with random values and says so in a table; here that is an error.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import torch
from safetensors import safe_open
from torch import nn
from transformers.utils import logging as hub_logging

from ko_clip.model import KoClipModel


def open_student(folder: Path) -> KoClipModel:
    """A trained encoder in float32. Raises FileNotFoundError or ValueError naming the file."""
    for name in ("config.json", "model.safetensors"):
        if not (folder / name).is_file():
            raise FileNotFoundError(f"{folder / name} is missing: give the folder of a trained ko_clip encoder")
    kind = read_settings(folder / "config.json").get("model_type")
    if kind != KoClipModel.config_class.model_type:
        raise ValueError(f"{folder} holds a model of type {kind!r}: give the folder of a trained ko_clip encoder")
    with naming(folder / "model.safetensors"), safe_open(folder / "model.safetensors", framework="pt"):
        pass  # a damaged file has its own name in the error
    with quietly(), naming(folder / "config.json"):
        opened = KoClipModel.from_pretrained(
            folder, dtype=torch.float32, local_files_only=True, use_safetensors=True, output_loading_info=True,
            ignore_mismatched_sizes=True,
        )  # fmt: skip
        model, found = cast(tuple[KoClipModel, dict[str, object]], opened)  # with its loading info, unlike the hint
    check_whole(model, found, folder)
    return model


def read_settings(path: Path) -> dict[str, object]:
    """A JSON object from a file; raises ValueError naming it."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not JSON in UTF-8 ({error}): copy it again") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path} holds a {type(found).__name__}: an object is expected")
    return found


def check_whole(model: nn.Module, found: dict[str, object], folder: Path) -> None:
    """Raise ValueError where weights are missing, misshapen, NaN or infinite. `found`: transformers' loading info."""
    for kind, reason in (("missing_keys", "lacks"), ("mismatched_keys", "has in another shape")):
        keys: list[object] = list(found.get(kind, ()))  # type: ignore[call-overload]
        names = sorted(str(key[0] if isinstance(key, tuple) else key) for key in keys)
        if names:
            raise ValueError(f"{folder} {reason} {len(names)} weights that config.json asks for, {names[0]} among them")
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise ValueError(
                f"{folder}: {name} holds NaN or infinite values: the file is damaged or its training failed"
            )


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """What a library makes of a file that it cannot use, as a ValueError of one line that names the file."""
    try:
        yield
    except FileNotFoundError:
        raise
    except Exception as error:  # safetensors and tokenizers raise bare ones
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ValueError(f"{path} cannot be opened ({reason}): it is damaged, or of another kind") from error


@contextmanager
def quietly() -> Iterator[None]:
    """No bars and no tables of transformers' while a model is opened; afterwards it is as talkative as before."""
    verbosity, bars = hub_logging.get_verbosity(), hub_logging.is_progress_bar_enabled()
    hub_logging.set_verbosity_error()
    hub_logging.disable_progress_bar()
    try:
        yield
    finally:
        hub_logging.set_verbosity(verbosity)
        if bars:
            hub_logging.enable_progress_bar()
