"""Several processes train base and LoRA as one process with the batches of all of them, go on after a stop, and one
of them writes.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from accelerate.commands.config.config_args import load_config_from_file
from layouts import write_stripes

import fashion.pool
from diffusion.training import base
from diffusion.training.lora import StyleSettings, train_style
from diffusion.training.lora_base import open_base
from diffusion.training.lora_lesson import StyleLesson, read_pictures
from diffusion.training.unet import UNetShape
from fashion.pool import PicturePool
from testing.cluster_servers import free_port
from testing.random_checkpoint import write_checkpoint
from training.processes import Share, open_accelerator
from training.run import open_run
from training.schedule import TrainerSettings
from training.state import read_state

ROOT = Path(__file__).parent.parent
PICTURES, STEPS, BATCH = 8, 4, 2
LEG = 1e-9  # minutes: a leg of one step
RUNS = ("two", "legs", "whole", "alone")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pool of a few pictures beside the parts that ship, and a data set beside a checkpoint of random weights."""
    folder = tmp_path_factory.mktemp("processes")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fashion.pool, "SHARD", PICTURES)
        PicturePool(folder / "pool", PICTURES).fill()
    for run in RUNS:  # a part that one writes would be the beginning of the next
        for part in ("vae", "clip"):
            shutil.copytree(ROOT / "checkpoints" / part, folder / run / "checkpoints" / part)
    write_checkpoint(folder / "random")
    (folder / "data").mkdir()
    write_stripes(folder / "data")
    return folder


def train_base(world: Path, runs: str, batch: int, *more: str) -> None:
    base.SHAPE = UNetShape((16, 32, 32), (1, 2, 2))
    base.main([
        "--pool", str(world / "pool"), "--checkpoints", str(world / runs / "checkpoints"), "--runs", str(world / runs),
        "--pictures", str(PICTURES), "--batch", str(batch), "--steps", str(STEPS), "--sample-every", "0",
        "--threads", "1", *more,
    ])  # fmt: skip


def train_lora(world: Path, runs: str, batch: int, minutes: float | None = None) -> None:
    settings = StyleSettings(world / "data", "줄무늬", "stripes", rank=2, language="en", batch=batch)
    steps = TrainerSettings(steps=STEPS, learning_rate=1e-2, minutes=minutes, sample_every=3)
    train_style(settings, open_base(world / "random", device="cpu"), steps, world / runs, open_accelerator(cpu=True))


def train_both_ways(kind: str, world: Path) -> None:
    """What each of two processes does: one whole training, and one in legs. Processes but the main one say what they
    write in the world's folder.
    """
    if os.environ["RANK"] != "0":
        sys.addaudithook(lambda event, given: say_what_is_written(world, event, given))
    torch.set_num_threads(1)
    for runs, legs in (("two", 0), ("legs", 2)):
        for _ in range(legs):
            if kind == "base":
                train_base(world, runs, BATCH, "--minutes", str(LEG))
            else:
                train_lora(world, runs, BATCH, LEG)
        (train_base if kind == "base" else train_lora)(world, runs, BATCH)


def say_what_is_written(world: Path, event: str, given: tuple[object, ...]) -> None:
    writes = event == "open" and any(letter in str(given[1]) for letter in "wax+")
    if (writes or event == "os.rename") and str(given[0]).startswith(str(world)):
        print("WRITTEN", given[0], flush=True)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return read_state(folder / "state.safetensors").model


def distance(some: dict[str, torch.Tensor], others: dict[str, torch.Tensor]) -> float:
    assert some.keys() == others.keys()
    return sum(float((value.double() - others[name].double()).square().sum()) for name, value in some.items()) ** 0.5


def check(world: Path, folder: str, most: float) -> None:
    """Two processes are far nearer to one with twice the batch than one with the same batch is (`most`: of that
    distance); legs change nothing.
    """
    whole = weights(world / "whole" / folder)
    two, alone = weights(world / "two" / folder), weights(world / "alone" / folder)
    assert distance(two, whole) < most * distance(alone, whole)
    legs = weights(world / "legs" / folder)
    assert all(torch.equal(value, two[name]) for name, value in legs.items())


@pytest.mark.slow
def test_two_processes_train_the_base_as_one_with_twice_the_batch(world: Path) -> None:
    """Started as `torchrun` starts them: accelerate's launcher starts one process on a machine without a GPU."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*command, __file__, "base", str(world)], cwd=ROOT, env=environment(), capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    assert "WRITTEN" not in done.stdout
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base, "SHAPE", base.SHAPE)
        train_base(world, "whole", 2 * BATCH)
        train_base(world, "alone", BATCH)
    check(world, "base", most=0.25)  # sums in another order, which bfloat16 and Muon make larger
    assert (world / "two/checkpoints/base/diffusion_pytorch_model.safetensors").is_file()
    logs = [(world / run / "base/log.jsonl").read_text().splitlines() for run in ("two", "whole")]
    assert len(logs[0]) == len(logs[1]), "one process writes"
    two, whole = (json.loads(log[-1]) for log in logs)
    for name in ("loss", "drawn", "map"):
        assert two[name] == pytest.approx(whole[name], rel=5e-3)


@pytest.mark.slow
def test_two_machines_train_a_lora_as_one_process_with_twice_the_batch(world: Path) -> None:
    """`accelerate launch` on each of two machines with the file that is documented; RANK and WORLD_SIZE are what MPI
    would say where there is no GPU.
    """
    config, port = ROOT / "training/config/two-machines.yaml", free_port()
    given = ["--cpu", "--num_processes", "2", "--main_process_ip", "127.0.0.1", "--main_process_port", str(port)]
    machines = [
        subprocess.Popen(
            [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(config), *given,
             "--machine_rank", rank, __file__, "lora", str(world)],
            cwd=ROOT, env=environment() | {"RANK": rank, "WORLD_SIZE": "2"}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )
        for rank in "01"
    ]  # fmt: skip
    said = [machine.communicate()[0] for machine in machines]
    assert [machine.returncode for machine in machines] == [0, 0], said
    assert not any("WRITTEN" in each for each in said), said
    train_lora(world, "whole", 2 * BATCH)
    train_lora(world, "alone", BATCH)
    check(world, "", most=0.05)
    assert (world / "two/stripes.safetensors").read_bytes() == (world / "legs/stripes.safetensors").read_bytes()


def environment() -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


def test_the_file_for_several_machines_is_accelerates_own() -> None:
    config = load_config_from_file(str(ROOT / "training/config/two-machines.yaml"))
    assert (config.num_machines, config.num_processes, config.main_process_port) == (2, 16, 29500)


def test_the_rows_of_all_processes_are_those_of_one_process_with_all_of_them(world: Path) -> None:
    options = argparse.Namespace(preset="cpu", threads=0, runs=world, checkpoints=world / "two/checkpoints")
    run = open_run(options, "none", "base")
    vae, conditioning = base.open_frozen(run.part.parent, run)

    def batch(size: int, share: Share) -> base.FlowBatch:
        asked = argparse.Namespace(pool=world / "pool", pictures=PICTURES, batch=size)
        return base.FlowLesson(asked, replace(run, share=share), vae, conditioning).batch(5)

    whole, parts = batch(6, Share()), [batch(2, Share(index, 3)) for index in range(3)]
    for name in ("noisy", "goal", "times"):
        assert torch.equal(torch.cat([getattr(part, name) for part in parts]), getattr(whole, name))
    assert torch.cat([part.hidden for part in parts]).allclose(whole.hidden, atol=1e-2)
    assert [int(i) for part in parts for i in part.indexes] == whole.indexes.tolist()


def test_the_losses_of_two_shares_of_a_style_are_the_loss_of_both(world: Path) -> None:
    style = open_base(world / "random", device="cpu")
    pictures, _ = read_pictures(world / "data", "en", "줄무늬")
    whole = StyleLesson(style, pictures, 4).losses(3)["loss"]
    halves = [StyleLesson(style, pictures, 2, share=Share(index, 2)).losses(3)["loss"] for index in range(2)]
    assert torch.stack(halves).mean().item() == pytest.approx(whole.item(), rel=1e-5)
    assert halves[0].item() != pytest.approx(halves[1].item(), rel=1e-3)


if __name__ == "__main__":
    train_both_ways(sys.argv[1], Path(sys.argv[2]))
