"""`python -m index` from the shell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from index_model import clustered, open_index, records

from index import IndexOptions
from index.__main__ import main

OPTIONS = IndexOptions(exact_below=500, background=False, own_process=False)


@pytest.fixture
def there(tmp_path: Path) -> list[str]:
    """An index of 2,000 public prompts and one private one; the options that name it."""
    vectors = clustered(2_000, clusters=200)
    index = open_index(tmp_path, OPTIONS)
    index.add_many(records(vectors))
    index.add("mine", "나의 것", vectors[0], "나", False)
    return ["--index", str(tmp_path / "index"), "--database", f"sqlite:///{tmp_path / 'truth.db'}"]


def test_build_query_stats_and_verify(there: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", *there]) == 0
    assert "generation_rows  2001" in capsys.readouterr().out
    assert main(["query", "r0", "-k", "2", "--viewer", "나", *there]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first == " 1.000000  mine  나의 것"
    assert main(["verify", *there]) == 0
    assert capsys.readouterr().out == "sound\n"


def test_verify_says_what_is_damaged(there: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    main(["build", *there])
    (numbers,) = Path(there[1]).rglob("numbers.i64")
    numbers.chmod(0o644)
    numbers.write_bytes(b"x" * numbers.stat().st_size)
    capsys.readouterr()
    assert main(["verify", *there]) == 1
    assert "numbers.i64" in capsys.readouterr().out


def test_tune_prints_the_curve_and_keeps_a_setting(there: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tune", "--trees", "4", "12", "--recall", "0.9", *there]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("| n_trees | search_k | recall@10")
    kept = json.loads((Path(there[1]) / "tuned.json").read_text())
    assert kept["recall"] == 0.9
    assert kept["n_trees"] in (4, 12)
    assert not list(Path(there[1]).glob("tune-*"))


def test_mistakes_are_one_line(tmp_path: Path, there: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    empty = ["--index", str(tmp_path / "i"), "--database", f"sqlite:///{tmp_path / 'empty.db'}"]
    for argv, message in (
        (["stats", *empty], "no prompt index yet"),
        (["query", "nobody", *there], "not in the index"),
        (["query", "r0", "-k", "0", *there], "k is 0"),
        (["tune", "--recall", "2", *there], "recall"),
    ):
        assert main(argv) == 1
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1


@pytest.mark.parametrize("command", [[], ["build"], ["query"], ["verify"], ["stats"], ["tune"]])
def test_help_explains_both_parameters(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([*command, "--help"])
    assert end.value.code == 0
    message = capsys.readouterr().out
    assert "n_trees   how many" in message
    assert "search_k  how many" in message
