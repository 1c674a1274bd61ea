"""The commands of docs/how-to/fine-tune.md run as they stand there, in a folder with nothing but the checkpoint."""

from __future__ import annotations

import os
import re
import resource
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs/how-to/fine-tune.md"
LONGEST = 300  # processor seconds of a command, as the page says
NO_BETTER = ("ko_clip.finetune", "diffusion.training.finetune")  # may say by status 3 that a short run helped nothing


def commands() -> list[str]:
    """The lines of the marked block."""
    block = re.search(r"<!-- commands: .*?-->\n```sh\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert block is not None
    return block[1].splitlines()


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_newcomer_comes_from_the_files_to_the_table_of_baselines(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").symlink_to(ROOT / "checkpoints")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    for line in commands():
        program, *arguments = shlex.split(line)
        assert program == "python"
        before = _processor_seconds()
        run = subprocess.run(
            [sys.executable, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True
        )  # fmt: skip
        allowed = (0, 3) if any(name in arguments for name in NO_BETTER) else (0,)
        assert run.returncode in allowed, f"{line}\n{run.stdout[-2000:]}\n{run.stderr[-2000:]}"
        assert _processor_seconds() - before < LONGEST, line
    for name in (
        "data/rows/deepfashion_processed.csv", "data/rows-stats/cloud_en.png", "runs/rows-clip-run/table.png",
        "runs/rows-clip-run/ranks.png", "runs/rows-checkpoint/finetuned.json",
        "runs/finetune-rows-checkpoint/compare.png", "runs/rows-cvae/samples.png", "data/cvae/0.png",
        "runs/baselines.webp",
    ):  # fmt: skip
        assert (tmp_path / name).is_file(), name
    assert all(f"| {name} |" in run.stdout for name in ("conditional VAE", "DCGAN", "base alone", "base and refiner"))


def _processor_seconds() -> float:
    """Of all commands so far, on whatever else the machine is busy with."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_every_command_of_the_block_is_one_of_this_project() -> None:
    modules = [line.split()[2] for line in commands()]
    assert len(modules) == 11
    for module in modules:
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), module
