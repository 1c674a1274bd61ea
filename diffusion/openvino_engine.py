"""Run a stage by OpenVINO graphs, and decide whether to.

In: a pipeline and a folder for graphs. Out: the pipeline's stages with a compiled engine each: at once, or in the
background while torch draws. `auto` keeps the engine only where it is measured faster than torch on this machine; the
measurement is kept beside the graphs, so that the same machine draws by the same engine after a restart.
"""

from __future__ import annotations

import json
import logging
import statistics
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from diffusion.engines import Engine
from diffusion.openvino_graphs import (
    NETWORKS,
    GraphError,
    available,
    check_going_on,
    examples,
    graph_folder,
    prepared,
    without_telemetry,
)
from diffusion.precision import dtype_name
from diffusion.quantized import BITS_BY_TORCH, weight_bits
from jobspec import PictureSize

if TYPE_CHECKING:
    import openvino

    from diffusion.pipeline import TwoStagePipeline
    from diffusion.stage import Stage

logger = logging.getLogger(__name__)
PRECISIONS = {"float32": "f32", "bfloat16": "bf16"}
THREAD = "openvino"  # what prepares in the background
AUTO_PARAMETERS = 300_000_000  # of all U-Nets together, beyond which "auto" writes no graphs of several GB by itself
MEASURED = "measured.json"
MEASURED_ROWS = (2, 8)  # one picture and four, guided
MEASUREMENTS = 5


@cache
def one_core() -> openvino.Core:
    """OpenVINO's plugins, loaded once: the last Core that goes unloads code that its threads may still run."""
    without_telemetry()
    import openvino

    return openvino.Core()


class OpenVinoEngine:
    """The graphs of one stage, compiled. One call at a time, as a pipeline draws."""

    def __init__(self, folder: Path, role: str, size: int, precision: str, threads: int) -> None:
        import openvino

        core = one_core()
        settings = {"INFERENCE_PRECISION_HINT": PRECISIONS[precision], "PERFORMANCE_HINT": "LATENCY"}
        settings["INFERENCE_NUM_THREADS"] = str(threads)
        self.name = f"openvino {openvino.__version__.split('-')[0]}"
        self.machine = f"{core.get_property('CPU', 'FULL_DEVICE_NAME')}, {threads} threads, {precision}"
        self._size = size
        self._requests: dict[str, openvino.InferRequest] = {}
        for network in NETWORKS:
            check_going_on()
            graph = core.compile_model(folder / f"{role}-{network}.xml", "CPU", settings)
            self._requests[network] = graph.create_infer_request()

    def takes(self, size: PictureSize) -> bool:
        return size == PictureSize.square(self._size)

    def predict(
        self, x: torch.Tensor, t: torch.Tensor, hidden: torch.Tensor, added: Mapping[str, torch.Tensor] | None,
        told: torch.Tensor | None = None,
    ) -> torch.Tensor:  # fmt: skip
        assert told is None  # `_why_not` keeps an LCM with torch
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
        request.infer([each.detach().float().contiguous().numpy() for each in given])
        return torch.from_numpy(request.get_output_tensor(0).data.copy())


def use_engine(pipeline: TwoStagePipeline, engine: str, cache: Path, convert: Callable[[Path], None]) -> None:
    """Give the stages of `pipeline` the engine that is asked for: "openvino" before this returns, "auto" later.

    `convert` writes the pipeline's graphs into a folder under `cache`, if they are not there. Raises GraphError where
    "openvino" cannot be had; "auto" logs the reason and stays with torch.
    """
    reason = "" if engine == "torch" else _why_not(pipeline, engine)
    if reason and engine == "openvino":
        raise GraphError(reason)
    if reason or engine == "torch":
        if reason:
            logger.info("drawing by torch: %s", reason)
        return

    threads = torch.get_num_threads()

    def prepare() -> None:
        folder = graph_folder(cache, pipeline.checkpoint_id)
        prepared(folder, convert)
        _compile(pipeline, folder, threads, only_if_faster=engine == "auto")

    def prepare_or_say() -> None:
        try:
            prepare()
        except Exception as error:  # drawing goes on by torch, whatever it was
            logger.warning("drawing by torch: %s", error, exc_info=not isinstance(error, GraphError))

    if engine == "auto":
        threading.Thread(target=prepare_or_say, name=THREAD).start()
    else:
        prepare()


def _why_not(pipeline: TwoStagePipeline, engine: str) -> str:
    """Why OpenVINO cannot draw for a pipeline, or not by itself; "" where it can."""
    stages = pipeline.stages.values()
    dtype, device = dtype_name(pipeline.stages["base"].unet.dtype), pipeline.stages["base"].device.type
    if device != "cpu":
        return f"OpenVINO runs on a CPU here, and this pipeline draws on {device}"
    if dtype not in PRECISIONS:
        return f"OpenVINO computes in float32 or bfloat16 here, not in {dtype}"
    if any(stage.told_width for stage in stages):
        return "a latent consistency model is told its guidance, which the graphs do not take"
    if (bits := weight_bits(pipeline.stages["base"].unet)) is not None:
        return BITS_BY_TORCH.format(bits)
    if any(stage.pictures_at_once is not None for stage in stages):
        return "with little memory there is no room for graphs beside the weights"
    parameters = sum(stage.unet_parameters for stage in stages)
    if engine == "auto" and parameters > AUTO_PARAMETERS:
        size = f"{parameters / 1e9:.1f} billion parameters, {4 * parameters / 1e9:.0f} GB of graphs"
        return f"the U-Nets have {size}: choose the engine openvino for them"
    return "" if available() else "OpenVINO is not installed: pip install openvino"


def _compile(pipeline: TwoStagePipeline, folder: Path, threads: int, *, only_if_faster: bool) -> None:
    stages = pipeline.stages
    precision = dtype_name(stages["base"].unet.dtype)
    compiled = {role: OpenVinoEngine(folder, role, each.size, precision, threads) for role, each in stages.items()}
    if only_if_faster and not _is_faster(pipeline, compiled, folder):
        logger.info("drawing by torch: OpenVINO was measured slower here")
        return
    with pipeline.between_draws():
        for role, stage in stages.items():
            stage.compiled = compiled[role]
    logger.info("drawing by %s in %s", compiled["base"].name, precision)


def _is_faster(pipeline: TwoStagePipeline, compiled: Mapping[str, OpenVinoEngine], folder: Path) -> bool:
    """Whether the graphs of all stages together take less time than torch, as measured here before or now."""
    path, machine = folder / MEASURED, compiled["base"].machine
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = {}
    if machine not in known:
        known[machine] = _measured(pipeline, compiled)
        logger.info("seconds of a step and a decoding on %s: %s", machine, known[machine])
        path.write_text(json.dumps(known, indent=1), encoding="utf-8")
    return bool(known[machine]["openvino"] < known[machine]["torch"])


def _measured(pipeline: TwoStagePipeline, compiled: Mapping[str, OpenVinoEngine]) -> dict[str, float]:
    """Median seconds of steps and decodings of all stages by torch and by the graphs, taken in turns between draws."""
    seconds = {"torch": 0.0, "openvino": 0.0}
    for role, stage in pipeline.stages.items():
        engines: dict[str, Engine] = {"torch": stage.torch, "openvino": compiled[role]}
        runs = {name: list(_runs(stage, engine)) for name, engine in engines.items()}
        for i in range(len(runs["torch"])):
            times: dict[str, list[float]] = {name: [] for name in runs}
            for _ in range(MEASUREMENTS + 1):
                check_going_on()
                for name in runs:
                    with pipeline.between_draws(), torch.inference_mode():
                        since = time.perf_counter()
                        runs[name][i]()
                        times[name].append(time.perf_counter() - since)
            for name in runs:
                seconds[name] += statistics.median(times[name][1:])
    return {name: round(value, 5) for name, value in seconds.items()}


def _runs(stage: Stage, engine: Engine) -> Iterable[Callable[[], object]]:
    """What is measured of a stage: a step of some rows each, a decoding."""
    for rows in MEASURED_ROWS:
        given = examples(stage, "unet", rows)
        added = {"text_embeds": given[3], "time_ids": given[4]} if len(given) > 3 else None
        yield partial(engine.predict, given[0], given[1], given[2], added)
    yield partial(engine.decode, examples(stage, "decoder", 1)[0])
