"""ComfyUI's graph of nodes as names and values: the sampler that drew, and what leads into it.

In: {"3": {"class_type": "KSampler", "inputs": {"seed": 1, "positive": ["6", 0], …}}, …}. Out: positive, negative, seed,
steps, and whatever else the sampler and the loaders name. An input that is a list is a link: node and output.
"""

from __future__ import annotations

from collections.abc import Mapping

TEXTS = ("text", "string", "value", "text_g", "text_l", "prompt", "wildcard_text", "populated_text")
KEPT = ("cfg", "sampler_name", "scheduler", "denoise")
Graph = Mapping[str, object]


def of_graph(graph: Graph) -> dict[str, object] | None:
    """What drew the picture; None where no node is a sampler with words."""
    found = [values for node in graph.values() if (values := _of_sampler(graph, node)) is not None]
    if not found:
        return None
    best = max(found, key=_denoise)
    rest: dict[str, object] = {}
    for inputs in map(_inputs, graph.values()):
        if "lora_name" in inputs:
            rest[f"LoRA {inputs['lora_name']}"] = inputs.get("strength_model")
        if "ckpt_name" in inputs:
            rest["checkpoint"] = inputs["ckpt_name"]
        if {"width", "height", "batch_size"} <= inputs.keys():
            rest["size"] = f"{inputs['width']}x{inputs['height']}"
    return best | rest


def _denoise(values: Mapping[str, object]) -> float:
    """How much of the picture a sampler drew: the first pass all of it."""
    share = values.get("denoise")
    return float(share) if isinstance(share, int | float) else 1.0


def _of_sampler(graph: Graph, node: object) -> dict[str, object] | None:
    inputs = _inputs(node)
    if not {"positive", "negative"} <= inputs.keys():
        return None
    positive = _words(graph, inputs["positive"])
    if positive is None or not {"steps", "seed", "noise_seed"} & inputs.keys():
        return None
    kept = {name: inputs[name] for name in KEPT if not isinstance(inputs.get(name, []), list)}
    seed = _plain(graph, inputs.get("seed", inputs.get("noise_seed")))
    return {"positive": positive, "negative": _words(graph, inputs["negative"]) or "", "seed": seed,
            "steps": _plain(graph, inputs.get("steps"))} | kept  # fmt: skip


def _words(graph: Graph, link: object) -> str | None:
    """The first text that leads into an input, each node looked at once."""
    waiting, seen = [link], set[str]()
    while waiting:
        link = waiting.pop()
        if isinstance(link, str) and link:
            return link
        if not isinstance(link, list) or not link or str(link[0]) in seen:
            continue
        seen.add(str(link[0]))
        inputs = _inputs(graph.get(str(link[0])))
        linked = [value for value in inputs.values() if isinstance(value, list)]
        waiting += [*reversed(linked), *(inputs[name] for name in reversed(TEXTS) if name in inputs)]
    return None


def _plain(graph: Graph, value: object) -> object:
    """A number, or that of the node that it is linked to."""
    inputs = _linked(graph, value)
    if inputs is None:
        return value
    return next((each for each in inputs.values() if _number(each)), None)


def _linked(graph: Graph, link: object) -> Mapping[str, object] | None:
    if not isinstance(link, list) or not link:
        return None
    return _inputs(graph.get(str(link[0])))


def _inputs(node: object) -> Mapping[str, object]:
    inputs = node.get("inputs") if isinstance(node, Mapping) else None
    return inputs if isinstance(inputs, Mapping) else {}


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
