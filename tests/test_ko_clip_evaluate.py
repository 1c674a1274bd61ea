"""Evaluation and export of an encoder as a person's own three-line recipe leaves it: without a search head."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from ko_clip_parts import PAIRS, make_clip, write_pairs, write_recipe

from ko_clip import evaluate, export
from ko_clip.encoder import PromptEncoder
from ko_clip.measures import CharacterTfidf, retrieval, spearman
from ko_clip.train import main as train

# diffusers hands torch tensors to numpy 2 the old way
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with clip/, pairs.csv, scored.tsv and the encoder run/model/."""
    folder = tmp_path_factory.mktemp("own")
    clip, pairs = make_clip(folder / "clip"), write_pairs(folder / "pairs.csv", repeat=2)
    assert train(["--config", str(write_recipe(folder / "mine.yaml", clip, pairs, folder / "run"))]) == 0
    rows = [(f"{5 - i % 6}.0", PAIRS[i][0], PAIRS[(i * 7) % 25][0]) for i in range(25)]
    (folder / "scored.tsv").write_text("score\tko1\tko2\n" + "".join("\t".join(row) + "\n" for row in rows), "utf-8")
    return folder


def test_all_tables_and_charts_are_written(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--encoder", str(made / "run/model"), "--teacher", str(made / "clip"), "--drawn", "8"]
    options += ["--pairs", str(made / "pairs.csv"), "--scored", str(made / "scored.tsv")]
    options += ["--scored-train", str(made / "scored.tsv"), "--out", str(made / "out")]
    assert evaluate.main(options) == 0
    tables = json.loads((made / "out/evaluation.json").read_text("utf-8"))
    assert list(tables) == ["Retrieval, refiner head", "Similarity (Spearman)", "Drawn captions, Korean to English",
                            "Agreement with the teacher", "Robustness"]  # fmt: skip
    assert {row["direction"] for row in tables["Retrieval, refiner head"]} == {"ko→en", "en→ko"}
    assert {"R@1", "R@5", "R@10", "median rank"} <= set(tables["Retrieval, refiner head"][0])
    assert tables["Similarity (Spearman)"][0]["scored pairs"] == 25
    assert [row["head"] for row in tables["Agreement with the teacher"]] == ["base", "refiner"]
    assert {"none", "konglish"} <= {row["noise"] for row in tables["Robustness"]}
    assert len(list((made / "out").glob("*.png"))) == len(tables)
    assert "### Robustness" in capsys.readouterr().out


@pytest.mark.parametrize(("options", "message"), [
    ([], "give --pairs, --scored or --drawn"),
    (["--drawn", "4"], "--drawn needs --teacher"),
    (["--scored", "nowhere.tsv"], "scored pairs nowhere.tsv are missing"),
    (["--scored", "{made}/pairs.csv"], "needs the columns score, ko1 and ko2"),
])  # fmt: skip
def test_what_is_missing_is_one_line(
    made: Path, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate.main(["--encoder", str(made / "run/model"), *(part.format(made=made) for part in options)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and message in error and error.count("\n") == 1


def test_the_wrong_teacher_for_an_encoder_is_refused(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = make_clip(made / "other", seed=9)
    options = ["--encoder", str(made / "run/model"), "--teacher", str(other), "--drawn", "4"]
    assert evaluate.main(options) == 2
    assert "name the teacher of its recipe, or train for this one" in capsys.readouterr().err


def test_an_encoder_without_a_search_head_searches_and_is_exported_by_its_pooled_embedding(made: Path) -> None:
    from sentence_transformers import SentenceTransformer

    assert export.main(["--encoder", str(made / "run/model"), "--out", str(made / "export")]) == 0
    model = SentenceTransformer(str(made / "export"), device="cpu", trust_remote_code=True)
    texts = ["빨간 모자", "red hat"]
    encoder = PromptEncoder.load(made / "run/model")
    pooled = encoder.refiner(texts)[1].numpy()
    ours = pooled / np.linalg.norm(pooled, axis=1, keepdims=True)
    assert encoder.search_dim == 24 and np.abs(encoder.search(texts) - ours).max() < 1e-6  # an index can use it
    assert np.abs(model.encode(texts, show_progress_bar=False) - ours).max() < 1e-5


def test_identical_captions_share_credit() -> None:
    vectors = np.eye(3, dtype=np.float32)
    found = retrieval(vectors[[0, 0, 2]], vectors[[0, 1, 2]], ["a hat", "a hat", "a dress"])
    assert found["R@1"] == 1.0 and found["median rank"] == 1.0


def test_spearman_shares_the_ranks_of_ties_and_the_rival_learns_its_idf_elsewhere() -> None:
    assert spearman([1, 2, 3], [10, 20, 30]) == pytest.approx(1)
    assert spearman([1, 1, 2], [1, 1, 2]) == pytest.approx(1)
    rival = CharacterTfidf(["빨간 모자", "파란 모자"])
    assert rival.similarity("빨간 모자", "빨간 모자") == pytest.approx(1)
    assert rival.similarity("빨간 모자", "빨간 치마") > rival.similarity("빨간 모자", "파란 모자") * 0.5
