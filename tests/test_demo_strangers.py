"""What a stranger is told does not change when somebody else acts privately, and files tell no more than that."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator

import pytest
from demo_client import Person, Studio, open_studio
from PIL import Image
from sqlalchemy.exc import IntegrityError

from demo.store.tables import Generation

SECRET = "아무도 모르는 자주색 두루마기"
VOLATILE = re.compile(r'"took_ms":\s*[\d.]+|nonce[-=]"?[\w-]+|"seconds":\s*[\d.]+')
FORMATS = ("", "?format=png", "?format=jpeg", "?format=webp", "?size=thumbnail", "?stage=base", "?download=true")


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    studio = open_studio(tmp_path_factory.mktemp("strangers"))
    yield studio
    studio.close()


def png(color: str = "red") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (40, 30), color).save(out, "PNG")
    return out.getvalue()


def answers(studio: Studio, stranger: Person, public: dict) -> dict[str, tuple[int, bytes]]:
    """Every route that can be read, with the ids of a public generation; and every form of its picture."""
    names = {"generation_id": public["id"], "image_id": public["images"][0]["id"], "place": "0", "token_id": "0" * 32,
             "receipt_id": "0" * 32, "model_id": "geuryeojwo"}  # fmt: skip
    spec = stranger.get("//openapi.json").json
    paths = ["/" + path.format(**names) for path, item in spec["paths"].items() if "get" in item]
    paths = [path + "?q=두루마기" if path.endswith(("/search", "/suggest")) else path for path in paths]
    paths += [f"/images/{names['image_id']}{form}" for form in FORMATS]
    paths += ["//", "//openapi.json", "//docs", "//manifest.webmanifest"]
    found = {}
    for path in paths:
        reply = stranger.get(path)
        found[path] = (reply.status_code, VOLATILE.sub("", _text(reply)).encode())
    return found


def _text(reply: object) -> str:
    """A body as text; of a zip its files, since it also holds the time."""
    if reply.mimetype != "application/zip":
        return reply.data.decode("utf-8", "replace")
    archive = zipfile.ZipFile(io.BytesIO(reply.data))
    return repr([(name, archive.read(name)) for name in archive.namelist()])


def act_privately(owner: Person) -> None:
    """Everything that somebody may do for themselves alone."""
    upload = owner.upload(png()).json["id"]
    done = owner.finished(SECRET, n=2, source_image=upload)
    failed = owner.finished(SECRET + " crash", n=1)
    assert (done["status"], failed["status"]) == ("succeeded", "failed")
    owner.post(f"/generations/{owner.draw(SECRET + ' 셋')['id']}/cancel")
    owner.post("/me/tokens", {"name": SECRET})
    owner.post("/me/code")
    owner.call("DELETE", f"/generations/{done['id']}")
    owner.finished(SECRET + " 넷", n=1)


def test_nothing_that_a_stranger_can_read_changes_by_what_another_does_privately(studio: Studio) -> None:
    owner, stranger = studio.person(), studio.person()
    public = owner.finished("노란 우산", n=1, visibility="public")
    stranger.get("//")
    before = answers(studio, stranger, public)
    assert len(before) > 25 and sum(status == 200 for status, _ in before.values()) > 15
    act_privately(owner)
    after = answers(studio, stranger, public)
    for path, one in before.items():
        assert after[path] == one, path
    assert not [path for path, (_, body) in after.items() if SECRET.encode() in body]


def test_the_numbers_of_events_count_ones_own_alone(studio: Studio) -> None:
    owner, other = studio.person(), studio.person()
    numbers = []
    for _ in range(2):
        id = other.finished("하늘색 양말", n=1)["id"]
        text = other.get(f"/generations/{id}/events").text
        events = re.findall(r"^id: (\d+)\nevent: (\w+)$", text, re.MULTILINE)
        assert [kind for _, kind in events] == ["queued", "image", "done"], text
        numbers.append(int(events[0][0]))
        assert int(events[2][0]) < 60  # steps among them that are gone
        owner.finished(SECRET, n=1)
    assert numbers == [1, 1]


def test_a_stranger_gets_a_public_picture_without_what_it_came_from(studio: Studio) -> None:
    owner, stranger = studio.person(), studio.person()
    upload = owner.upload(png("blue")).json["id"]
    done = owner.finished("초록 코트", n=1, source_image=upload, visibility="public")
    with studio.services.database.write() as session:  # as the real pipeline writes it
        row = session.get(Generation, done["id"])
        from demo.store.tables import Image as Row

        image = session.get(Row, done["images"][0]["id"])
        image.recipe = image.recipe | {
            "source_sha256": "f" * 64,
            "made_with": {"weights": "a" * 64},
            "settings": {"steps": 4},
        }
        assert row is not None
    url = done["images"][0]["url"].removeprefix("/api/v1")
    for form in FORMATS:
        reply = stranger.get(url + form)
        assert reply.status_code in (200, 404)
        text = reply.data.decode("latin-1") + reply.data.decode("utf-16-be", "ignore")
        assert "made_with" not in text and "f" * 64 not in text and upload not in text, form
        assert "Cookie" in reply.headers["Vary"]
    recipe = json.loads(Image.open(io.BytesIO(stranger.get(url).data)).text["recipe"])
    assert recipe["prompt"] == "초록 코트" and recipe["settings"] == {"steps": 4} and recipe["seed"] == done["seed"]
    theirs, mine = (Image.open(io.BytesIO(person.get(url).data)) for person in (stranger, owner))
    assert theirs.tobytes() == mine.tobytes() and theirs.text["prompt"] == mine.text["prompt"] == "초록 코트"
    assert "trainedAlgorithmicMedia" in theirs.text["XML:com.adobe.xmp"].replace("compositeWithT", "t")
    assert "private" in owner.get(url).headers["Cache-Control"]
    assert "public" in stranger.get(url).headers["Cache-Control"]


def test_a_failing_insert_tells_neither_prompt_nor_owner(studio: Studio) -> None:
    id = studio.person().draw(SECRET)["id"]
    with studio.services.database.read() as session:
        values = {
            column.key: getattr(session.get(Generation, id), column.key) for column in Generation.__table__.columns
        }
    with pytest.raises(IntegrityError) as failed, studio.services.database.write() as session:
        session.add(Generation(**values))
    assert SECRET not in str(failed.value) and values["owner_id"] not in str(failed.value)


def test_only_the_admin_is_told_how_much_is_kept(studio: Studio) -> None:
    admin = studio.person()
    admin.headers = {"Authorization": f"Bearer {(studio.settings.data_dir / 'admin_token').read_text()}"}
    assert admin.get("//readyz").json["disk"]["max_bytes"] > 0
    assert "disk" not in studio.person().get("//readyz").json
