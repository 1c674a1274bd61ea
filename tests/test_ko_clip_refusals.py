"""What is wrong with a command's data is one line that names the file; what the commands write opens without us."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from ko_clip_parts import PAIRS, make_clip, write_pairs
from safetensors.torch import load_file, save_file
from transformers.utils import logging as hub_logging

from ko_clip import evaluate, export, lexical, train
from ko_clip.encoder import PromptEncoder
from ko_clip.model import KoClipConfig, KoClipModel
from ko_clip.opening import quietly
from ko_clip.recipe import HeadRecipe
from ko_clip.student import save_encoder
from ko_clip.teachers import ClipTeacher, file_hash, fingerprint
from ko_clip.tokenizer import PromptTokenizer, TokenizerRecipe, train_tokenizer
from training.command import run_command

ROOT = Path(__file__).parents[1]
HEADS = {"base": {"dim": 32, "teacher": "sha256:aa"}, "refiner": {"dim": 32, "pooled": 24, "teacher": "sha256:aa"}}
MINE = "teacher: clip\ncorpus: pairs.csv\n"
TEXTS = ["빨간 모자", "red hat", "하얀 원피스를 입은 사람", "분홍 모자와 주황 재킷"]
OPEN = """
import sys, numpy
from sentence_transformers import SentenceTransformer
model = {call}
numpy.save(sys.argv[1], model.encode({texts!r}, show_progress_bar=False))
sys.exit("ko_clip" in sys.modules)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    tokenizer = train_tokenizer((side for pair in PAIRS for side in pair), TokenizerRecipe(80, 80), max_tokens=12)
    sizes = {"embedding_size": 8, "width": 16, "layers": 1, "attention_heads": 2, "decoder_layers": 1, "max_tokens": 12}
    model = KoClipModel(KoClipConfig(vocab_size=tokenizer.vocab_size, heads=HEADS, **sizes))
    path = tmp_path_factory.mktemp("encoder") / "encoder"
    save_encoder(model, tokenizer, path)
    return path


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-50])


def with_tensor(path: Path, change: Callable[[dict], dict]) -> None:
    save_file(change(load_file(path)), path, metadata={"format": "pt"})


def set_width(path: Path) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), "width": 32}))


@pytest.mark.parametrize(
    ("name", "spoil", "message"),
    [
        ("config.json", lambda path: path.write_text("{"), "config.json is not JSON"),
        ("config.json", lambda path: path.write_text("[]"), "config.json holds a list"),
        ("config.json", lambda path: path.write_text('{"model_type": "ko_clip", "heads": 5}'), "config.json"),
        ("config.json", set_width, "in another shape"),
        ("tokenizer.json", lambda path: path.write_text("{"), "tokenizer.json cannot be opened"),
        ("tokenizer.json", Path.unlink, "tokenizer.json is missing"),
        ("tokenizer_config.json", lambda path: path.write_text("{"), "tokenizer_config.json cannot be read"),
        ("model.safetensors", cut, "model.safetensors cannot be opened"),
        ("model.safetensors", lambda path: path.write_text("pickle"), "model.safetensors cannot be opened"),
        (
            "model.safetensors",
            lambda path: with_tensor(path, lambda s: {k: v for k, v in s.items() if k != "decoder.queries"}),
            "lacks 1 weights that config.json asks for, decoder.queries",
        ),
        (
            "model.safetensors",
            lambda path: with_tensor(path, lambda s: {**s, "decoder.queries": s["decoder.queries"] * float("nan")}),
            "decoder.queries holds NaN or infinite values",
        ),
    ],
)
def test_a_damaged_encoder_is_one_line_that_names_its_file(
    copy: Path, name: str, spoil: Callable, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(copy / name)
    pairs = write_pairs(copy.parent / "pairs.csv")
    assert evaluate.main(["--encoder", str(copy), "--pairs", str(pairs)]) == 2
    assert export.main(["--encoder", str(copy), "--out", str(copy.parent / "out")]) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert first == second
    assert first.startswith("error: ")
    assert message in first
    assert str(copy) in first


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("score\tko1\tko2\nx\t가\t나\n".encode(), "line 2: score is 'x'"),
        ("score\tko1\tko2\n1\t가\t나\n2\t가\n".encode(), "line 3 is cut"),
        ("score\tko1\n1\t가\n".encode(), "needs the columns"),
        (b"", "needs the columns"),
        ("score\tko1\tko2\n1\t가\t나\n".encode("cp949"), "is not a TSV in UTF-8"),
    ],
)
def test_scored_pairs_that_cannot_be_read_are_named(
    folder: Path, tmp_path: Path, content: bytes, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "scored.tsv"
    path.write_bytes(content)
    assert evaluate.main(["--encoder", str(folder), "--scored", str(path)]) == 2
    refused = capsys.readouterr().err
    assert message in refused
    assert "scored.tsv" in refused
    assert refused.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        lambda path: (evaluate, ["--pairs", f"{path}/pairs.csv", "--out", f"{path}/pairs.csv"]),
        lambda path: (evaluate, ["--pairs", f"{path}/nowhere.csv"]),
        lambda path: (evaluate, ["--pairs", f"{path}/empty.csv"]),
        lambda path: (evaluate, ["--drawn", "3", "--teacher", f"{path}/nowhere"]),
        lambda path: (export, ["--out", f"{path}/pairs.csv"]),
        lambda path: (export, ["--out", f"{path}/full"]),
        lambda path: (lexical, ["--config", f"{path}/nowhere.yaml"]),
    ],
)
def test_a_path_that_cannot_be_used_is_named(
    folder: Path, tmp_path: Path, arguments: Callable, capsys: pytest.CaptureFixture[str]
) -> None:
    write_pairs(tmp_path / "pairs.csv")
    (tmp_path / "empty.csv").write_text("ko,en\n")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine.txt").write_text("kept")
    command, rest = arguments(tmp_path)
    assert command.main(["--encoder", str(folder), *rest]) == 2
    refused = capsys.readouterr().err
    assert Path(rest[-1]).name in refused
    assert refused.count("\n") == 1
    assert (tmp_path / "full/mine.txt").read_text() == "kept"


@pytest.mark.parametrize(
    "recipe",
    [
        "5", "{", "teacher: [clip]\n", "teacher: nowhere\ncorpus: pairs.csv\n", "teacher: clip\ncorpus: nowhere.csv\n",
        "teacher: clip\ncorpora: [5]\n", "heads: {base: 5}\ncorpus: pairs.csv\n",
        "heads: {base: {teacher: 5}}\ncorpus: pairs.csv\n", MINE + "text: {steps: many}\n", MINE + "student: 5\n",
        MINE + "text: {steps: [1]}\n", "teacher: clip\ncorpora: [{path: pairs.csv, heads: base}]\n",
        MINE + "student: {width: wide}\n",
        MINE + "seed: x\n", MINE + "student: {width: 5}\n", MINE + "run: 5\n", MINE + "run: pairs.csv\n",
        MINE + "tokenizer: {korean_pieces: 1}\n", MINE + "start: hub\nstart_path: clip\n",
        MINE + "start: student\nstart_path: clip\n",
    ],
)  # fmt: skip
def test_a_recipe_that_cannot_be_trained_is_one_line(
    tmp_path: Path, recipe: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make_clip(tmp_path / "clip")
    write_pairs(tmp_path / "pairs.csv", repeat=2)
    (tmp_path / "mine.yaml").write_text(recipe)
    assert train.main(["--config", "mine.yaml", "--steps", "1"]) == 2
    refused = capsys.readouterr().err
    assert [line for line in refused.splitlines() if "Traceback" not in line][-1].startswith("error: ")
    assert "Traceback" not in refused


def test_a_damaged_state_and_a_loss_that_is_no_number_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make_clip(tmp_path / "clip")
    write_pairs(tmp_path / "pairs.csv", repeat=2)
    (tmp_path / "mine.yaml").write_text(MINE + "run: mine\n")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/state.safetensors").write_bytes(b"cut")
    assert train.main(["--config", "mine.yaml", "--steps", "1"]) == 2
    assert "error: mine/state.safetensors is damaged" in capsys.readouterr().err

    def blow_up() -> None:
        raise FloatingPointError("the loss is nan at step 3")

    assert run_command(blow_up) == 2
    assert capsys.readouterr().err == "error: the loss is nan at step 3\n"


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_damaged_teacher_is_named(tmp_path: Path, name: str) -> None:
    clip = make_clip(tmp_path / "clip")
    cut(clip / name)
    with pytest.raises(ValueError, match="clip"):
        ClipTeacher(clip, {"base": HeadRecipe(str(clip))})


def test_a_teacher_whose_tokenizer_has_grown_or_lacks_weights_is_refused(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip")
    head = {"base": HeadRecipe(str(clip))}
    kept = load_file(clip / "model.safetensors")
    save_file({k: v for k, v in kept.items() if "final_layer_norm.bias" not in k}, clip / "model.safetensors")
    with pytest.raises(ValueError, match="lacks 1 weights"):
        ClipTeacher(clip, head)
    save_file(kept, clip / "model.safetensors", metadata={"format": "pt"})
    words = json.loads((clip / "tokenizer.json").read_text("utf-8"))
    words["model"]["vocab"]["<my-dress>"] = len(words["model"]["vocab"])
    (clip / "tokenizer.json").write_text(json.dumps(words), "utf-8")
    with pytest.raises(ValueError, match="the tokenizer has grown"):
        ClipTeacher(clip, head)


@pytest.mark.parametrize("variant", ["", ".fp16"])
def test_a_sharded_teacher_is_the_same_teacher(tmp_path: Path, variant: str) -> None:
    clip = make_clip(tmp_path / "clip")
    expected, states = (
        fingerprint(clip),
        ClipTeacher(clip, {"base": HeadRecipe(str(clip))}).encode(["a hat"])["base"].states,
    )
    state = load_file(clip / "model.safetensors")
    (clip / "model.safetensors").unlink()
    places = {key: f"model-0000{1 + i % 2}-of-00002{variant}.safetensors" for i, key in enumerate(sorted(state))}
    for place in set(places.values()):
        shard = {key: state[key] for key, where in places.items() if where == place}
        save_file(shard, clip / place, metadata={"format": "pt"})
    index = {"metadata": {"total_size": 1}, "weight_map": places}
    (clip / f"model.safetensors.index{variant}.json").write_text(json.dumps(index))
    teacher = ClipTeacher(clip, {"base": HeadRecipe(str(clip))})
    assert teacher.fingerprint == expected
    assert np.allclose(teacher.encode(["a hat"])["base"].states, states)
    assert file_hash(clip).startswith("sha256:")


def test_opening_prints_nothing_and_leaves_other_libraries_as_talkative_as_they_were(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bars, verbosity = hub_logging.is_progress_bar_enabled(), hub_logging.get_verbosity()
    hub_logging.enable_progress_bar()
    try:
        PromptEncoder.load(folder)
        assert hub_logging.is_progress_bar_enabled()
        assert hub_logging.get_verbosity() == verbosity
        with quietly():
            assert not hub_logging.is_progress_bar_enabled()
    finally:
        if not bars:
            hub_logging.disable_progress_bar()
    assert capfd.readouterr() == ("", "")


def documented_export() -> str:
    text = (ROOT / "docs/how-to/train-an-encoder.md").read_text("utf-8")
    return re.search(r"^python -m ko_clip\.export .*$", text, re.MULTILINE)[0].partition("#")[0]


def write_with_tokens(folder: Path, target: Path) -> None:
    """The encoder of a folder with a search head of random words, which are tokens alone."""
    tokenizer, config = PromptTokenizer.load(folder), KoClipConfig.from_pretrained(folder)
    config.heads = {**config.heads, "search": {"pooled": 24, "unit": True, "words": 8, "words_share": 1.0}}
    model, generator = KoClipModel(config), torch.Generator().manual_seed(0)
    head = model.head("search")
    head.words.copy_(torch.randn(head.words.shape, generator=generator))
    head.words[[tokenizer.pad_id, tokenizer.bos_id, tokenizer.eos_id]] = 0.0
    head.word_meanings.copy_(torch.randn(head.word_meanings.shape, generator=generator))
    save_encoder(model, tokenizer, target)


@pytest.mark.parametrize("encoder", ["without words", "that ships", "of tokens"])
def test_the_documented_export_opens_in_a_fresh_process_outside_the_clone(
    folder: Path, encoder: str, tmp_path: Path
) -> None:
    """Stock modules do where the words are tokens; pairs of syllables, as they ship, are looked up by our code."""
    source = {"without words": folder, "that ships": ROOT / "checkpoints/korean"}.get(encoder, tmp_path / "tokens")
    if encoder == "of tokens":
        write_with_tokens(folder, source)
    words = shlex.split(documented_export())[1:]
    encoder_at, out_at = words.index("--encoder") + 1, words.index("--out") + 1
    places = {words[encoder_at]: str(source), words[out_at]: str(tmp_path / "search")}
    command = [sys.executable, *(places.get(each, each) for each in words)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert ("trust_remote_code" in done.stdout) is (encoder != "of tokens")
    work = tmp_path / "elsewhere"
    work.mkdir()
    script = OPEN.format(call=done.stdout.strip(), texts=TEXTS)
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(work), "HF_HOME": str(work / "hub"), "HF_HUB_OFFLINE": "1"}
    subprocess.run([sys.executable, "-c", script, "vectors.npy"], cwd=work, env=environment, check=True)
    ours, theirs = PromptEncoder.load(source).search(TEXTS), np.load(work / "vectors.npy")
    if encoder != "of tokens":
        assert np.abs(ours - theirs).max() < 1e-5
    else:
        assert (ours * theirs).sum(1).min() > 0.999
