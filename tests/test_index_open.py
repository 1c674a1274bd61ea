"""An index that is open goes on, whatever happens to its files; removed texts leave every file at once."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from index_model import SMALL, Model, assert_same, clustered, open_index, records

from index import IndexOptions, PromptIndex
from index.folder import IndexFolder

DIM = 8
OPTIONS = IndexOptions(exact_below=500, background=False, own_process=False)
VECTORS = clustered(2_000, DIM, clusters=400, spread=0.6)
ASKER = """
import sys
sys.path[:0] = sys.argv[2:]
from pathlib import Path
import numpy as np
from test_index_open import DIM, OPTIONS, VECTORS, open_index
index = open_index(Path(sys.argv[1]), OPTIONS, DIM)
for line in sys.stdin:
    rows = np.random.default_rng(int(line)).integers(0, len(VECTORS), 20)
    print([[hit.id for hit in index.search(VECTORS[row], 10)] for row in rows], flush=True)
"""


def truncate(path: Path, chance: random.Random) -> None:
    with path.open("r+b") as file:
        file.truncate(chance.randrange(max(1, path.stat().st_size)))


def overwrite(path: Path, chance: random.Random) -> None:
    with path.open("r+b") as file:
        size = path.stat().st_size
        file.write(chance.choice((bytes(size), chance.randbytes(size))))


def delete(path: Path, chance: random.Random) -> None:
    path.unlink()


def damage_while_open(folder: Path, times: int) -> None:
    """Damage three files in random ways while another process searches; its answers stay those of before."""
    damages = Counter[str]()
    index = open_index(folder, OPTIONS, DIM)
    index.add_many(records(VECTORS))
    root = Path(__file__).parent.parent
    chance = random.Random(7)
    for turn in range(times):
        index.rebuild()
        (generation,) = (folder / "index" / "generations").iterdir()
        command = [sys.executable, "-c", ASKER, str(folder), str(root), str(root / "tests")]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as asker:
            before = ask(asker, turn)
            for path in chance.sample(sorted(generation.iterdir()), 3):
                path.chmod(0o600)
                damage = chance.choice((truncate, overwrite, delete))
                damage(path, chance)
                damages[damage.__name__] += 1
            assert ask(asker, turn) == before and "r" in before
            asker.stdin.close()
            assert asker.wait(60) == 0
    print(f"{damages.total()} files damaged while open: {dict(damages)}")


def ask(asker: subprocess.Popen, turn: int) -> str:
    asker.stdin.write(f"{turn}\n")
    asker.stdin.flush()
    return asker.stdout.readline()


def test_files_damaged_while_open_change_no_answer_and_kill_nobody(tmp_path: Path) -> None:
    damage_while_open(tmp_path, times=4)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_five_hundred_files_damaged_while_open_change_no_answer(tmp_path: Path) -> None:
    damage_while_open(tmp_path, times=170)


def test_what_was_damaged_while_open_is_built_again_when_it_is_opened_next(tmp_path: Path) -> None:
    index = open_index(tmp_path)
    index.add_many(records(clustered(200)))
    index.rebuild()
    (generation,) = (tmp_path / "index" / "generations").iterdir()
    for path in generation.glob("*.ann"):
        path.chmod(0o600)
        truncate(path, random.Random(1))
    again = open_index(tmp_path)
    assert again.stats()["generation"] is None and len(again.search(clustered(200)[0], 10)) == 10
    again.tend()
    assert again.verify() == [] and again.stats()["generation_rows"] == 200


def test_without_room_for_a_private_copy_search_is_exact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = open_index(tmp_path)
    index.add_many(records(clustered(200)))
    index.rebuild()
    expected = [hit.id for hit in index.search(clustered(200)[3], 10)]
    monkeypatch.setattr("index.generation.SPARE_BYTES", 1 << 60)
    again = open_index(tmp_path)
    assert [hit.id for hit in again.search(clustered(200)[3], 10)] == expected
    assert again.stats()["generation"] is None


def test_a_copy_that_was_being_made_is_swept_and_files_are_for_their_user_alone(tmp_path: Path) -> None:
    index = open_index(tmp_path)
    index.add_many(records(clustered(100)))
    index.rebuild()
    index.search(clustered(1)[0])
    folder = tmp_path / "index"
    (folder / "private" / "left").mkdir()
    (folder / "private" / "left" / "flat.f32").write_bytes(b"x")
    with index.folder.lease() as lease:
        assert lease is not None
        index.folder.sweep(index.stats()["generation"])
    assert list((folder / "private").iterdir()) == []
    modes = {path.name: path.stat().st_mode & 0o077 for path in (folder / "private", folder)}
    assert set(modes.values()) == {0}


def test_the_text_of_a_removed_prompt_leaves_the_files_at_once(tmp_path: Path) -> None:
    """Before the rebuild that takes its vector out: in the folder, and in this process's copy."""
    options = replace(SMALL, erase_within=1e6)
    index = open_index(tmp_path, options)
    some = [replace(record, group=f"비밀 {record.id} 원피스") for record in records(clustered(100))]
    index.add_many(some)
    index.rebuild()
    assert texts(tmp_path).count("비밀") == 100
    index.remove("r7")
    assert not index.removed("r7")
    left = texts(tmp_path)
    assert left.count("비밀") == 99 and "비밀 r7 " not in left and "비밀 r8 " in left
    assert bytes(index._layers.generation._text).count("비밀 r7 ".encode()) == 0
    assert index.verify() == [] and "r7" not in {hit.id for hit in index.search(clustered(100)[7], 200)}
    again = open_index(tmp_path, options)
    assert again.verify() == [] and "r7" not in {hit.id for hit in again.search(clustered(100)[7], 200)}
    assert again.stats()["generation_rows"] == 100, "texts that were overwritten are no damage"
    del index  # holds the generation that it opened
    again.rebuild()
    assert again.removed("r7") and again.verify() == []


def test_whoever_opens_a_file_whose_texts_were_erased_still_finds_the_heirs(tmp_path: Path) -> None:
    """Fifty drew the same prompt, and the newest of them is removed: the one before stands for the prompt."""
    index, model = open_index(tmp_path), Model()
    vectors = clustered(60)
    for turn in range(4):
        for place, record in enumerate(records(vectors, prefix=f"turn{turn} r")):
            made = replace(record, group=f"group {place}", owner="ab"[turn % 2], public=bool(turn % 3))
            index.add_many([made])
            model.add(made)
    index.rebuild()
    for place in range(0, 60, 3):
        for turn in (3, 1)[: 1 + place % 2]:
            index.remove(f"turn{turn} r{place}")
            del model.live[f"turn{turn} r{place}"]
    for seen in (index, after_erasing(index, tmp_path)):
        for viewer in ("a", "b", None):
            for vector in vectors[:12]:
                assert_same(seen.search(vector, 10, viewer), model.search(vector, 10, viewer))
        assert seen.verify() == []


def after_erasing(index: PromptIndex, folder: Path) -> PromptIndex:
    assert not index.removed("turn3 r0")
    index._erase_texts()
    return open_index(folder)


def test_a_removal_is_due_at_the_same_moment_after_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = replace(SMALL, erase_within=100.0)
    index = open_index(tmp_path, options)
    index.add_many(records(clustered(100)))
    index.rebuild()
    index.remove("r1")
    assert not index.removed("r1")
    index.tend()
    assert not index.removed("r1")
    del index
    began = time.time()
    for later, due in ((50.0, False), (99.0, False), (101.0, True)):
        again = open_index(tmp_path, options)
        monkeypatch.setattr("index.folder.time.time", lambda later=later: began + later)
        again.tend()
        assert again.removed("r1") is due, later
        del again


@pytest.mark.parametrize("jump", [-86_400.0, 86_400.0])
def test_a_clock_a_day_off_makes_a_removal_due_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jump: float
) -> None:
    folder = IndexFolder(tmp_path)
    assert folder.removal_age(60.0) == 0.0
    folder.note_removal()
    assert 0 <= folder.removal_age(60.0) < 50
    now = time.time()
    monkeypatch.setattr("index.folder.time.time", lambda: now + jump)
    assert folder.removal_age(60.0) == 60.0
    folder.forget_removal()
    assert folder.removal_age(60.0) == 0.0


def texts(folder: Path) -> str:
    return "".join(path.read_bytes().decode() for path in (folder / "index").rglob("text.utf8"))
