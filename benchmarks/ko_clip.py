"""Measure ko_clip beside the usual ways; print one Markdown table.

    OMP_NUM_THREADS=2 python -m benchmarks.ko_clip                      about five minutes on two cores
    OMP_NUM_THREADS=2 python -m benchmarks.ko_clip --pairs 4000000 --only memory
    OMP_NUM_THREADS=2 python -m benchmarks.ko_clip --encoder checkpoints/korean --only prompt

training  pairs a second beside the ancestor's loop: input padded to 77, float32, teacher run at every step, batch 32,
          every slot, AdamW; same student, same teacher, same captions; ours as a recipe of three lines sets it, in
          float32 and in the precision that it takes by itself; then with the sizes of what the ancestor trains, a
          student like klue/roberta-base and SD 1.5's text encoder (random weights, the recipe sd15-sdxl's decoder)
prompt    one Korean prompt to conditioning beside translate-then-encode: an encoder-decoder of Marian's size
          (74 M, random weights) with beam 4, as long as the mean English caption, then CLIP-L's size of text encoder
tokens    tokens a Hangul syllable and English tokens on tables of pairs (--texts) beside a CLIP's own tokenizer
          (--clip, a folder with vocab.json and merges.txt; SD 1.5's is public). Give pairs that the encoder's tokenizer
          was not trained on: KorSTS dev joined with STS-B dev (kakaobrain/kor-nlu-datasets, PhilipMay/stsb-multi-mt)
memory    the largest resident set while a table of pairs is stored and streamed as training does it

Times are processor time, which other work on the machine does not stretch; the wall clock's median is given as well.
"""

from __future__ import annotations

import argparse
import copy
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from transformers import CLIPTextConfig

    from ko_clip.recipe import Recipe
    from ko_clip.training_context import TrainingContext

PARTS = ("training", "prompt", "tokens", "memory")
HEAD = "| measure | ours | beside | ratio | must show |\n|---|---|---|---|---|"
_STEPS, _PROMPTS = 6, 30
_PRECISIONS = {"float32": "float32", "auto": "bfloat16, as the machine has it"}


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.ko_clip", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="parts of the table (default: all)")
    parser.add_argument(
        "--encoder", type=Path, help="folder of an encoder for `prompt`, `tokens` (default: a random one)"
    )
    parser.add_argument(
        "--texts", type=Path, nargs="*", default=(), help="tables of pairs for `tokens` (none: no such rows)"
    )
    parser.add_argument("--clip", type=Path, help="folder of CLIP's tokenizer for `tokens`")
    parser.add_argument("--pairs", type=int, default=4_000_000, help="rows of `memory` (4,000,000)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--stream", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    torch.set_num_threads(arguments.threads)
    if arguments.stream:
        print(stream(arguments.stream))
        return
    from transformers.utils import logging as hub_logging

    hub_logging.set_verbosity_error()
    hub_logging.disable_progress_bar()
    print(HEAD, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        if "training" in arguments.only:
            training(Path(folder))
        if "prompt" in arguments.only:
            prompt(arguments.encoder, Path(folder))
        if "tokens" in arguments.only and arguments.texts:
            tokens(arguments.encoder or _random_encoder(Path(folder)), arguments.texts, arguments.clip)
        if "memory" in arguments.only:
            memory(Path(folder), arguments.pairs)


def row(measure: str, ours: str, beside: str, ratio: str, asked: str) -> None:
    print(f"| {measure} | {ours} | {beside} | {ratio} | {asked} |", flush=True)


def training(folder: Path) -> None:
    """Pairs a processor second: our step with kept targets, optimizer and average, and the ancestor's."""
    from ko_clip.training_context import open_context
    from training.processes import mixed_precision

    context = open_context(_recipe(folder, _random_clip(folder)))
    own = "auto" if mixed_precision("auto") != "no" else "float32"
    theirs = _pace(_ancestor(context), 32)
    for wanted in dict.fromkeys(("float32", own)):
        _tell_training(f"a recipe of three lines, {_PRECISIONS[wanted]}", _our_pace(context, wanted, _STEPS), theirs)
    context = open_context(_large_recipe(folder, context.folder / "tokenizer"))
    theirs = _pace(_ancestor(context), 32, 1)
    _tell_training(f"sizes of SD 1.5 and klue/roberta-base, {_PRECISIONS[own]}", _our_pace(context, own, 1), theirs)


def _tell_training(what: str, ours: float, theirs: float) -> None:
    row(f"training, pairs per processor second: {what}", f"{ours:.3g}",
        f"{theirs:.3g} (float32, padded, teacher each step)", f"{ours / theirs:.1f}×", "≥ 5×")  # fmt: skip


def _our_pace(context: TrainingContext, wanted: str, steps: int) -> float:
    from ko_clip.distill import trainer_settings
    from ko_clip.text_objective import TextObjective
    from training.processes import open_accelerator
    from training.trainer import Trainer

    recipe, accelerator = context.recipe, open_accelerator(wanted, torch.get_num_threads())
    objective = TextObjective(context, accelerator, recipe.text)
    settings = trainer_settings(recipe.text, recipe.seed, None, False)
    trainer = Trainer(objective.model, objective.losses, settings, context.folder, accelerator=accelerator)
    objective.student.train()
    for step in range(steps + 1):  # every row's targets are asked once before the clock runs
        for batch in objective.sampler.parts_at(step, 1):
            for targets in objective.targets[batch.corpus]:
                targets.fill(batch.indices, batch.texts)
    return _pace(trainer.train_step, recipe.text.batch, steps)


def _ancestor(context: TrainingContext) -> Callable[[], None]:
    """The ancestor's step with the same student: all padded to 77, the teacher asked at every step, batch 32."""
    from ko_clip.batches import Sampler
    from ko_clip.losses import pooled_loss, sequence_loss

    sampler = Sampler(context.corpora, [1.0], context.tokenizer, 32, seed=5)
    teacher, student = next(iter(context.teachers.values())), copy.deepcopy(context.student).train()
    optimizer, ones = torch.optim.AdamW(student.parameters(), 1e-4), torch.ones(77)
    position = iter(range(10**6))

    def step() -> None:
        batch = sampler.at(next(position))
        ids = torch.nn.functional.pad(batch.ids, (0, 77 - batch.ids.shape[1]), value=1)  # read as tokens, as there
        output, wanted = student.encode(ids), teacher.encode(batch.texts)
        loss = sum(
            sequence_loss(output[name].states, torch.from_numpy(wanted[name].states), ones, ones)
            for name in teacher.heads
        )
        for name in filter(lambda name: teacher.heads[name].pooled, teacher.heads):
            loss = loss + pooled_loss(output[name].pooled, torch.from_numpy(wanted[name].pooled), torch.ones(()))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def _pace(step: Callable[[], object], pairs: int, steps: int = _STEPS) -> float:
    """Pairs a second of processor time, divided by the threads that share the work; one step goes before the clock."""
    step()
    start = time.process_time()
    for _ in range(steps):
        step()
    return steps * pairs * torch.get_num_threads() / (time.process_time() - start)


def prompt(encoder: Path | None, folder: Path) -> None:
    """One Korean prompt to the base's and the refiner's conditioning, never asked before."""
    from transformers import CLIPTextConfig, CLIPTextModel, MarianConfig, MarianMTModel

    from ko_clip.encoder import PromptEncoder

    opened = PromptEncoder.load(encoder or _random_encoder(folder))
    prompts = [f"빨간색 체크무늬 원피스를 입은 사람을 흰 배경에 그려 주세요 {i}" for i in range(_PROMPTS)]
    opened.base(["첫 번째"])
    ours = _times(lambda i: opened.base([prompts[i]]), _PROMPTS)
    torch.manual_seed(0)
    config = MarianConfig(
        vocab_size=65001, d_model=512, encoder_layers=6, decoder_layers=6, encoder_attention_heads=8,
        decoder_attention_heads=8, encoder_ffn_dim=2048, decoder_ffn_dim=2048, pad_token_id=65000, eos_token_id=0,
        decoder_start_token_id=65000, forced_eos_token_id=None, bad_words_ids=None, scale_embedding=True,
    )  # fmt: skip
    translator, reader = MarianMTModel(config).eval(), CLIPTextModel(CLIPTextConfig(eos_token_id=2)).eval()
    source, padded = torch.arange(5, 25)[None], torch.full((1, 77), 2)

    def translate(_: int) -> None:
        with torch.inference_mode():
            translator.generate(source, num_beams=4, min_new_tokens=14, max_new_tokens=14, do_sample=False)
            reader(padded)

    theirs = _times(translate, 4)
    row("one Korean prompt to conditioning, median", f"{ours[1] * 1e3:.1f} ms ({ours[0] * 1e3:.1f} ms of processor)",
        f"{theirs[1] * 1e3:.0f} ms (translate, encode)", f"{theirs[0] / ours[0]:.0f}×", "≥ 20×, < 15 ms")  # fmt: skip


def _times(call: Callable[[int], object], count: int) -> tuple[float, float]:
    """Medians of processor time (a thread's share) and of wall time, seconds."""
    found = []
    for i in range(count):
        wall, cpu = time.perf_counter(), time.process_time()
        call(i)
        found.append(((time.process_time() - cpu) / torch.get_num_threads(), time.perf_counter() - wall))
    return statistics.median(f[0] for f in found), statistics.median(f[1] for f in found)


def tokens(encoder: Path, texts: Sequence[Path], clip: Path | None) -> None:
    """What an encoder's tokenizer makes of sentences, and what CLIP's own does."""
    from transformers import CLIPTokenizer

    from ko_clip.tables import Report, read_pairs
    from ko_clip.tokenizer import PromptTokenizer

    ours, theirs = PromptTokenizer.load(encoder), CLIPTokenizer.from_pretrained(clip) if clip else None
    for path in texts:
        korean, english = zip(*read_pairs(path, Report()), strict=True)
        syllables = sum("가" <= letter <= "힣" for side in korean for letter in side)
        for what, side, unit, asked in (
            ("tokens a Hangul syllable", korean, syllables, "≤ 0.9"),
            ("English tokens", english, 1, "≤ 1.25×"),
        ):
            mine = sum(map(ours.count, side)) / unit
            clips = sum(len(ids) - 2 for ids in theirs(list(side)).input_ids) / unit if theirs else 0
            beside = (f"{clips:.5g} (CLIP)", f"{mine / clips:.2f}×") if theirs else ("", "")
            row(f"{what}, {path.name}", f"{mine:.5g}", *beside, asked)


def memory(folder: Path, pairs: int) -> None:
    """Largest resident set of a process that stores a table of drawn captions and reads it in batches."""
    from fashion.captions import caption
    from fashion.scene import scenes

    texts = [(caption(s, "ko", seed=i).text, caption(s, "en", seed=i).text) for i, s in enumerate(scenes(3, 2000))]
    path = folder / "pairs.tsv"
    with path.open("w", encoding="utf-8") as file:
        file.write("ko\ten\n")
        for i in range(pairs):
            korean, english = texts[i % len(texts)]
            file.write(f"{korean} {i}\t{english} {i}\n")
    found = subprocess.run(
        [sys.executable, "-m", "benchmarks.ko_clip", "--stream", str(path)], capture_output=True, text=True, check=True
    ).stdout.split()
    text = f"{path.stat().st_size / 1e9:.2f} GB of text"
    row(f"memory streaming {int(found[0]):,} pairs", f"{float(found[1]):.2f} GB", text,
        f"{float(found[2]):,.0f} pairs/s read", "≤ 2 GB")  # fmt: skip


def stream(path: Path) -> str:
    """Store a table and draw batches from all over it, as training does; rows, GB of memory, pairs a second."""
    from ko_clip.batches import Sampler
    from ko_clip.corpora import store
    from ko_clip.recipe import CorpusRecipe
    from ko_clip.tokenizer import TokenizerRecipe, train_tokenizer

    start = time.perf_counter()
    corpus = store(CorpusRecipe(path=str(path)), path.parent / "stored")
    pace = len(corpus) / (time.perf_counter() - start)
    lines = (side for i in range(0, len(corpus), max(1, len(corpus) // 2000)) for side in corpus.texts(i))
    sampler = Sampler([corpus], [1.0], train_tokenizer(lines, TokenizerRecipe(500, 500)), batch=256)
    for step in range(64):
        sampler.at(step)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return f"{len(corpus)} {peak / 1e9:.3f} {pace:.0f}"


def _recipe(folder: Path, clip: Path) -> Recipe:
    """Three lines, a random CLIP of the shipped shape and drawn captions."""
    from ko_clip.recipe import recipe_from

    return recipe_from(
        {
            "teacher": str(clip), "run": str(folder / "run"),
            "corpora": [{"kind": "drawn", "seed": 9, "count": 6000, "korean_share": 1, "noise": 0.3}],
            "text": {"evaluate_every": 10**6},
        }
    )  # fmt: skip


def _large_recipe(folder: Path, tokenizer: Path) -> Recipe:
    """SD 1.5's text encoder and a student of ko_clip/config/sd15-sdxl.yaml's sizes; few captions, for they are slow."""
    from transformers import CLIPTextConfig, CLIPTextModel

    from ko_clip.recipe import recipe_from

    clip = _random_clip(folder, "clip-l", CLIPTextModel, CLIPTextConfig(
        hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12,
    ))  # fmt: skip
    return recipe_from(
        {
            "heads": {"base": {"teacher": str(clip)}}, "run": str(folder / "large"), "tokenizer_path": str(tokenizer),
            "corpora": [{"kind": "drawn", "seed": 9, "count": 150, "korean_share": 1, "noise": 0.3}],
            "student": {"embedding_size": 128, "width": 768, "layers": 12, "attention_heads": 12, "decoder_layers": 4,
                        "decoder_mlp_ratio": 4},
            "text": {"evaluate_every": 10**6},
        }
    )  # fmt: skip


def _random_clip(
    folder: Path, name: str = "clip", kind: type | None = None, sizes: CLIPTextConfig | None = None
) -> Path:
    """A CLIP text tower with random weights, of the shipped shape by itself, and a tokenizer of English captions."""
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection

    from fashion.captions import caption
    from fashion.scene import scenes
    from ko_clip.english import train_tokenizer

    tokenizer = train_tokenizer(caption(s, "en", seed=i).text for i, s in enumerate(scenes(4, 2000)))
    torch.manual_seed(0)
    config = sizes or CLIPTextConfig(
        hidden_size=192, intermediate_size=768, num_hidden_layers=4, num_attention_heads=6, projection_dim=192
    )
    config.vocab_size = len(tokenizer)
    for token in ("bos", "eos", "pad"):
        setattr(config, f"{token}_token_id", getattr(tokenizer, f"{token}_token_id"))
    (kind or CLIPTextModelWithProjection)(config).save_pretrained(folder / name)
    tokenizer.save_pretrained(folder / name)
    return folder / name


def _random_encoder(folder: Path) -> Path:
    """An encoder of the shipped sizes with random weights."""
    from ko_clip.recipe import load_recipe
    from ko_clip.student import build_student, save_encoder
    from ko_clip.teachers import open_teachers
    from ko_clip.tokenizer import TokenizerRecipe, train_tokenizer

    recipe = load_recipe(
        Path(__file__).parents[1] / "ko_clip/config/small.yaml",
        heads=_heads(folder),
        corpora=[{"kind": "drawn"}],
        held_out=(),
    )
    tokenizer = train_tokenizer(["빨간 원피스", "a red dress"] * 40, TokenizerRecipe(100, 100))
    student = build_student(recipe, tokenizer, open_teachers(recipe.heads))
    save_encoder(student, tokenizer, folder / "encoder")
    return folder / "encoder"


def _heads(folder: Path) -> dict[str, dict[str, object]]:
    from ko_clip.recipe import standard_heads

    clip = folder / "clip" if (folder / "clip").is_dir() else _random_clip(folder)
    return standard_heads(str(clip))


if __name__ == "__main__":
    main()
