"""A data folder that version 7ede1c4 wrote opens, with every picture, prompt and owner, and goes on."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from demo_client import Person, Studio, open_studio, wait_for
from sqlalchemy import select

from demo.store.database import HEAD, MIGRATIONS
from demo.store.tables import ENDED, Generation, Idempotency, Image, Owner
from demo.studio.owners import COOKIE
from demo.studio.verifying import problems
from jobspec import Draw, Vary, of_row

FIXTURE = Path(__file__).parent / "data" / "studio-7ede1c4.zip"
JOB_FIELDS = ("negative_prompt", "n", "seed", "steps", "guidance_scale", "refine_strength", "style", "style_weight")


@pytest.fixture(scope="module")
def facts() -> dict:
    return json.loads(zipfile.ZipFile(FIXTURE).read("facts.json"))


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    folder = tmp_path_factory.mktemp("old")
    zipfile.ZipFile(FIXTURE).extractall(folder)
    studio = open_studio(folder, worker=False)
    yield studio
    studio.close()


def browser_of(studio: Studio, owner_id: str) -> Person:
    person = studio.person()
    person.client.set_cookie(COOKIE, studio.services.owners.cookie(owner_id), domain="localhost")
    return person


def test_the_versions_of_the_database_are_one_line_that_ends_at_the_head() -> None:
    versions = ScriptDirectory(str(MIGRATIONS))
    assert versions.get_heads() == [HEAD]
    numbers = [revision.revision for revision in versions.walk_revisions()]
    assert numbers == sorted(numbers, reverse=True)
    assert {path.name[:4] for path in (MIGRATIONS / "versions").glob("*.py")} == set(numbers)


def test_every_row_is_there_and_its_job_says_what_the_columns_said(studio: Studio, facts: dict) -> None:
    assert studio.services.database.revision() == HEAD
    with studio.services.database.read() as session:
        rows = {row.id: row for row in session.scalars(select(Generation))}
        assert set(session.scalars(select(Owner.id))) == set(facts["owners"])
        images = {row.id: row for row in session.scalars(select(Image))}
        assert len(list(session.scalars(select(Idempotency)))) == len(facts["idempotency"])
    assert set(rows) == {old["id"] for old in facts["generations"]}
    for old in facts["generations"]:
        row, job = rows[old["id"]], of_row(rows[old["id"]].spec)
        assert (row.owner_id, row.prompt, row.visibility, row.status) == (
            old["owner_id"], old["prompt"], old["visibility"], old["status"],
        )  # fmt: skip
        assert type(job) is (Draw if old["source_image"] is None else Vary) and job.kind == row.kind
        assert job.main_text == old["prompt"] and job.refine == bool(old["refine"])  # type: ignore[attr-defined]
        assert {name: getattr(job, name) for name in JOB_FIELDS} == {name: old[name] for name in JOB_FIELDS}
        if isinstance(job, Vary):
            assert (job.source_image, job.strength) == (old["source_image"], old["strength"])
    for old in facts["images"]:
        row = images[old["id"]]
        assert {name: getattr(row, name) for name in old} == old
        for file in row.files.values():
            assert studio.services.storage.read(file)


def test_owners_see_over_http_what_they_had_and_find_it_again(studio: Studio, facts: dict) -> None:
    for owner_id in facts["owners"]:
        person = browser_of(studio, owner_id)
        mine = {old["id"]: old for old in facts["generations"] if old["owner_id"] == owner_id}
        items = {item["id"]: item for item in person.get("/generations").json["items"]}
        assert set(items) == set(mine)
        for id, old in mine.items():
            item = items[id]
            shown = ("prompt", "negative_prompt", "n", "seed", "steps", "guidance_scale", "style", "style_weight",
                     "source_image", "strength", "visibility")  # fmt: skip
            assert {name: item[name] for name in shown} == {name: old[name] for name in shown}
            wanted = {image["id"] for image in facts["images"] if image["generation_id"] == id}
            assert {image["id"] for image in item["images"]} == wanted
            for image in item["images"]:
                assert person.get(f"/images/{image['id']}").status_code == 200
            if old["status"] == "succeeded":
                found = person.get(f"/search?scope=mine&k=1&q={old['prompt']}").json["results"]
                assert found[0]["generation_id"] == id


def test_a_retry_of_a_request_from_before_the_upgrade_is_the_same_generation(studio: Studio, facts: dict) -> None:
    (used,) = facts["idempotency"]
    old = next(one for one in facts["generations"] if one["id"] == used["generation_id"])
    body = {"prompt": old["prompt"], "n": old["n"], "seed": old["seed"]}
    again = browser_of(studio, used["owner_id"]).post("/generations", body, headers={"Idempotency-Key": used["key"]})
    assert again.status_code == 202 and again.json["id"] == used["generation_id"]
    assert again.headers["Idempotency-Replayed"] == "true"


def test_what_waited_is_drawn_after_the_upgrade_and_everything_agrees(studio: Studio, facts: dict) -> None:
    waiting = [old for old in facts["generations"] if old["status"] == "queued"]
    assert len(waiting) == 2
    studio.start_worker()
    for old in waiting:
        person = browser_of(studio, old["owner_id"])
        wait_for(lambda id=old["id"], person=person: person.get(f"/generations/{id}").json["status"] in ENDED)
        done = person.get(f"/generations/{old['id']}").json
        assert done["status"] == "succeeded" and [image["seed"] for image in done["images"]] == [old["seed"]]
    assert problems(studio.services) == []
