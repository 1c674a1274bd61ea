"""The recipes for public checkpoints, from folders in their layouts to a drawing; all of it tiny and random."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml
from ko_clip_parts import PAIRS
from transformers import XLMRobertaConfig, XLMRobertaModel

from benchmarks.random_checkpoint import write_sdxl_refiner, write_stable_diffusion
from diffusion.load import load_pipeline
from diffusion.request import DrawSettings, Shot
from ko_clip import evaluate, train
from ko_clip.encoder import PromptEncoder
from ko_clip.tokenizer import TokenizerRecipe, train_tokenizer

RECIPES = Path(__file__).parents[1] / "ko_clip/config"
SMALL = {
    "student": {"width": 32, "attention_heads": 2, "decoder_layers": 1, "decoder_mlp_ratio": 2, "max_tokens": 40},
    "text": {"steps": 3, "batch": 4, "warmup": 1, "threads": 1, "evaluate_every": 2, "precision": "float32"},
    "unet": {"steps": 2, "batch": 2, "inference_steps": 2, "threads": 1, "precision": "float32"},
}
# diffusers hands torch tensors to numpy 2 the old way
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as docs/ko-clip.md leaves it after the downloads, and the working directory."""
    write_stable_diffusion(tmp_path / "models/sd15")
    write_stable_diffusion(tmp_path / "models/sd2", "v_prediction", seed=2)
    write_sdxl_refiner(tmp_path / "models/sdxl-refiner")
    write_hub_encoder(tmp_path / "models/klue-roberta-base")
    write_workbook(tmp_path / "corpora/aihub-ko-en/구어체.xlsx")
    monkeypatch.chdir(tmp_path)
    return tmp_path


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
    del recipe["heads"]["search"]  # its teacher is a package of 90 MB, not a layout
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(recipe, allow_unicode=True), "utf-8")
    return path


@pytest.mark.parametrize(("name", "checkpoint"), [
    ("sd15-sdxl", "models/sd15+models/sdxl-refiner"),
    ("sd2", "models/sd2"),
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
    if name == "sd15-sdxl":
        told = ["--encoder", str(model), "--pairs", "corpora/aihub-ko-en/구어체.xlsx", "--out", "out"]
        assert evaluate.main(told) == 0
        assert "| 구어체.xlsx | ko→en | 25 |" in capsys.readouterr().out
        assert {path.suffix for path in (there / "out").iterdir()} == {".md", ".json", ".png"}
