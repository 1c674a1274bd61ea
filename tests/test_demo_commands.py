"""The command line: help, drawing without a server, import, export, forget, verify; with real (tiny, random) models."""

from __future__ import annotations

import gc
import io
import json
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from demo.ops.commands import main
from demo.studio.starter import build
from testing.random_studio import write_models

OWNER = "a" * 32


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return write_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(autouse=True)
def settings(models: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (models | {"DATA_DIR": str(tmp_path / "data"), "STARTER": "", "LOG_LEVEL": "ERROR"}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)


def folder_of_pictures(folder: Path) -> Path:
    folder.mkdir()
    for name in ("a", "b"):
        Image.new("RGB", (30, 20), "red").save(folder / f"{name}.png")
    (folder / "bad.png").write_bytes(b"no picture")
    rows = [{"file_name": "a.png", "text_ko": "빨간 치마"}, {"file_name": "b.png", "text": "a red skirt"},
            {"file_name": "bad.png", "text": "x"}, {"file_name": "../../etc/passwd", "text": "y"}]  # fmt: skip
    (folder / "metadata.jsonl").write_text("\n".join(json.dumps(row) for row in rows), "utf-8")
    return folder


def test_help_names_every_command(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    printed = capsys.readouterr().out
    for name in ("serve", "generate", "search", "import", "gallery", "reindex", "verify", "export", "forget", "token"):
        assert f"  {name} " in printed


def test_korean_draws_from_the_shell_and_pictures_never_overwrite_each_other(tmp_path: Path) -> None:
    for _ in range(2):
        assert main(["generate", "빨간 원피스", "-n", "2", "--seed", "7", "-o", "out"]) == 0
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["0000000007-2.png", "0000000007.png", "0000000008-2.png", "0000000008.png"]
    first, second = (Image.open(tmp_path / "out" / name) for name in names[:2])
    assert first.tobytes() == second.tobytes(), "the same request draws the same picture"
    assert json.loads(first.text["recipe"])["seed"] == 7
    assert main(["generate", "누드 모델"]) == 2 and main(["generate", "원피스", "-n", "11"]) == 2


def test_a_folder_comes_in_is_found_goes_out_and_is_forgotten(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    folder = folder_of_pictures(tmp_path / "pictures")
    assert main(["import", str(folder), "--owner", OWNER]) == 0
    printed = capsys.readouterr()
    assert "2 pictures are in, 2 skipped" in printed.out and "bad.png" in printed.err
    assert main(["search", "빨간 치마", "--owner", OWNER, "-k", "1"]) == 0
    assert "빨간 치마" in capsys.readouterr().out
    assert main(["search", "빨간 치마"]) == 0 and "빨간" not in capsys.readouterr().out
    assert main(["verify"]) == 0 and main(["reindex"]) == 0
    assert main(["export", OWNER, "-o", "mine.zip"]) == 0
    assert len(zipfile.ZipFile("mine.zip").namelist()) == 4  # two pictures, what was drawn, the closet
    capsys.readouterr()
    gc.collect()  # each command is a process of its own: none has an old index file open
    assert main(["forget", OWNER]) == 0
    receipt = json.loads(capsys.readouterr().out)
    assert receipt["complete"] and receipt["images"] == 2
    left = [path.name for path in (tmp_path / "data" / "files").rglob("*") if path.is_file()]
    assert left == ["studio.json"]  # whose folder it is


def test_mistakes_are_told_not_traced(capsys: pytest.CaptureFixture, tmp_path: Path) -> None:
    assert main(["import", "nowhere", "--owner", OWNER]) == 2
    assert main(["import", str(tmp_path), "--owner", "me"]) == 2
    assert main(["token", "--owner", "x"]) == 2
    assert "error: " in capsys.readouterr().err
    assert main(["token"]) == 0 and "gr_" in capsys.readouterr().out
    assert main(["code"]) == 0 and capsys.readouterr().out.count("-") == 3


def test_without_models_the_shell_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("CHECKPOINT", "/nowhere/checkpoint")
    assert main(["generate", "원피스"]) == 2
    assert "set CHECKPOINT" in capsys.readouterr().err


def test_a_starter_gallery_is_built_small_and_comes_in_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    from demo.ops.upkeep import warm_up
    from demo.store.settings import Settings
    from demo.studio.services import open_encoder, open_services, open_worker_index

    folder = tmp_path / "starter"
    folder.mkdir()
    prompts = [f"빨간 치마 {i}번" for i in range(60)]
    (folder / "prompts.txt").write_text("# 예\n" + "\n".join(prompts), "utf-8")
    count, size = build(lambda prompt, seed: (Image.effect_noise((64, 64), 90).convert("RGB"), {"seed": seed}), folder)
    assert count == 60 and size < 1_500_000
    monkeypatch.setenv("STARTER", str(folder))
    for _ in range(2):
        services = open_services(Settings.from_env(), open_encoder, open_worker_index)
        warm_up(services)
        from demo.studio.visibility import Viewer

        page = services.generations.page(Viewer(), None, 100, public=True)
        assert [shown.generation.prompt for shown in page.items] == prompts
        found = services.searcher.near(prompts[3], services.searcher.vector(prompts[3]), 5, Viewer())
        assert found[0].generation.prompt == prompts[3]
        services.close()
    data = next((tmp_path / "data" / "files").rglob("*.final.webp")).read_bytes()
    assert b"trainedAlgorithmicMedia" in data and Image.open(io.BytesIO(data)).size == (64, 64)
