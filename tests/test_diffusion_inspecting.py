"""What a checkpoint is, said by `python -m diffusion inspect`; the page of those that people have."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from test_diffusion_single_file import KINDS, write_kind

from diffusion.__main__ import main
from diffusion.load import load_pipeline, text_fingerprints
from diffusion.pipeline import DrawSettings, Shot
from diffusion.weights import WeightsError, sha256_file
from testing.random_checkpoint import write_checkpoint, write_sdxl_refiner, write_tokenizer
from testing.single_files import parts_of, write_single_file

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/how-to/which-checkpoint.md"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No cache of this machine's user, nor of a hub."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("diffusion.vocabulary.KNOWN_VOCABULARIES", (("nobody/nothing", ""),))
    return tmp_path / "cache/geuryeojwo/checkpoints"


@pytest.fixture(scope="module")
def sdxl(tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    return parts_of(write_kind(tmp_path_factory.mktemp("sdxl"), "sdxl"))


def test_inspect_says_what_a_file_is_and_writes_nothing(
    sdxl: dict[str, torch.Tensor], tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_single_file(tmp_path / "dress_lightning_4step.safetensors", sdxl)
    assert main(["inspect", str(path)]) == 0
    said = capsys.readouterr().out
    weights = sum(value.numel() for key, value in sdxl.items() if key.startswith("model.diffusion_model."))
    for line in (f"{path}: SDXL, one file", f"SHA-256 {sha256_file(path)}", f"{weights:,} weights; reads 128 numbers",
                 "epsilon (its family, the file does not say)", "autoencoder     its own",
                 "vocabulary      none; English prompts need vocab.json and merges.txt in",
                 "distilled       lightning, 4 steps (by its name)",
                 "drawn as        base, 1024 px, 4 steps, guidance 1.0, scheduler euler"):  # fmt: skip
        assert line in said, line
    assert not cache.exists()
    for head, identity in text_fingerprints(path).items():  # which unpacks it
        assert f"head {head:<10} {identity}" in said


def test_what_inspect_says_is_what_is_drawn_with(sdxl: dict[str, torch.Tensor], tmp_path: Path) -> None:
    path = write_single_file(tmp_path / "dress_lightning_8step.safetensors", sdxl)
    write_tokenizer(tmp_path / "tokenizer")
    pipeline = load_pipeline(path, device="cpu", dtype="float32")
    settings = pipeline.default_settings
    assert (settings.size, settings.steps, settings.guidance_scale, settings.scheduler) == (1024, 8, 1.0, "euler")
    assert pipeline.draw([Shot("dress")], DrawSettings(size=64, steps=1)).images


def test_inspect_says_what_folders_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sd2, refiner = write_kind(tmp_path / "sd2", "sd2"), write_sdxl_refiner(tmp_path / "refiner")
    assert main(["inspect", f"{sd2}+{refiner}"]) == 0
    said = capsys.readouterr().out
    assert f"{sd2}: base" in said and f"{refiner}: refiner" in said
    assert "prediction      v_prediction" in said
    assert "drawn as        base, 768 px, 25 steps, guidance 7.5, scheduler ddim" in said
    assert "drawn as        refiner, 64 px, strength 0.3, guidance 5.0, scheduler ddim" in said


def test_inspect_says_what_our_own_checkpoint_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(write_checkpoint(tmp_path))]) == 0
    assert "drawn as        base, 32 px, 4 steps, guidance 3.0, scheduler dpm++" in capsys.readouterr().out


def test_inspect_refuses_on_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "old.ckpt").write_bytes(b"pickle")
    assert main(["inspect", str(tmp_path / "old.ckpt")]) == 1
    refused = capsys.readouterr().err
    assert refused.startswith("python -m diffusion inspect: ")
    assert "is a pickle" in refused and refused.count("\n") == 1


def test_unpack_writes_a_folder_that_opens(
    sdxl: dict[str, torch.Tensor], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_single_file(tmp_path / "derivative.safetensors", sdxl)
    write_tokenizer(tmp_path / "tokenizer")
    assert main(["unpack", str(path), str(tmp_path / "models/sdxl")]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "models/sdxl")
    pipeline = load_pipeline(tmp_path / "models/sdxl", device="cpu", dtype="float32")
    assert pipeline.draw([Shot("dress")], DrawSettings(size=64, steps=1)).images
    assert main(["unpack", str(path), str(tmp_path / "models/sdxl")]) == 1


def test_the_command_runs_in_a_process_of_its_own(sdxl: dict[str, torch.Tensor], tmp_path: Path) -> None:
    """As the page writes it."""
    write_single_file(tmp_path / "model.safetensors", sdxl)
    (command,) = re.findall(r"^python (-m diffusion inspect \S+)", PAGE.read_text("utf-8"), re.MULTILINE)
    ran = subprocess.run(
        [sys.executable, *command.split()], cwd=tmp_path, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("model.safetensors: SDXL, one file")


def test_a_file_that_predicts_the_picture_is_refused(sdxl: dict[str, torch.Tensor], tmp_path: Path) -> None:
    path = write_single_file(tmp_path / "sdxl_lightning_1step_x0.safetensors", sdxl)
    with pytest.raises(WeightsError, match="prediction_type is 'sample': understood are epsilon, v_prediction"):
        load_pipeline(path)


def test_every_row_of_the_page_names_a_test_that_there_is() -> None:
    defined = {name for path in ROOT.glob("tests/test_*.py")
               for name in re.findall(r"^def (test_\w+)", path.read_text("utf-8"), re.MULTILINE)}  # fmt: skip
    lines = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("|")]
    rows = [line for line in lines if not line.startswith(("| You have", "|---"))]
    assert len(rows) > len(KINDS)
    for row in rows:
        named = re.findall(r"`(test_\w+)`", row)
        assert named and set(named) <= defined, row
