"""`python -m demo styles`: a style is checked before it is installed, and has a row of its own."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest
import torch
from alembic import command
from alembic.config import Config
from safetensors.torch import save_file
from sqlalchemy import select, text

from demo.ops.commands import main
from demo.store.database import HEAD, MIGRATIONS, Database, open_database
from demo.store.settings import Settings
from demo.store.tables import StyleRow
from diffusion.lora_card import KEY
from testing.random_checkpoint import write_checkpoint

LAYER = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("checkpoint"), refiner=False)


@pytest.fixture(autouse=True)
def environment(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHECKPOINT", str(checkpoint))
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))


def style(folder: Path, name: str = "수묵화", width: int = 32, **facts: object) -> Path:
    folder.mkdir(exist_ok=True)
    state = {f"unet.{LAYER}.lora_A.weight": torch.ones(2, width), f"unet.{LAYER}.lora_B.weight": torch.ones(32, 2)}
    save_file(state, folder / f"{name}.safetensors", metadata={KEY: json.dumps(facts)})
    return folder / f"{name}.safetensors"


def rows() -> dict[str, StyleRow]:
    database = open_database(Settings.from_env())
    with database.read() as session:
        found = {row.name: row for row in session.scalars(select(StyleRow))}
    database.close()
    return found


def test_a_style_is_added_listed_and_removed(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = style(tmp_path / "new", trigger="먹", base="sha256:1", rank=2)
    decomposed = path.rename(path.with_name(unicodedata.normalize("NFD", path.name)))
    assert main(["styles", "add", str(decomposed)]) == 0
    assert "<lora:수묵화:1>" in capsys.readouterr().out
    assert (rows()["수묵화"].trigger, rows()["수묵화"].base) == ("먹", "sha256:1")
    assert (checkpoint / "styles" / "수묵화.safetensors").read_bytes() == decomposed.read_bytes()
    assert main(["styles", "list"]) == 0
    assert f"수묵화  sha256 {rows()['수묵화'].sha256[:12]}  trigger 먹, rank 2" in capsys.readouterr().out
    assert main(["styles", "add", str(decomposed)]) == 2
    assert main(["styles", "add", str(decomposed), "--replace"]) == 0
    assert main(["styles", "remove", "수묵화"]) == 0
    assert rows() == {} and not list((checkpoint / "styles").iterdir())
    assert main(["styles", "remove", "수묵화"]) == 2


@pytest.mark.parametrize(
    ("facts", "arguments", "said"),
    [
        ({"width": 48}, [], "was made for another U-Net"),
        ({"offered": False}, [], "no better than none on held-out pictures"),
        ({}, ["--name", "a:b"], "cannot be asked for"),
        ({}, ["--name", "ink_wash"], "is a style of words already"),
    ],
)
def test_what_cannot_be_drawn_with_is_not_installed(
    facts: dict, arguments: list[str], said: str, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["styles", "add", str(style(tmp_path / "new", **facts)), *arguments]) == 2
    assert said in capsys.readouterr().err
    assert rows() == {} and not list((checkpoint / "styles").glob("*"))


def test_a_style_without_its_training_s_blessing_is_installed_by_force_alone(checkpoint: Path, tmp_path: Path) -> None:
    path = style(tmp_path / "new", "weak", offered=False)
    assert main(["styles", "add", str(path), "--anyway"]) == 0
    assert main(["styles", "remove", "weak"]) == 0


@pytest.mark.parametrize("name", ["none.safetensors", "style.ckpt", "."])
def test_what_is_no_style_file_is_refused(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "style.ckpt").write_bytes(b"pickle")
    assert main(["styles", "add", str(tmp_path / name)]) == 2
    assert ".safetensors file" in capsys.readouterr().err


def test_an_older_database_s_styles_move_out_of_the_workers_heartbeats() -> None:
    settings = Settings.from_env()
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    old = Database(settings.sqlalchemy_url)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with old.engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0006")
        detail = json.dumps({"styles": ["minhwa", "수묵화"]})
        workers = "INSERT INTO workers (name, state, detail, heartbeat) VALUES ('a', 'ready', :detail, 1.0)"
        connection.execute(text(workers), {"detail": detail})
        connection.commit()
    old.close()
    assert sorted(rows()) == ["minhwa", "수묵화"]
    database = open_database(settings)
    assert database.revision() == HEAD
    with database.read() as session:
        assert session.execute(text("SELECT COUNT(*) FROM workers")).scalar() == 0
    database.close()
