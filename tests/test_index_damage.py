"""Damaged files never crash the process, never give a wrong answer, and are always built anew."""

from __future__ import annotations

import hashlib
import json
import logging
import random
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import annoy
import numpy as np
import pytest
from index_model import clustered, open_index, records

from index import Hit, IndexOptions, PromptIndex

DIM, ROWS = 8, 2_000
OPTIONS = IndexOptions(exact_below=500, background=False, own_process=False)
VECTORS = clustered(ROWS, DIM, clusters=400, spread=0.6)
QUERIES = clustered(6, DIM, clusters=6, seed=1)


class Ground:
    """A sound index, kept aside, to be copied and damaged."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.live, self.kept = folder, folder / "index", folder / "sound"
        index = open_index(folder, OPTIONS, DIM)
        index.add_many(records(VECTORS))
        index.rebuild()
        self.older = folder / "older"
        shutil.copytree(self.live, self.older)
        for i in range(40):
            index.remove(f"r{i}")
        index.rebuild()
        assert max(segment.near.search_k for segment in index._current_layers().generation.segments.values()) > 0
        index.remove("r50")  # a tombstone over the file
        shutil.copytree(self.live, self.kept)
        shutil.rmtree(self.live)
        self.answers = self.ask(open_index(folder, OPTIONS, DIM))  # exact: there is no file

    def ask(self, index: PromptIndex) -> list[list[Hit]]:
        return [index.search(query, 10, viewer) for query in QUERIES for viewer in (None, "a")]

    def restore(self) -> Path:
        """Return the folder of a fresh copy's only generation."""
        shutil.rmtree(self.live, ignore_errors=True)
        shutil.copytree(self.kept, self.live)
        (generation,) = (self.live / "generations").iterdir()
        for path in generation.iterdir():
            path.chmod(0o644)
        return generation


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    return Ground(tmp_path_factory.mktemp("damage"))


def cut(path: Path, chance: random.Random) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: chance.randrange(len(content))])


def cut_to_whole_nodes(path: Path, chance: random.Random) -> None:
    """The cut that Annoy itself does not notice; of a file smaller than two nodes nothing is left."""
    node = 12 + 4 * DIM
    whole = path.stat().st_size // node
    path.write_bytes(path.read_bytes()[: node * (chance.randrange(1, whole) if whole > 1 else 0)])


def flip(path: Path, chance: random.Random) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(chance.choice((1, 1, 8, 200))):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)


def zeros(path: Path, chance: random.Random) -> None:
    content = bytearray(path.read_bytes())
    start = chance.randrange(len(content))
    end = min(len(content), start + chance.choice((16, 4_096, len(content))))
    content[start:end] = bytes(end - start)
    if content == path.read_bytes():
        content[0] ^= 255
    path.write_bytes(content)


def empty(path: Path, chance: random.Random) -> None:
    path.write_bytes(b"")


def lose(path: Path, chance: random.Random) -> None:
    path.unlink()


def longer(path: Path, chance: random.Random) -> None:
    path.write_bytes(path.read_bytes() + chance.randbytes(chance.choice((1, 12 + 4 * DIM))))


BYTES = (cut, cut_to_whole_nodes, flip, zeros, empty, lose, longer)


def other_annoy(dim: int, metric: str) -> Callable[[Path, random.Random], None]:
    def damage(path: Path, chance: random.Random) -> None:
        other = annoy.AnnoyIndex(dim, metric)
        for row, vector in enumerate(np.random.default_rng(0).standard_normal((500, dim)).tolist()):
            other.add_item(row, vector)
        other.build(3)
        other.save(str(path))

    return damage


def damage_one(ground: Ground, chance: random.Random) -> str:
    """Damage a fresh copy in one random way; say which."""
    generation = ground.restore()
    files = [*(path for path in generation.iterdir() if path.stat().st_size), ground.live / "CURRENT"]
    annoy_file = next(path for path in files if path.suffix == ".ann")
    kind = chance.randrange(10)
    if kind == 0:
        other_annoy(chance.choice((4, 16)), "angular")(annoy_file, chance)
        return "other dim"
    if kind == 1:
        other_annoy(DIM, chance.choice(("euclidean", "dot")))(annoy_file, chance)
        return "other metric"
    if kind == 2:
        (older,) = (ground.older / "generations").iterdir()
        other = [path.name for path in files[:-1] if path.read_bytes() != (older / path.name).read_bytes()]
        name = chance.choice(other)  # the axes of both are those of the 8 dimensions
        shutil.copy(older / name, generation / name)
        return f"{name} of another generation"
    damage, path = chance.choice(BYTES), chance.choice([annoy_file, *files])
    damage(path, chance)
    return f"{damage.__name__} {path.name}"


def check(ground: Ground, message: str) -> None:
    index = open_index(ground.folder, OPTIONS, DIM)
    assert ground.ask(index) == ground.answers, message
    index.tend()
    assert index.verify() == [], message
    assert index.stats()["generation_rows"] == ROWS - 41, message


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_index_answers_and_is_rebuilt(ground: Ground, seed: int) -> None:
    check(ground, damage_one(ground, random.Random(seed)))


@pytest.mark.slow
@pytest.mark.timeout(2 * 3_600)
def test_five_hundred_damaged_files(ground: Ground) -> None:
    damages = Counter[str]()
    for seed in range(1_000, 1_500):
        damage = damage_one(ground, random.Random(seed))
        check(ground, f"{seed}: {damage}")
        damages[damage] += 1
    print(f"{damages.total()} files damaged at rest: {dict(damages)}")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("dim", 16),
        ("metric", "dot"),
        ("encoder_id", "other"),
        ("format", 9),
        ("store_id", "another's"),
        ("seq", 10**9),
        ("count", None),
    ],
)
def test_a_consistent_folder_of_another_kind_is_refused(ground: Ground, field: str, value: object) -> None:
    generation = ground.restore()
    manifest = json.loads((generation / "manifest.json").read_text())
    manifest[field] = value
    content = json.dumps(manifest).encode()
    (generation / "manifest.json").write_bytes(content)
    pointer = {"generation": generation.name, "manifest_sha256": hashlib.sha256(content).hexdigest()}
    (ground.live / "CURRENT").write_text(json.dumps(pointer))
    check(ground, field)


def test_an_older_generation_put_back_is_sound_and_gives_todays_answer(ground: Ground) -> None:
    shutil.rmtree(ground.live, ignore_errors=True)
    shutil.copytree(ground.older, ground.live)
    index = open_index(ground.folder, OPTIONS, DIM)
    assert index.stats()["generation_rows"] == ROWS
    found = {hit.id for query in QUERIES for hit in index.search(query, 1_000)}
    assert found
    assert not found & {*(f"r{i}" for i in range(40)), "r50"}


def test_a_mismatch_is_one_log_line(ground: Ground, caplog: pytest.LogCaptureFixture) -> None:
    generation = ground.restore()
    flip(generation / "manifest.json", random.Random(0))
    index = open_index(ground.folder, OPTIONS, DIM)
    with caplog.at_level(logging.WARNING, "index"):
        for query in QUERIES:
            index.search(query, 3)
    assert [record.getMessage().startswith("index: not opened") for record in caplog.records] == [True]


@pytest.mark.parametrize(
    "pointer",
    [
        "",
        "[]",
        "{}",
        '{"generation": "../../x-12345678", "manifest_sha256": ""}',
        '{"generation": 7, "manifest_sha256": "x"}',
    ],
)
def test_a_pointer_that_leads_elsewhere_is_not_followed(ground: Ground, pointer: str) -> None:
    ground.restore()
    (ground.live / "CURRENT").write_text(pointer)
    check(ground, pointer)
