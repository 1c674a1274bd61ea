"""Folders of pictures are measured, each value says by what, and too few pictures are an error."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from transformers import ResNetConfig, ResNetForImageClassification

from diffusion.metrics import TooFewPictures
from diffusion.metrics.folders import PictureSet, main, measure, read_captions
from diffusion.metrics.networks import open_features
from diffusion.metrics.sets import inception_splits, precision_recall

ROOT = Path(__file__).parent.parent


def write_pictures(folder: Path, count: int, seed: int = 0, side: int = 32) -> Path:
    """Noise in one of four colours, each picture its own."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for i in range(count):
        levels = np.clip(rng.normal((60, 200, 40, 150)[i % 4], 30, (side, side, 3)) * (1, i % 3, 0.5), 0, 255)
        Image.fromarray(levels.astype(np.uint8)).save(folder / f"{i:03d}.png")
    return folder


@pytest.fixture(scope="module")
def resnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny image classifier of transformers with four classes."""
    folder = tmp_path_factory.mktemp("resnet")
    torch.manual_seed(0)
    config = ResNetConfig(embedding_size=8, hidden_sizes=[8, 12], depths=[1, 1], layer_type="basic", num_labels=4)
    ResNetForImageClassification(config).save_pretrained(folder)
    return folder


def test_splits_of_identical_rows_give_one_and_of_balanced_one_hot_rows_the_number_of_classes() -> None:
    assert inception_splits(np.full((80, 8), 1 / 8)).mean == pytest.approx(1)
    assert inception_splits(np.tile(np.eye(8)[0], (80, 1))).mean == pytest.approx(1)
    for rows in (np.tile(np.eye(8), (20, 1)), np.repeat(np.eye(8), 20, axis=0)):  # in whatever order
        found = inception_splits(rows)
        assert found.mean == pytest.approx(8) and found.deviation == pytest.approx(0, abs=1e-9)
    with pytest.raises(TooFewPictures, match="10 splits over 8 classes need 80 pictures or more, there are 79"):
        inception_splits(np.full((79, 8), 1 / 8))


def test_precision_and_recall_tell_a_narrow_set_from_a_wide_one() -> None:
    rng = np.random.default_rng(0)
    wide, narrow = rng.normal(size=(300, 4)), rng.normal(size=(300, 4)) * 0.2
    assert precision_recall(wide, wide) == (1.0, 1.0)
    precision, recall = precision_recall(narrow, wide)
    assert precision > 0.95 and recall < 0.3
    far = precision_recall(wide + 50, wide)
    assert far == (0.0, 0.0)
    with pytest.raises(TooFewPictures, match="need 50 pictures"):
        precision_recall(wide[:49], wide)


def test_a_folder_is_measured_by_a_network_given_by_its_path(
    resnet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn, real = write_pictures(tmp_path / "drawn", 60), write_pictures(tmp_path / "real", 60, seed=1)
    command = [str(drawn), "--reference", str(real), "--features", str(resnet), "--json", str(tmp_path / "values.json")]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "60 pictures, 60 reference pictures" in printed
    values = json.loads((tmp_path / "values.json").read_text("utf-8"))
    by = {row["measure"]: row["by"] for row in values}
    assert set(by) == {
        "Inception-Score analogue, 10 splits", "Fréchet distance", "kernel distance", "precision", "recall",
        "diversity (mean cosine distance)", "sharpness (Laplacian)",
    }  # fmt: skip
    assert by["Fréchet distance"] == f"resnet (transformers) of {resnet.name}"
    assert "FID" not in printed and "Inception Score" not in printed


def test_the_same_folder_is_at_no_distance_from_itself(resnet: Path, tmp_path: Path) -> None:
    drawn = write_pictures(tmp_path / "drawn", 60)
    values = tmp_path / "values.json"
    main([str(drawn), "--reference", str(drawn), "--features", str(resnet), "--json", str(values), "--only",
          "distances", "precision"])  # fmt: skip
    found = {row["measure"]: float(row["value"]) for row in json.loads(values.read_text("utf-8"))}
    assert found["Fréchet distance"] == pytest.approx(0, abs=1e-3)
    assert (found["precision"], found["recall"]) == (1.0, 1.0)


@pytest.mark.parametrize(("more", "said"), [
    ([], "10 splits over 4 classes need 40 pictures or more, there are 12"),
    (["--only", "precision", "--reference", "."], "precision and recall need 50 pictures or more, there are 12"),
    (["--only", "distances"], "distances needs --reference"), (["--only", "clip"], "clip needs --captions"),
    (["--features", "nowhere"], "nowhere is not a folder"),
])  # fmt: skip
def test_too_few_pictures_and_missing_options_are_errors(
    more: list[str], said: str, resnet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn = write_pictures(tmp_path / "drawn", 12)
    more = [str(drawn) if word == "." else word for word in more]
    assert main([str(drawn), "--features", str(resnet), *more]) == 2
    assert said in capsys.readouterr().err


def test_only_inceptions_own_values_are_called_so() -> None:
    class Inception:
        name, is_inception = "inception_v3 (timm) of models", True

        def read(self, pictures: object) -> tuple[np.ndarray, np.ndarray]:
            raise NotImplementedError

    rng = np.random.default_rng(0)
    one, two = (PictureSet(["x"] * 80, rng.normal(size=(80, 6)), np.tile(np.eye(4), (20, 1)), rng.random(80))
                for _ in range(2))  # fmt: skip
    names = {row.name for row in measure(one, Inception(), ("inception", "distances"), two)}
    assert names == {"Inception Score, 10 splits", "FID", "KID"}


class TinyNet(torch.nn.Module):
    """What a fake timm builds: an auxiliary head as Inception has it, and a classifier."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.fc = torch.nn.Linear(3, classes)
        self.AuxLogits = torch.nn.Linear(3, classes)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.fc(pixels.mean(dim=(2, 3)))


@pytest.mark.parametrize(("architecture", "library", "own"), [
    ("inception_v3", "timm", True), ("resnet18", "timm", False), ("inception_v3", "torchvision", True),
])  # fmt: skip
def test_a_folder_of_timm_or_torchvision_is_opened_by_its_library(
    architecture: str, library: str, own: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(name: str, weights: None = None, pretrained: bool = False, num_classes: int = 0) -> TinyNet:
        assert name == architecture and not pretrained and weights is None
        return TinyNet(num_classes)

    fake, models = ModuleType(library), ModuleType(f"{library}.models")
    fake.create_model, models.get_model = build, build  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, library, fake)
    monkeypatch.setitem(sys.modules, f"{library}.models", models)
    save_file(TinyNet(5).state_dict(), tmp_path / "model.safetensors")
    config = {"architecture": architecture, "num_classes": 5, "pretrained_cfg": {"input_size": [3, 20, 20]}}
    (tmp_path / "config.json").write_text(json.dumps(config | {"library_name": library}))
    network = open_features(str(tmp_path), Path("unused"), torch.device("cpu"))
    features, probabilities = network.read([Image.new("RGB", (9, 9), "red")] * 2)
    assert features.shape == (2, 3) and probabilities.shape == (2, 5) and network.is_inception is own
    assert library in network.name and np.allclose(probabilities.sum(1), 1)


def test_a_library_that_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    (tmp_path / "config.json").write_text('{"architecture": "inception_v3"}')
    save_file({"x": torch.zeros(1)}, tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match="needs timm, which is not installed: pip install timm"):
        open_features(str(tmp_path), Path("unused"), torch.device("cpu"))


def test_a_torchvision_of_another_torch_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """timm imports torchvision, whose operators a torch of another release or index does not have."""
    package = tmp_path / "packages" / "timm"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')")
    monkeypatch.delitem(sys.modules, "timm", raising=False)
    monkeypatch.syspath_prepend(str(package.parent))
    (tmp_path / "config.json").write_text('{"architecture": "inception_v3"}')
    save_file({"x": torch.zeros(1)}, tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match="timm cannot be imported beside torch .*nms does not exist.*the same index"):
        open_features(str(tmp_path), Path("unused"), torch.device("cpu"))


@pytest.mark.parametrize(("name", "content"), [
    ("metadata.jsonl", '{"file_name": "images/a.png", "text": "one"}\n{"file_name": "b.png", "text": "two"}\n'),
    ("captions.csv", "file_name,caption\na.png,one\nb.png,two\n"),
    ("captions.json", '{"b.png": "two", "a.png": "one"}'), ("captions.txt", "one\ntwo\n"),
])  # fmt: skip
def test_captions_are_read_from_what_they_lie_in(name: str, content: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content, "utf-8")
    assert read_captions(tmp_path / name, ["a.png", "b.png"]) == ["one", "two"]
    with pytest.raises(ValueError, match=r"has no caption of c.png|has 2 lines, there are 3 pictures"):
        read_captions(tmp_path / name, ["a.png", "b.png", "c.png"])


def test_the_command_measures_the_drawn_domain_as_the_documents_write_it(tmp_path: Path) -> None:
    """With the scorer and the CLIP that ship, in a process of its own."""
    for name, seed in (("drawn", "1"), ("real", "2")):
        export = [sys.executable, "-m", "fashion", "export", str(tmp_path / name), "--count", "48", "--seed", seed,
                  "--size", "64"]  # fmt: skip
        subprocess.run(export, cwd=ROOT, check=True, capture_output=True)
    run = subprocess.run(
        [sys.executable, "-m", "diffusion.metrics", str(tmp_path / "drawn"), "--captions",
         str(tmp_path / "drawn" / "metadata.jsonl"), "--only", "inception", "clip", "diversity", "sharpness",
         "--splits", "1"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert "48 pictures" in run.stdout and "CLIP score ↑" in run.stdout and "reporting scorer" in run.stdout
    assert "Warning" not in run.stderr
