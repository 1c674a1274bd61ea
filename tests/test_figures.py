"""Figures in documents are what the benchmarks printed on the weights that ship."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import figures

TABLE = "| scenes | attribute | drawn |\n|---|---|---:|\n| one garment | all | 91.8 |\n| outfits | all | 73.5 |"


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    figures.keep("checkpoint", f"{TABLE}\n\nsome words\n\n| refiner | value |\n|---|---:|\n| kept | 99.1 % |",
                 {"base": "123456789abc"}, tmp_path)  # fmt: skip
    return tmp_path


def test_no_document_quotes_figures_of_other_weights() -> None:
    assert figures.problems(figures.documents(), figures.weight_ids(figures.ROOT / "checkpoints")) == []


def test_a_marked_table_and_a_marked_number_are_filled_in(kept: Path) -> None:
    text = (
        "<!-- figures: checkpoint#refiner -->\nold\n<!-- /figures -->\n"
        "It draws <!-- figure: checkpoint#scenes[one garment, all].drawn -->?<!-- / --> % right."
    )
    filled = figures.filled(text, kept)
    assert "old" not in filled and "| kept | 99.1 % |" in filled and "some words" not in filled
    assert "-->91.8<!-- / --> % right" in filled
    assert figures.filled(filled, kept) == filled


def test_weights_and_command_are_read_back(kept: Path) -> None:
    printed = figures.read("checkpoint", kept)
    assert printed.weights == {"base": "123456789abc"}
    assert printed.command == "python -m benchmarks.checkpoint --scenes 500 --seeds 2"


def test_a_figure_of_other_weights_is_a_problem(kept: Path, tmp_path: Path) -> None:
    document = tmp_path / "README.md"
    document.write_text("<!-- figure: checkpoint#scenes[outfits, all].drawn -->73.5<!-- / --> %", encoding="utf-8")
    assert figures.problems([document], {"base": "123456789abc"}, kept) == []
    [problem] = figures.problems([document], {"base": "ffffffffffff"}, kept)
    assert "of other weights" in problem


def test_a_figure_that_was_changed_by_hand_is_a_problem(kept: Path, tmp_path: Path) -> None:
    document = tmp_path / "README.md"
    document.write_text("<!-- figure: checkpoint#scenes[outfits, all].drawn -->99.9<!-- / --> %", encoding="utf-8")
    [problem] = figures.problems([document], {"base": "123456789abc"}, kept)
    assert "differs" in problem


@pytest.mark.parametrize(
    "wrong", ["checkpoint#nothing[a].b", "checkpoint#scenes[shoes].drawn", "checkpoint#scenes[outfits, all].x"]
)
def test_a_marker_that_names_nothing_is_refused(wrong: str, kept: Path) -> None:
    with pytest.raises(ValueError, match="checkpoint"):
        figures.filled(f"<!-- figure: {wrong} -->1<!-- / -->", kept)


def test_a_benchmark_that_was_not_run_names_its_command(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"python -m benchmarks\.figures run korean"):
        figures.read("korean", tmp_path)


def test_every_kept_output_belongs_to_a_benchmark() -> None:
    assert {path.stem for path in figures.KEPT.glob("*.md")} <= set(figures.BENCHMARKS)
