"""Run a stage by OpenVINO graphs, and decide whether to.

In: a pipeline and a folder for graphs. Out: the pipeline's stages with a compiled engine each: at once, or in the
background while torch draws. `auto` keeps the engine only where it is measured faster than torch on this machine; the
measurement is kept beside the graphs, so that the same machine draws by the same engine after a restart.
"""

from __future__ import annotations

import json
import logging
import platform
import statistics
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from diffusion.openvino_graphs import (
    NETWORKS,
    GraphError,
    available,
    build_in_process,
    examples,
    graph_folder,
    is_whole,
)
from diffusion.precision import dtype_name

if TYPE_CHECKING:
    import openvino

    from diffusion.pipeline import TwoStagePipeline
    from diffusion.stage import Stage

logger = logging.getLogger(__name__)
PRECISIONS = {"float32": "f32", "bfloat16": "bf16"}
MEASURED = "measured.json"
MEASURED_ROWS = 4
MEASUREMENTS = 5


class OpenVinoEngine:
    """The graphs of one stage, compiled. One call at a time, as a pipeline draws."""

    def __init__(self, folder: Path, role: str, size: int, precision: str) -> None:
        import openvino

        core = openvino.Core()
        settings = {"INFERENCE_PRECISION_HINT": PRECISIONS[precision], "PERFORMANCE_HINT": "LATENCY"}
        settings["INFERENCE_NUM_THREADS"] = str(torch.get_num_threads())
        self.name = f"openvino {openvino.__version__.split('-')[0]}"
        self._size = size
        self._requests: dict[str, openvino.InferRequest] = {
            network: core.compile_model(folder / f"{role}-{network}.xml", "CPU", settings).create_infer_request()
            for network in NETWORKS
        }

    def takes(self, size: int) -> bool:
        return size == self._size

    def predict(
        self, x: torch.Tensor, t: torch.Tensor, hidden: torch.Tensor, added: Mapping[str, torch.Tensor] | None
    ) -> torch.Tensor:
        given = [x, t, hidden]
        if added is not None:
            given += [added["text_embeds"], added["time_ids"]]
        return self._run("unet", given)

    def encode(self, picture: torch.Tensor) -> torch.Tensor:
        return self._run("encoder", [picture])

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        return self._run("decoder", [latents])

    def _run(self, network: str, given: list[torch.Tensor]) -> torch.Tensor:
        request = self._requests[network]
        request.infer([np.ascontiguousarray(each.detach().float().numpy()) for each in given])
        return torch.from_numpy(request.get_output_tensor(0).data.copy())


def use_engine(
    pipeline: TwoStagePipeline, checkpoint: str, engine: str, cache: Path, *, background: bool = False
) -> None:
    """Give the stages of `pipeline` the engine that is asked for: "openvino", or "auto".

    `checkpoint`: what names it, for the process that converts. With `background` this returns at once.
    Raises GraphError where "openvino" cannot be had; "auto" logs the reason and stays with torch.
    """
    stages = pipeline.stages.values()
    if engine == "torch":
        return
    reason = _why_not(pipeline)
    if reason:
        if engine == "openvino":
            raise GraphError(reason)
        logger.info("drawing by torch: %s", reason)
        return

    def prepare() -> None:
        folder = graph_folder(cache, pipeline.checkpoint_id)
        if not is_whole(folder):
            logger.info("converting the networks for OpenVINO into %s", folder)
            build_in_process(checkpoint, folder)
        if not is_whole(folder):
            raise GraphError(f"the graphs in {folder} are not as they were written: remove the folder")
        precision = dtype_name(next(iter(stages)).unet.dtype)
        compiled = {
            role: OpenVinoEngine(folder, role, stage.size, precision) for role, stage in pipeline.stages.items()
        }
        if engine == "auto" and not _is_faster(pipeline, compiled, folder):
            logger.info("drawing by torch: OpenVINO was measured slower here")
            return
        for role, stage in pipeline.stages.items():
            stage.compiled = compiled[role]
        logger.info("drawing by %s", next(iter(compiled.values())).name)

    def prepare_or_say() -> None:
        try:
            prepare()
        except Exception as error:  # a background thread: drawing goes on by torch
            logger.warning("drawing by torch: %s", error, exc_info=not isinstance(error, GraphError))

    if background:
        threading.Thread(target=prepare_or_say, name="openvino", daemon=True).start()
    elif engine == "auto":
        prepare_or_say()
    else:
        prepare()


def _why_not(pipeline: TwoStagePipeline) -> str:
    stage = pipeline.stages["base"]
    dtype = dtype_name(stage.unet.dtype)
    if stage.device.type != "cpu":
        return f"OpenVINO runs on a CPU here, and this pipeline draws on {stage.device.type}"
    if dtype not in PRECISIONS:
        return f"OpenVINO computes in float32 or bfloat16 here, not in {dtype}"
    if stage.pictures_at_once is not None:
        return "with little memory there is no room for graphs beside the weights"
    return "" if available() else "OpenVINO is not installed (pip install openvino)"


def _is_faster(pipeline: TwoStagePipeline, compiled: Mapping[str, OpenVinoEngine], folder: Path) -> bool:
    """Whether the graphs of all stages together take less time than torch, as measured here before or now."""
    machine = f"{platform.processor()}/{platform.machine()}/{torch.get_num_threads()}/{_dtype(pipeline)}"
    path = folder / MEASURED
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = {}
    if machine not in known:
        with pipeline.between_draws():
            seconds = {"torch": 0.0, "openvino": 0.0}
            for role, stage in pipeline.stages.items():
                torch_seconds, compiled_seconds = _race(stage, compiled[role])
                seconds["torch"] += torch_seconds
                seconds["openvino"] += compiled_seconds
        known[machine] = {name: round(value, 4) for name, value in seconds.items()}
        logger.info("measured for a step of %d rows: %s", MEASURED_ROWS, known[machine])
        path.write_text(json.dumps(known, indent=1), encoding="utf-8")
    return bool(known[machine]["openvino"] < known[machine]["torch"])


def _race(stage: Stage, compiled: OpenVinoEngine) -> tuple[float, float]:
    """Median seconds of a U-Net's step and a decoding by torch and by the graphs, taken in turns."""
    given, latents = examples(stage, "unet", MEASURED_ROWS), examples(stage, "decoder", 1)[0]
    added = {"text_embeds": given[3], "time_ids": given[4]} if len(given) > 3 else None

    def step(engine: OpenVinoEngine | object) -> Callable[[], object]:
        return lambda: (engine.predict(*given[:3], added), engine.decode(latents))  # type: ignore[attr-defined]

    runs = (step(stage.torch), step(compiled))
    times: tuple[list[float], list[float]] = ([], [])
    with torch.inference_mode():
        for _ in range(MEASUREMENTS + 1):
            for run, seconds in zip(runs, times, strict=True):
                since = time.perf_counter()
                run()
                seconds.append(time.perf_counter() - since)
    return statistics.median(times[0][1:]), statistics.median(times[1][1:])


def _dtype(pipeline: TwoStagePipeline) -> str:
    return dtype_name(pipeline.stages["base"].unet.dtype)
