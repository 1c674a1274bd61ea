"""A training command whose data or parts are missing ends with one line that names the command that makes them."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from training.command import run_command

ROOT = Path(__file__).parent.parent
TRAININGS = {  # module → its own arguments
    "diffusion.training.autoencoder": (),
    "diffusion.training.base": (),
    "diffusion.training.refiner": (),
    "diffusion.training.reward": (),
    "fashion.scorer_training": ("steering",),
    "ko_clip.contrastive": (),
    "ko_clip.scene_reading": (),
}


def places(checkpoints: Path, empty: Path) -> list[str]:
    return ["--checkpoints", str(checkpoints), "--pool", str(empty / "pool"), "--runs", str(empty / "runs")]


# ko_clip.scene_reading learns from captions alone: with the shipped parts it lacks nothing
CASES = [(module, "none") for module in TRAININGS] + [(module, "shipped") for module in [*TRAININGS][:-1]]


@pytest.mark.parametrize(("module", "checkpoints"), CASES)
def test_what_is_missing_is_one_line_with_the_command_that_makes_it(
    module: str, checkpoints: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = places(ROOT / "checkpoints" if checkpoints == "shipped" else tmp_path, tmp_path)
    main = import_module(module).main
    assert run_command(lambda: main([*TRAININGS[module], *given, "--threads", "1"])) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert re.match(r"error: \S+ (has 0 of \d+ pictures|is not trained yet): python -m [a-z_.]+", last), last
    assert not (tmp_path / "runs").exists() or not list((tmp_path / "runs").rglob("*.safetensors"))


def test_every_training_command_ends_that_way() -> None:
    commands = [*TRAININGS, "fashion.pool", "diffusion.training.manifest"]
    for module in commands:
        source = (ROOT / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8")
        assert source.endswith('if __name__ == "__main__":\n    sys.exit(run_command(main))\n'), module


def test_the_process_says_so_too(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ko_clip.contrastive", *places(tmp_path, tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: ") and "Traceback" not in done.stderr
