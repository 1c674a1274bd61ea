"""The way of one prompt through the service: accepted with similar ones, drawn, watched, found again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from demo_client import Studio, open_studio, wait_for

from demo.studio.styles import KnownStyle, Styles
from demo.web.present import style_cells


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    studio = open_studio(tmp_path_factory.mktemp("studio"))
    yield studio
    studio.close()


def test_a_prompt_is_accepted_at_once_and_drawn(studio: Studio) -> None:
    person = studio.person()
    made = person.draw("분홍 버킷햇, 주황 재킷", n=2, seed=2**32 - 1)
    assert made["status"] == "queued" and made["position"] == 0 and made["similar"] == []
    done = person.until_end(made["id"])
    assert done["status"] == "succeeded" and done["error"] is None and done["progress"] is None
    assert [image["seed"] for image in done["images"]] == [2**32 - 1, 0]
    assert set(done["timings"]) == {"encode", "search", "queue", "base", "refiner", "store"}
    picture = person.get(done["images"][0]["url"].removeprefix("/api/v1"))
    assert picture.status_code == 200 and picture.mimetype == "image/png"


def test_a_finished_generation_is_found_by_the_next_prompt_and_search(studio: Studio) -> None:
    person = studio.person()
    first = person.finished("초록 체크무늬 코트")
    similar = person.draw("초록 체크무늬 외투")["similar"]
    assert similar[0]["generation_id"] == first["id"] and similar[0]["mine"] and similar[0]["images"]
    found = person.get("/search?q=초록 체크 코트&k=3").json["results"]
    assert found[0]["generation_id"] == first["id"]
    assert person.get("/search?q=초록 체크 코트&scope=public").json["results"] == []
    assert person.get("/search?q=초록&scope=mine").json["results"][0]["generation_id"] == first["id"]


def test_a_search_of_ones_own_finds_every_drawing_of_a_prompt(studio: Studio) -> None:
    person = studio.person()
    made = {person.finished("은색 비녀", n=1)["id"] for _ in range(2)}
    mine = person.get("/search?q=은색 비녀&scope=mine").json["results"]
    assert {one["generation_id"] for one in mine} == made
    everyone = person.get("/search?q=은색 비녀").json["results"]
    assert len(made & {one["generation_id"] for one in everyone}) == 1


def test_a_search_reads_the_rows_that_the_index_named_and_no_others(studio: Studio) -> None:
    """Given more conditions than the ids, SQLite walks through everything public instead."""
    person, engine = studio.person(), studio.services.database.engine
    person.finished("금색 꽃신")
    asked: list[tuple[str, tuple]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: tuple, *_: object) -> None:
        asked.append((statement, parameters))

    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        assert person.get("/search?q=금색 꽃신").json["results"]
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)
    (found,) = [one for one in asked if "generations.index_id IN" in one[0]]
    with engine.connect() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {found[0]}", found[1]).all()
    assert [step.detail.split(" (")[1] for step in plan] == ["index_id=?)"]


def test_events_tell_everything_and_replay_after_a_reconnect(studio: Studio) -> None:
    person, gate = studio.person(), studio.pipeline.gate()
    made = person.draw("하늘색 저고리", n=2)
    wait_for(lambda: person.get(f"/generations/{made['id']}").json["progress"])  # steps are told until it has ended
    stream = person.get(f"/generations/{made['id']}/events", buffered=False)
    gate.set()
    events = read_events(stream)
    kinds = [event["kind"] for event in events]
    assert kinds[0] == "queued" and kinds[-3:] == ["image", "image", "done"] and "progress" in kinds
    assert events[-1]["data"]["status"] == "succeeded" and len(events[-1]["data"]["images"]) == 2
    last = events[-2]["id"]
    again = read_events(person.get(f"/generations/{made['id']}/events", headers={"Last-Event-ID": last}))
    assert [event["kind"] for event in again] == ["done"]
    end = person.get(f"/generations/{made['id']}/events", headers={"Last-Event-ID": events[-1]["id"]})
    assert end.status_code == 204


def test_a_stream_that_has_nothing_to_tell_still_beats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("demo.web.streams.HEARTBEAT", 0.05)
    studio = open_studio(tmp_path, worker=False)
    person = studio.person()
    reply = person.get(f"/generations/{person.draw('코트')['id']}/events", buffered=False)
    parts = iter(reply.response)
    beats = (part for part in parts if bytes(part).startswith(b":"))
    assert next(beats) and next(beats)
    reply.close()
    studio.close()


def test_a_running_job_shows_previews_and_is_cancelled_within_a_step(tmp_path: object) -> None:
    studio = open_studio(tmp_path)
    try:
        person, gate = studio.person(), studio.pipeline.gate()
        id = person.draw("파란 치마", n=2)["id"]
        wait_for(lambda: (person.get(f"/generations/{id}").json["progress"] or {}).get("preview_url"))
        progress = person.get(f"/generations/{id}").json["progress"]
        assert progress["stage"] == "base" and len(progress["preview_urls"]) == 2
        assert person.get(progress["preview_url"].removeprefix("/api/v1")).mimetype == "image/webp"
        assert person.post(f"/generations/{id}/cancel").json["status"] == "cancelled"
        assert person.post(f"/generations/{id}/cancel").status_code == 409
        gate.set()
        second = person.until_end(person.draw("노란 치마")["id"])
        assert second["status"] == "succeeded"
        assert person.get(f"/generations/{id}").json["images"] == []
        assert person.get(progress["preview_url"].removeprefix("/api/v1")).status_code == 404
    finally:
        studio.close()


def test_the_same_idempotency_key_gives_the_same_generation(studio: Studio) -> None:
    person = studio.person()
    person.get("//")
    body, key = {"prompt": "흰 블라우스"}, {"Idempotency-Key": "a-1"}
    first = person.post("/generations", body, headers=key)
    second = person.post("/generations", body, headers=key)
    assert first.json["id"] == second.json["id"] and second.headers["Idempotency-Replayed"] == "true"
    other = person.post("/generations", {"prompt": "다른 것"}, headers=key)
    assert other.status_code == 422 and other.json["error"]["code"] == "idempotency_conflict"
    assert studio.person().post("/generations", body, headers=key).json["id"] != first.json["id"]


def test_lists_are_paged_newest_first(studio: Studio) -> None:
    person = studio.person()
    ids = [person.draw(f"원피스 {i}")["id"] for i in range(5)]
    first = person.get("/generations?limit=3").json
    rest = person.get(f"/generations?limit=3&cursor={first['next_cursor']}").json
    assert [item["id"] for item in first["items"] + rest["items"]] == ids[::-1] and rest["next_cursor"] is None
    assert person.get("/generations?cursor=abc").json["error"]["code"] == "bad_cursor"


def test_a_public_generation_is_seen_by_all_and_can_be_made_private_again(studio: Studio) -> None:
    person, other = studio.person(), studio.person()
    done = person.finished("단청무늬 두루마기", visibility="public")
    assert other.get("/gallery").json["items"][0]["id"] == done["id"]
    seen = other.get(f"/generations/{done['id']}").json
    assert not seen["mine"] and seen["timings"] == {} and seen["links"]["cancel"] is None
    assert other.get("/search?q=단청무늬 두루마기").json["results"][0]["generation_id"] == done["id"]
    person.call("PATCH", f"/generations/{done['id']}", {"visibility": "private"})
    assert other.get(f"/generations/{done['id']}").status_code == 404
    assert other.get("/search?q=단청무늬 두루마기").json["results"] == []
    assert other.get(f"/images/{done['images'][0]['id']}").status_code == 404


def test_a_variation_starts_from_a_picture_that_may_be_seen(studio: Studio) -> None:
    person = studio.person()
    source = person.finished("빨간 부츠", n=1)["images"][0]["id"]
    varied = person.finished("빨간 부츠", n=2, source_image=source, strength=0.5)
    assert varied["status"] == "succeeded" and varied["source_image"] == source
    assert studio.pipeline.batches[-1][0].source is not None
    other = studio.person().post("/generations", {"prompt": "부츠", "source_image": source})
    assert other.json["error"]["code"] == "unknown_source_image"


def test_styles_are_words_or_loras(studio: Studio) -> None:
    person = studio.person()
    styles = {style["name"]: style["kind"] for style in person.get("/styles").json["styles"]}
    assert styles["ink_wash"] == "prompt" and styles["minhwa"] == "lora"
    person.finished("갓", style="ink_wash", n=1)
    assert studio.pipeline.batches[-1][0].prompt == "갓, 수묵화"
    assert person.finished("갓", style="minhwa", n=1)["status"] == "succeeded"
    refused = person.post("/generations", {"prompt": "갓", "style": "x"}).json["error"]
    assert refused["code"] == "unknown_style" and "minhwa" in refused["message"] and "ink_wash" in refused["message"]


def test_where_no_style_is_installed_the_refusal_says_so_and_how_one_is_added(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Styles, "names", lambda self: [])
    person, asked = studio.person(), {"prompt": "갓 <lora:네온:0.8>"}
    korean = person.post("/generations", asked).json["error"]
    english = person.post("/generations", asked, headers={"Accept-Language": "en"}).json["error"]
    assert korean["code"] == english["code"] == "unknown_style"
    assert "네온" in korean["message"] and "아직 없어요" in korean["message"]
    assert "no style file (LoRA) is installed" in english["message"]
    for error in (korean, english):
        assert "python -m demo styles add" in error["message"] and not error["message"].endswith(("-", ": "))


def test_a_style_says_what_it_is_and_by_what_word_it_is_called(studio: Studio) -> None:
    offered = {style["name"]: style for style in studio.person().get("/styles").json["styles"]}
    assert offered["minhwa"] == {
        "name": "minhwa", "kind": "lora", "label": {"ko": "minhwa", "en": "minhwa"}, "trigger": "민화풍",
        "example": "민화풍 호랑이", "base": "", "sha256": "0" * 64, "cell": None,
    }  # fmt: skip
    assert offered["ink_wash"]["cell"] == style_cells()["ink_wash"] == 1


def test_an_installed_style_is_drawn_though_its_name_is_a_word_for_another(studio: Studio) -> None:
    person = studio.person()
    person.finished("갓", style="먹그림", n=1)
    assert (studio.pipeline.batches[-1][0].prompt, studio.pipeline.settings[-1].style) == ("갓, 수묵화", None)
    studio.services.styles.add(KnownStyle("먹그림"))
    try:
        person.finished("갓", style="먹그림", n=1)
    finally:
        studio.services.styles.remove("먹그림")
    assert (studio.pipeline.batches[-1][0].prompt, studio.pipeline.settings[-1].style) == ("갓", "먹그림")


def test_a_style_that_ships_has_its_name_in_both_languages_and_its_picture(studio: Studio) -> None:
    studio.services.styles.add(KnownStyle("여성 한복"))
    try:
        offered = {style["name"]: style for style in studio.person().get("/styles").json["styles"]}
    finally:
        studio.services.styles.remove("여성 한복")
    assert offered["여성 한복"]["label"] == {"ko": "여성 한복", "en": "women's court hanbok"}
    assert offered["여성 한복"]["cell"] == style_cells()["여성 한복"]


def test_several_styles_are_drawn_together_from_a_list_or_from_tags(studio: Studio) -> None:
    person = studio.person()
    wanted = [{"name": "minhwa", "weight": 0.5}, {"name": "수묵화", "weight": 0.8}]
    listed = person.finished("빨간 갓", n=1, styles=wanted)
    assert listed["styles"] == wanted and listed["prompt"] == "빨간 갓"
    tagged = person.finished("빨간 갓 <lora:minhwa:0.5>, <lora:수묵화:0.8>", n=1)
    assert (tagged["styles"], tagged["prompt"]) == (wanted, "빨간 갓")
    assert [each.name for each in studio.pipeline.settings[-1].styles] == ["minhwa", "수묵화"]
    assert studio.pipeline.batches[-1][0].prompt == "빨간 갓"
    other = person.finished("빨간 갓", n=1)
    assert other["styles"] == []


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        ({"prompt": "갓 <lora:네온:0.8>"}, "unknown_style", "minhwa, 수묵화"),
        ({"prompt": "갓", "styles": [{"name": "네온"}]}, "unknown_style", "minhwa, 수묵화"),
        ({"prompt": "갓 <lora:minhwa:9>"}, "invalid_request", "2"),
        ({"prompt": "갓 <lora:minhwa:strong>"}, "invalid_request", "styles.0.weight"),
        ({"prompt": "갓", "styles": [{"name": "minhwa"}] * 5}, "invalid_request", "4"),
    ],
)
def test_styles_that_cannot_be_drawn_are_refused_with_what_can(
    studio: Studio, body: dict, code: str, said: str
) -> None:
    refused = studio.person().post("/generations", body)
    assert refused.status_code == 422
    assert refused.json["error"]["code"] == code and said in str(refused.json["error"])


def test_a_prompt_is_counted_without_its_tags(studio: Studio) -> None:
    person = studio.person()
    with_tag = person.post("/prompts/analyze", {"prompt": "빨간 갓 <lora:minhwa:0.5>"}).json
    assert with_tag == person.post("/prompts/analyze", {"prompt": "빨간 갓"}).json


@pytest.mark.parametrize("refines", [True, False])
def test_what_is_promised_is_what_the_checkpoint_can_do(tmp_path: Path, refines: bool) -> None:
    studio = open_studio(tmp_path, worker=False, refines=refines)
    person = studio.person()
    for worker in (False, True):  # before the worker is there, its folder tells
        if worker:
            studio.start_worker()
            wait_for(lambda: studio.services.readiness.report()["ready"])
        about = person.get("/about").json
        assert about["refines"] is about["defaults"]["refine"] is refines
        assert person.get("/models").json["checkpoint"]["stages"] == ["base", "refiner"][: 1 + refines]
        assert person.draw("코트")["refine"] is refines
    asked = person.draw("코트", refine=True)
    assert ("refiner_missing" in [one["code"] for one in asked["warnings"]]) is not refines
    done = person.until_end(asked["id"])
    assert done["refine"] is refines and (done["images"][0]["base_url"] is not None) is refines
    assert person.finished("코트", refine=False)["warnings"] == []
    studio.close()


def test_a_refiner_that_went_away_is_not_claimed(tmp_path: Path) -> None:
    studio = open_studio(tmp_path, worker=False)
    asked = studio.person()
    made = asked.draw("코트")
    studio.pipeline.refines = False
    studio.start_worker()
    assert made["refine"] and not asked.until_end(made["id"])["refine"]
    studio.close()


def test_failures_end_as_failures_with_a_reason(studio: Studio) -> None:
    person = studio.person()
    assert person.finished("crash")["error"]["code"] == "draw_failed"
    refused = person.finished("모자", steps=99)["error"]
    assert refused["code"] == "bad_settings" and "99 steps" in refused["message"]
    flagged = person.finished("flag")
    assert flagged["status"] == "failed" and flagged["error"]["code"] == "content_flagged" and not flagged["images"]


def read_events(reply: object) -> list[dict]:
    assert reply.status_code == 200, reply.text
    events = []
    for block in reply.text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line and not line.startswith(":"))
        if "event" in lines:
            events.append({"id": lines.get("id"), "kind": lines["event"], "data": json.loads(lines["data"])})
    return events
