"""What is one person's is nobody else's: every route is walked with another's identity."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

import pytest
from demo_client import Person, Studio, open_studio
from PIL import Image
from sqlalchemy import func, select

from demo.store.tables import Collection, CollectionItem, Generation, Like, Post, WordUse
from demo.studio.visibility import Viewer, visible_to

NOTHING = "0" * 32
ID = "^[0-9a-f]{32}$"
TEXTS = {"prompt": "분홍 저고리", "code": "ABCD-EFGH-JKMN-PQRS", "reason": "x", "name": "t", "q": "두루마기",
         "title": "저고리", "color": "분홍"}  # fmt: skip
SECRET = "아무도 모르는 자주색 두루마기"


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    studio = open_studio(tmp_path_factory.mktemp("privacy"), rate_writes="100000/minute")  # every route, five ids
    yield studio
    studio.close()


def png() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (40, 30), "red").save(out, "PNG")
    return out.getvalue()


def names_of(studio: Studio, person: Person) -> dict[str, str]:
    """The ids of everything that a person may have, by the name that a path gives them."""
    done = person.finished(SECRET, n=1)
    person.upload(png())
    token = person.post("/me/tokens", {"name": "mine"}).json
    collection, image_id = person.post("/closet", {"name": SECRET}).json, done["images"][0]["id"]
    person.post(f"/closet/{collection['id']}/pictures", {"images": [image_id]})
    return {"generation_id": done["id"], "image_id": image_id, "token_id": token["id"], "place": "0",
            "receipt_id": NOTHING, "model_id": NOTHING, "collection_id": collection["id"]}  # fmt: skip


@dataclass(frozen=True)
class Operation:
    """One operation of the OpenAPI document, with requests that it allows."""

    method: str
    path: str
    parameters: list[dict]
    bodies: list[dict]  # the schemas of its JSON bodies, one a kind

    def fields(self) -> list[str]:
        return re.findall(r"{(\w+)}", self.path)

    def url(self, ids: Iterable[str], names: dict[str, str]) -> str:
        """The path with ids filled in; query parameters that are required, or an id, too."""
        path, known = self.path.format(**names), next(iter(ids))
        queries = [one for one in self.parameters if one["in"] == "query"]
        asked = [one for one in queries if one.get("required") or is_id(one["schema"])]
        query = {one["name"]: known if is_id(one["schema"]) else TEXTS.get(one["name"], "1") for one in asked}
        return "/" + path + (f"?{urlencode(query)}" if query else "")


def operations(studio: Studio) -> list[Operation]:
    """Everything that the document has, so that a route that is new is walked too."""
    spec = studio.person().get("//openapi.json").json
    found = []
    for path, item in spec["paths"].items():
        for method, one in item.items():
            parameters = [*item.get("parameters", []), *one.get("parameters", [])] if method != "parameters" else []
            contents = one.get("requestBody", {}).get("content", {})
            schema = contents.get("application/json", {}).get("schema")
            found.append(Operation(method.upper(), path, parameters, kinds_of(spec, schema) if schema else []))
    return found


def kinds_of(spec: dict, schema: dict) -> list[dict]:
    while "$ref" in schema:
        schema = spec["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]]
    if "oneOf" in schema:
        return [inner for one in schema["oneOf"] for inner in kinds_of(spec, one)]
    return [schema]


def is_id(schema: dict) -> bool:
    return schema.get("pattern") == ID or any(is_id(one) for one in schema.get("anyOf", ()))


def body_of(schema: dict, id: str) -> dict:
    """A body that the schema allows: what is required, and every field that is an id or holds some."""
    fields = schema.get("properties", {})
    wanted = [name for name in fields if name in schema.get("required", ()) or is_id(fields[name])]
    ids = {name: [id] for name in wanted if is_id(fields[name].get("items", {}))}
    return {
        name: id if is_id(fields[name]) else value_of(name, fields[name]) for name in wanted if name not in ids
    } | ids


def value_of(name: str, schema: dict) -> object:
    if "enum" in schema or "const" in schema:
        return schema.get("const", schema.get("enum", [None])[-1])
    values = {"boolean": True, "integer": schema.get("minimum", 1), "number": schema.get("minimum", 1.0)}
    assert schema.get("type") in values or name in TEXTS, f"a body has {name}: give TEXTS a text for it"
    return values.get(schema.get("type"), TEXTS.get(name))


def test_every_route_with_another_persons_ids_answers_as_if_they_did_not_exist(studio: Studio) -> None:
    owner, other = studio.person(), studio.person()
    names = names_of(studio, owner)
    ids = [names[name] for name in ("generation_id", "image_id", "token_id", "collection_id")]
    ids.append(owner.get("/me").json["owner"])
    other.finished("다른 사람의 바지", n=1)
    walked = asked = 0
    for operation in operations(studio):
        fields, key = operation.fields(), (operation.method, operation.path)
        assert set(fields) <= set(names), f"{key} has a path parameter that this test knows nobody's own of"
        for id in ids:
            for schema in operation.bodies or [None]:
                body = None if schema is None else body_of(schema, id)
                theirs = other.call(operation.method, operation.url([id], names), body)
                text = theirs.data.decode("utf-8", "replace")
                assert SECRET not in text and names["generation_id"] not in text, key
                nothing = dict.fromkeys(names, NOTHING)
                other_body = None if schema is None else body_of(schema, NOTHING)
                missing = other.call(operation.method, operation.url([NOTHING], nothing), other_body)
                if fields:
                    walked += 1
                    expected = 403 if "/admin/" in operation.path else 404
                    assert theirs.status_code == missing.status_code == expected, (key, text)
                    assert theirs.json["error"] == missing.json["error"], key
                elif body and (NOTHING in other_body.values() or [NOTHING] in other_body.values()):
                    asked += 1
                    assert theirs.status_code == missing.status_code, key
                    assert theirs.json.get("error") == missing.json.get("error"), key
    assert walked >= 12 * len(ids) and asked >= 2 * len(ids)
    assert owner.get(f"/generations/{names['generation_id']}").json["status"] == "succeeded"
    assert len(owner.get("/me/tokens").json["tokens"]) == 1


def test_everybody_is_shown_what_the_one_expression_allows(studio: Studio) -> None:
    """Row by row: what the database says of `visible_to`, and what each person is answered."""
    owner, other = studio.person(), studio.person()
    kept, shown = owner.finished("회색 조끼", n=1), owner.finished("회색 모자", n=1, visibility="public")
    with studio.services.database.read() as session:
        for person in (owner, other, studio.person()):
            viewer = Viewer(person.get("/me").json["owner"], "browser")
            allowed = set(session.scalars(select(Generation.id).where(visible_to(viewer))))
            for id in (kept["id"], shown["id"]):
                row = session.get_one(Generation, id)
                answered = person.get(f"/generations/{id}").status_code == 200
                assert answered == (id in allowed) == visible_to(viewer, row)


def test_nothing_in_a_search_depends_on_what_others_keep_to_themselves(studio: Studio) -> None:
    owner, other = studio.person(), studio.person()
    before = other.get(f"/search?q={SECRET}&k=100").json["results"]
    owner.finished(SECRET + " 둘", n=1)
    owner.finished(SECRET + " 셋", n=1)
    assert other.get(f"/search?q={SECRET}&k=100").json["results"] == before
    assert studio.person().get("/search?q=두루마기&scope=mine").json["results"] == []


def test_tokens_act_for_their_owner_until_taken_back(studio: Studio) -> None:
    owner, program = studio.person(), studio.person()
    done = owner.finished("갈색 코트", n=1)
    made = owner.post("/me/tokens", {"name": "script"}).json
    program.headers = {"Authorization": f"Bearer {made['token']}"}
    assert program.get(f"/generations/{done['id']}").json["mine"]
    assert program.get("/me").json["kind"] == "token"
    assert "token" not in owner.get("/me/tokens").json["tokens"][0]
    assert owner.call("DELETE", f"/me/tokens/{made['id']}").status_code == 204
    assert program.get(f"/generations/{done['id']}").status_code == 401


def test_a_code_brings_one_to_another_browser_once(studio: Studio) -> None:
    first, second = studio.person(), studio.person()
    old = first.finished("하양 원피스", n=1)
    brought = second.finished("검정 원피스", n=1)
    code = first.post("/me/code").json["code"]
    assert second.post("/me/claim", {"code": code.lower()}).json == {"moved": 1, "generations": 2}
    for person in (first, second):
        assert {item["id"] for item in person.get("/generations").json["items"]} == {old["id"], brought["id"]}
        assert person.get(f"/images/{brought['images'][0]['id']}").status_code == 200
        assert person.get("/search?q=검정 원피스&k=1").json["results"][0]["generation_id"] == brought["id"]
    again = studio.person().post("/me/claim", {"code": code})
    assert again.status_code == 410 and again.json["error"]["code"] == "code_used"
    assert studio.person().post("/me/claim", {"code": "ABCD-EFGH-JKMN-PQRS"}).status_code == 404


def test_every_browser_of_somebody_who_moved_follows_and_old_codes_lead_along(studio: Studio) -> None:
    desk, phone, tablet, late = (studio.person() for _ in range(4))
    drawn = desk.finished("회색 바지", n=1)
    phone.post("/me/claim", {"code": desk.post("/me/code").json["code"]})  # desk and phone are one owner
    left_over = phone.post("/me/code").json["code"]
    there = tablet.finished("분홍 치마", n=1)
    desk.post("/me/claim", {"code": tablet.post("/me/code").json["code"]})  # and go over to the tablet's
    both = {drawn["id"], there["id"]}
    for person in (desk, phone, tablet):
        assert {item["id"] for item in person.get("/generations").json["items"]} == both
    assert phone.finished("노란 양말", n=1)["mine"]
    assert len(tablet.get("/generations").json["items"]) == 3
    assert late.post("/me/claim", {"code": left_over}).json["generations"] == 3
    receipt = phone.call("DELETE", "/me").json
    assert receipt["generations"] == 3
    for person in (desk, phone, tablet, late):
        assert person.get("/generations").json["items"] == []
    again = desk.finished("검은 구두", n=1)
    assert [item["id"] for item in phone.get("/generations").json["items"]] == [again["id"]]


def test_reports_reach_the_admin_who_can_hide(studio: Studio) -> None:
    owner, other, admin = studio.person(), studio.person(), studio.person()
    admin.headers = {"Authorization": f"Bearer {(studio.settings.data_dir / 'admin_token').read_text()}"}
    done = owner.finished("보라 스카프", n=1, visibility="public")
    assert other.post(f"/generations/{done['id']}/report", {"reason": "이상해요"}).status_code == 202
    assert admin.get("/admin/reports").json["reports"][0]["reason"] == "이상해요"
    assert other.get("/admin/reports").status_code == 403
    assert admin.post(f"/admin/generations/{done['id']}/hide", {"hidden": True}).status_code == 200
    assert other.get(f"/generations/{done['id']}").status_code == 404
    assert all(hit["generation_id"] != done["id"] for hit in other.get("/search?q=보라 스카프").json["results"])
    assert owner.get(f"/generations/{done['id']}").json["hidden"]
    assert admin.get("//metrics").status_code == 200 and other.get("//metrics").status_code == 403


def test_forgetting_removes_rows_files_vectors_and_words(tmp_path: object) -> None:
    studio = open_studio(tmp_path)
    try:
        owner, other = studio.person(), studio.person()
        theirs = other.finished("남색 조끼", n=1, visibility="public")
        done = owner.finished(SECRET, n=2)
        owner.upload(png())
        picture = done["images"][0]["id"]
        for person in (owner, other):
            collection = person.post("/closet", {"name": SECRET if person is owner else "조끼"}).json["id"]
            person.call("PUT", f"/images/{theirs['images'][0]['id']}/like")
            person.post(f"/closet/{collection}/pictures", {"images": [theirs["images"][0]["id"]]})
        owner.call("PUT", f"/images/{picture}/like")
        owner.call("PUT", f"/images/{picture}/post", {"caption": SECRET, "author": SECRET})
        assert other.call("PUT", f"/images/{picture}/like").json["likes"] == 2
        assert owner.get("/pictures?garment=두루마기").json["total"] == 2
        receipt = owner.call("DELETE", "/me").json
        assert receipt["generations"] == 1 and receipt["images"] == 3 and receipt["files_left"] == 0
        assert owner.get(f"/generations/{done['id']}").status_code == 404
        assert owner.get("/me").json["images"] == 0
        assert owner.get("/closet").json == {"collections": [], "liked": 0}
        assert other.get("/closet").json["liked"] == 1 and other.get("/pictures").json["items"][0]["likes"] == 1
        with studio.services.database.read() as session:
            for table in (Like, Collection, CollectionItem):
                assert session.scalar(select(func.count()).select_from(table)) == 1  # the other's own
            assert session.scalar(select(func.count()).select_from(Post)) == 0
            assert set(session.scalars(select(WordUse.generation_id))) <= {theirs["id"]}
        studio.services.searcher.index.rebuild()
        assert owner.get(f"/receipts/{receipt['receipt']}").json["complete"]
        kept = list(studio.services.storage.found())
        assert len(kept) == 3
        studio.services.database.checkpoint()
        for path in studio.settings.data_dir.rglob("*"):
            if path.is_file() and path.suffix != ".log":
                assert SECRET.encode() not in path.read_bytes(), path
    finally:
        studio.close()


def test_deleting_one_picture_and_the_last_one(studio: Studio) -> None:
    person = studio.person()
    done = person.finished("주황 비니", n=2)
    first, second = (image["id"] for image in done["images"])
    assert person.call("DELETE", f"/images/{first}").json["generations"] == 0
    assert [image["id"] for image in person.get(f"/generations/{done['id']}").json["images"]] == [second]
    assert person.call("DELETE", f"/images/{second}").json["generations"] == 1
    assert person.get(f"/generations/{done['id']}").status_code == 404
    assert person.get(f"/images/{first}").status_code == 404


def test_an_export_holds_everything(studio: Studio) -> None:
    import zipfile

    person = studio.person()
    done = person.finished("민트 반바지", n=2)
    person.upload(png())
    archive = zipfile.ZipFile(io.BytesIO(person.get("/me/export").data))
    names = archive.namelist()
    assert archive.testzip() is None
    assert sum(name.startswith(f"generations/{done['id']}/") for name in names) == 4
    assert sum(name.startswith("uploads/") for name in names) == 1
    assert "민트 반바지" in archive.read("generations.jsonl").decode()
