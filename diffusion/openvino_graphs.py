"""A checkpoint's networks as OpenVINO graphs on disk: written once, whole or not there, by one process at a time.

In: a pipeline. Out: FOLDER with one graph per stage and network (`base-unet.xml` and `.bin`, …) for that stage's own
size and any number of rows, and `graphs.json` with the SHA-256 of each, written last, so that a folder is whole or not
there. Weights stay float32; what a graph computes in is chosen when it is compiled. Conversion traces each network
once; it takes some ten seconds, and a process of its own, so that a service draws on meanwhile.
Ref: https://docs.openvino.ai/2026/openvino-workflow/model-preparation/convert-model-pytorch.html
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from filelock import FileLock

from diffusion.weights import sha256_file
from jobspec import PictureSize

if TYPE_CHECKING:
    from diffusion.pipeline import TwoStagePipeline
    from diffusion.stage import Stage

logger = logging.getLogger(__name__)
FORMAT = 1
INDEX = "graphs.json"
NETWORKS = ("unet", "encoder", "decoder")
SEQUENCE = 77
LOCK, WRITING = "lock", "writing-"
KEPT = 3  # folders of graphs in one cache
LOW_PRIORITY = 10


class GraphError(ValueError):
    """Graphs that cannot be had: OpenVINO is absent, a network does not convert, a file is damaged."""


class _Unet(torch.nn.Module):
    def __init__(self, unet: torch.nn.Module) -> None:
        super().__init__()
        self.unet = unet

    def forward(
        self, x: torch.Tensor, t: torch.Tensor, hidden: torch.Tensor, pooled: torch.Tensor | None = None,
        ids: torch.Tensor | None = None,
    ) -> torch.Tensor:  # fmt: skip
        added = None if pooled is None else {"text_embeds": pooled, "time_ids": ids}
        return self.unet(x, t, encoder_hidden_states=hidden, added_cond_kwargs=added, return_dict=False)[0]


class _Call(torch.nn.Module):
    """One method of an engine as a module, for tracing."""

    def __init__(self, vae: torch.nn.Module, stage: Stage, network: str) -> None:
        super().__init__()
        self.vae = vae
        self._run = stage.torch.encode if network == "encoder" else stage.torch.decode

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self._run(x)


def default_cache() -> Path:
    """Where graphs are kept if nobody says otherwise: below XDG_CACHE_HOME, else ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "geuryeojwo" / "engines"


def available() -> bool:
    """Whether OpenVINO is installed."""
    return find_spec("openvino") is not None


def without_telemetry() -> None:
    """Call it before `import openvino`, which reports to Google Analytics as long as openvino-telemetry is there, as
    every conversion does, from a forked process that it waits for (minutes where there is no network).
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # None: cannot be imported


def graph_folder(cache: Path, checkpoint_id: str) -> Path:
    """Where the graphs of a checkpoint lie under `cache`: another folder for other weights, libraries or formats."""
    try:
        made_with = "/".join(version(name) for name in ("openvino", "torch", "diffusers"))
    except PackageNotFoundError as error:
        raise GraphError("OpenVINO is not installed: pip install openvino, or choose the engine torch") from error
    key = hashlib.sha256(f"{FORMAT}/{checkpoint_id}/{made_with}".encode()).hexdigest()
    return cache / key[:24]


def is_whole(folder: Path) -> bool:
    """Whether every graph that the index names is there as it was written."""
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        return bool(index["files"]) and all(
            sha256_file(folder / name) == digest for name, digest in index["files"].items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def prepared(folder: Path, convert: Callable[[Path], None]) -> None:
    """See that a folder of graphs is whole, by `convert(folder)` if need be; one process does it, others wait for it.

    Raises GraphError.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.parent / LOCK):
        if not is_whole(folder):
            _sweep(folder.parent)
            since = time.monotonic()
            convert(folder)
            if not is_whole(folder):
                raise GraphError(f"the graphs in {folder} are not as they were written: look at the disk")
            logger.info("converted the networks for OpenVINO in %.0f s, into %s", time.monotonic() - since, folder)
        os.utime(folder)


def _sweep(cache: Path) -> None:
    """Remove what an interrupted conversion left, and graphs but the `KEPT` that were used last."""
    folders = sorted((path for path in cache.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime)
    whole = [path for path in folders if not path.name.startswith(WRITING)]
    for path in {*folders} - {*whole[-KEPT:]}:
        shutil.rmtree(path, ignore_errors=True)


def convert_in_process(checkpoint: str, folder: Path) -> None:
    """`build` in a process of low priority, so that a service draws on meanwhile. Raises GraphError with its reason."""
    command = [sys.executable, "-m", "diffusion.convert", checkpoint, str(folder)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OMP_NUM_THREADS": "1"}
    with (
        tempfile.TemporaryFile("w+") as said,
        subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=said, env=environment, preexec_fn=lambda: os.nice(LOW_PRIORITY)
        ) as process,
    ):
        try:
            while process.poll() is None:
                check_going_on()
                time.sleep(0.1)
        finally:
            process.kill()
        said.seek(0)
        lines = said.read().strip().splitlines()
    if process.returncode:
        raise GraphError((lines or [f"conversion ended with {process.returncode}"])[-1])


def check_going_on() -> None:
    """Raise GraphError once this program's main thread has ended: what runs beside it ends too."""
    if not threading.main_thread().is_alive():
        raise GraphError("the program ends")


def build(pipeline: TwoStagePipeline, folder: Path) -> None:
    """Write the graphs of a pipeline opened in float32 on the CPU. Raises GraphError."""
    beside = Path(tempfile.mkdtemp(prefix=WRITING, dir=folder.parent))
    try:
        for role, stage in pipeline.stages.items():
            for network in NETWORKS:
                _write(stage, network, beside / f"{role}-{network}.xml")
        files = {path.name: sha256_file(path) for path in sorted(beside.iterdir())}
        index = {"format": FORMAT, "checkpoint": pipeline.checkpoint_id, "files": files}
        (beside / INDEX).write_text(json.dumps(index, indent=1), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        beside.rename(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def examples(stage: Stage, network: str, rows: int) -> tuple[torch.Tensor, ...]:
    """Tensors as `network` of a stage is given them, by a fixed seed."""
    generator = torch.Generator().manual_seed(0)
    channels, side, _ = stage.latent_shape(PictureSize.square(stage.size))

    def noise(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator)

    if network == "encoder":
        return (noise(1, 3, stage.size, stage.size).clamp(-1, 1),)
    if network == "decoder":
        return (noise(1, channels, side, side),)
    config = stage.unet.config
    given = [
        noise(rows, channels, side, side),
        torch.tensor(500.0),
        noise(rows, SEQUENCE, config["cross_attention_dim"]),
    ]
    if config["addition_embed_type"] == "text_time":
        width = stage.pooled_width
        given += [noise(rows, width), stage.time_ids(given[0], width, guided=False)]
    return tuple(given)


def _write(stage: Stage, network: str, path: Path) -> None:
    without_telemetry()
    import openvino

    module = _Unet(stage.unet) if network == "unet" else _Call(stage.vae, stage, network)
    given = examples(stage, network, 2)
    # Rows vary for a U-Net; autoencoders are given one picture at a time.
    shapes = [
        openvino.PartialShape([-1 if network == "unet" else len(each), *each.shape[1:]] if each.ndim else [])
        for each in given
    ]
    try:
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")
            module.eval()(*given)  # a linear encoder is read off at its first call: that is no part of the graph
            graph = openvino.convert_model(
                module, example_input=given, input=[(shape, openvino.Type.f32) for shape in shapes]
            )
        openvino.save_model(graph, path, compress_to_fp16=False)
    except Exception as error:  # whatever tracing and conversion meet
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise GraphError(f"the {stage.role}'s {network} does not convert: {reason[-1]}") from error
