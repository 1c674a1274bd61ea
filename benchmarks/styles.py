"""What a LoRA style costs: to read, to switch to, to leave, and at each step, on the base of a checkpoint.

python -m benchmarks.styles --checkpoint checkpoints
python -m benchmarks.styles --style runs/lora-네온/네온.safetensors --look neon --prompts 24

In: a checkpoint. Out: a table in milliseconds, the median of `--rounds`. "merged anew" is the way without kept weights,
as every draw went before they were kept; PEFT's layers beside the weights are the way that needs no merging at all.
With a style and the look that it was trained on: in how many pictures a judge (benchmarks.style_judge) sees the look
with the style and without, of the same prompts and seeds, and whether the base is back afterwards.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from peft import LoraConfig
from safetensors.torch import save_file

from benchmarks.style_judge import train_judges
from diffusion.load import load_pipeline
from diffusion.lora import LoraShelf
from diffusion.lora_card import read_card
from diffusion.lora_files import check_header
from diffusion.pipeline import DrawSettings, Shot
from diffusion.training.lora_adapters import LAYERS
from fashion.captions import caption
from fashion.looks import LOOKS
from fashion.reader import FashionReader
from fashion.scene import sample_scene
from fashion.scorer import Scorer
from jobspec import StyleUse
from ko_clip.encoder import PromptEncoder

SCENES = 61 * 10**7  # no training set begins here
RANK = 8
ASKED = 50.0  # milliseconds to switch


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", default="checkpoints")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--style", type=Path, help="a style to be judged, in place of the times")
    parser.add_argument("--look", choices=tuple(LOOKS), help="what it was trained on")
    parser.add_argument("--prompts", type=int, default=24)
    parser.add_argument("--encoder", default="checkpoints/korean")
    options = parser.parse_args(argv)
    torch.set_num_threads(options.threads)
    if options.style:
        print(judged(options.checkpoint, options.encoder, options.style, options.look, options.prompts))
        return
    stage = load_pipeline(options.checkpoint, dtype="float32").stages["base"]
    with tempfile.TemporaryDirectory() as folder:
        for seed, name in enumerate("ab"):
            size = write_random(stage.unet, Path(folder) / f"{name}.safetensors", seed)
        print(
            f"{size / 1e3:.0f} kB a style of rank {RANK} in all layers; {stage.unet_parameters / 1e6:.1f} M weights\n"
        )
        print(table(measured(stage.unet, Path(folder), options.rounds)))


def write_random(unet: UNet2DConditionModel, path: Path, seed: int) -> int:
    """Write a style of random factors for all layers that a training may change; returns its bytes."""
    generator, state = torch.Generator().manual_seed(seed), {}
    for name, weight in unet.named_parameters():
        layer = name.removesuffix(".weight")
        if weight.ndim > 1 and layer.endswith(LAYERS["all"]):
            state[f"unet.{layer}.lora_A.weight"] = torch.randn(RANK, *weight.shape[1:], generator=generator) * 0.01
            ones = [1] * (weight.ndim - 2)
            state[f"unet.{layer}.lora_B.weight"] = torch.randn(weight.shape[0], RANK, *ones, generator=generator) * 0.01
    save_file({key: value.half() for key, value in state.items()}, path)
    return path.stat().st_size


def measured(unet: UNet2DConditionModel, folder: Path, rounds: int) -> dict[str, float]:
    """Milliseconds by row, the median."""
    one, two = [StyleUse(name="a")], [StyleUse(name="a", weight=0.5), StyleUse(name="b", weight=0.5)]
    shelf, plain = LoraShelf(folder), LoraShelf(folder, kept_bytes=0)

    def enter_and_leave(shelf: LoraShelf, styles: list[StyleUse]) -> Callable[[], None]:
        def work() -> None:
            with shelf.applied(unet, styles):
                pass

        return work

    side = int(unet.config["sample_size"])
    latents = torch.randn(2, unet.config["in_channels"], side, side)
    hidden = torch.randn(2, 77, unet.config["cross_attention_dim"])

    @torch.inference_mode()
    def step() -> None:
        unet(latents, torch.tensor(500.0), hidden)

    found = {
        "a style for the first time": timed(lambda: enter_and_leave(LoraShelf(folder), one)(), rounds),
        "switch, merged anew": timed(enter_and_leave(plain, one), rounds),
        "switch, kept": timed(enter_and_leave(shelf, one), rounds),
        "two styles, kept": timed(enter_and_leave(shelf, two), rounds),
        "a step without a style": timed(step, rounds),
    }
    with shelf.applied(unet, one):
        found["a step with a style"] = timed(step, rounds)
    unet.add_adapter(LoraConfig(r=RANK, lora_alpha=RANK, target_modules=list(LAYERS["all"])))
    found["a step with PEFT's layers"] = timed(step, rounds)
    unet.delete_adapters("default")
    return found


def judged(checkpoint: str, encoder: str, path: Path, look: str, prompts: int) -> str:
    """Rows of what a judge sees in pictures of held-out scenes, with the style and without."""
    pipeline = load_pipeline(
        checkpoint, text_encoder=PromptEncoder.load(encoder), reader=FashionReader(), dtype="float32",
        styles=path.parent,
    )  # fmt: skip
    judge = train_judges(Scorer.load(Path(checkpoint) / "scorers", "reporting"))[look]
    use = StyleUse(name=path.stem)
    trigger = read_card(path.stem, check_header(path, path.stem), "").trigger
    scenes = [LOOKS[look].dressed(sample_scene(SCENES + i, "held_out")) for i in range(prompts)]
    texts = [caption(scene, "ko", seed=i).text for i, scene in enumerate(scenes)]
    rows = []
    for name, styles, word in (
        ("with the style and its word", (use,), trigger), ("with its word alone", (), trigger),
        ("without", (), ""), ("without, afterwards", (), ""),
    ):  # fmt: skip
        shots = [Shot(f"{word}, {text}" if word else text, seed=i) for i, text in enumerate(texts)]
        settings = DrawSettings(refine=False, styles=styles)
        rows.append((name, [pipeline.draw([shot], settings).images[0] for shot in shots]))
    same = all(one.tobytes() == other.tobytes() for one, other in zip(rows[2][1], rows[3][1], strict=True))
    seen = [f"| {name} | {100 * judge.sees(images).mean():.0f} % |" for name, images in rows]
    head = f"| {prompts} held-out scenes, Korean prompts | look seen |\n|---|---:|"
    tail = f"The judge tells {100 * judge.right:.1f} % of true drawings rightly; the base afterwards is " + (
        "the same, byte by byte." if same else "another."
    )
    return "\n".join([head, *seen, "", tail])


def timed(work: Callable[[], None], rounds: int) -> float:
    work()
    seconds = []
    for _ in range(rounds):
        since = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - since)
    return 1000 * statistics.median(seconds)


def table(found: dict[str, float]) -> str:
    """The rows for people, beside what was asked of them."""
    asked = {"switch, kept": f"{ASKED:.0f}", "two styles, kept": f"{ASKED:.0f}",
             "a step with a style": f"{found['a step without a style']:.1f}"}  # fmt: skip
    rows = [f"| {name} | {value:.1f} | {asked.get(name, '')} |" for name, value in found.items()]
    return "\n".join(["| what | milliseconds | asked, at most |", "|---|---:|---:|", *rows])


if __name__ == "__main__":
    main()
