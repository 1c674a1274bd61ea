"""Whatever comes in is either understood or refused with a clear 4xx, and what is refused leaves nothing behind."""

from __future__ import annotations

import io
import re
import struct
import unicodedata
import zlib
from collections.abc import Iterator

import pytest
from demo_client import Studio, open_studio
from PIL import Image

from demo.studio import moderation


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    studio = open_studio(tmp_path_factory.mktemp("input"), worker=False)
    yield studio
    studio.close()


def picture(format: str = "PNG", size: tuple[int, int] = (60, 40), mode: str = "RGB", **save: object) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size).save(out, format, **save)
    return out.getvalue()


def bomb() -> bytes:
    """A PNG that says 30,000 × 30,000."""
    data = bytearray(picture())
    data[16:24] = struct.pack(">II", 30_000, 30_000)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    return bytes(data)


def test_any_unicode_form_is_the_same_prompt(studio: Studio) -> None:
    person = studio.person()
    wanted = "빨간 체크무늬 원피스"
    for form in ("NFC", "NFD"):
        assert person.draw(unicodedata.normalize(form, wanted))["prompt"] == wanted
    assert person.draw("빨간\u200b  체크무늬\t원피스\u202e")["prompt"] == wanted


def test_prompts_have_limits_in_any_form(studio: Studio) -> None:
    person = studio.person()
    long = unicodedata.normalize("NFD", "곶" * 2000)
    assert person.draw(long)["prompt"] == "곶" * 2000
    for prompt, code in (("곶" * 2001, "prompt_too_long"), ("가" * 12_001, "invalid_request"), ("", "invalid_request"),
                         ("   ", "prompt_empty"), ("\u200b", "prompt_empty"), ("!?", "prompt_empty")):  # fmt: skip
        reply = person.post("/generations", {"prompt": prompt})
        assert (reply.status_code, reply.json["error"]["code"]) == (422, code), prompt[:5]
        assert reply.json["error"]["field"] == "prompt"


@pytest.mark.parametrize(
    "body",
    [
        b"", b"nothing", b"[]", b"null", b'"text"', b"{", b'{"prompt": 1}', b'{"prompt": null}', b'{"prompt": ["a"]}',
        b"[" * 100_000, b'{"prompt":' + b"[" * 50_000, b'{"prompt": "a", "n": 1e400}', b'{"prompt": "a", "n": NaN}',
        b'{"prompt": "a", "seed": ' + b"9" * 5000 + b"}", b'{"prompt": "a", "n": "4"}', b'{"prompt": "a", "n": true}',
        b'{"prompt": "a", "n": 11}', b'{"prompt": "a", "n": 0}', b'{"prompt": "a", "n": 1.5}', b'{"prompt": "\\ud800"}',
        b'{"prompt": "a\\u0000b"}', b'{"prompt": "a", "seed": -1}', b'{"prompt": "a", "seed": 4294967296}',
        b'{"prompt": "a", "guidance_scale": -1}', b'{"prompt": "a", "source_image": "../../etc/passwd"}',
        b'{"prompt": "a", "source_image": "http://127.0.0.1/"}', b'{"prompt": "a", "visibility": "all"}',
        b'{"prompt": "a", "\\ud800": 1}', b'{"prompt": "a", "unknown": 1}', b"\xff\xfe\x00", b'{"prompt": "a"}x',
        b'{"prompt": "a", "style": "x\\u0000"}', b'{"prompt": "a", "negative_prompt": "\\u0000"}',
    ],
)  # fmt: skip
def test_a_body_that_is_not_a_request_is_refused(studio: Studio, body: bytes) -> None:
    person = studio.person()
    reply = person.post("/generations", data=body, content_type="application/json")
    assert reply.status_code in (400, 422), reply.text
    assert reply.content_type == "application/problem+json"
    assert reply.json["error"]["code"] and reply.json["status"] == reply.status_code
    message = reply.json["detail"]
    reason = message.rsplit(": ", 1)[-1] if reply.json["error"]["code"] == "invalid_request" else message
    assert re.search("[가-힣]", reason), message
    assert person.get("/generations").json["items"] == []


def test_bodies_are_json_and_small(studio: Studio) -> None:
    person = studio.person()
    assert person.post("/generations", data="prompt=a", content_type="text/plain").status_code == 415
    assert person.post("/generations", data={"prompt": "a"}).status_code == 415
    large = b'{"prompt": "' + b"a" * 300_000 + b'"}'
    assert person.post("/generations", data=large, content_type="application/json").status_code == 413
    assert person.get("/generations/x/y").status_code == 404
    assert person.call("PUT", "/generations").status_code == 405


def test_another_site_cannot_act_with_my_cookie(studio: Studio) -> None:
    person = studio.person()
    person.get("//")
    body = {"prompt": "양말"}
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
        reply = person.post("/generations", body, headers=headers)
        assert reply.status_code == 403 and reply.json["error"]["code"] == "cross_site"
    same = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
    assert person.post("/generations", body, headers=same).status_code == 202
    assert person.client.get("/", base_url="http://evil.example").status_code == 403


def test_the_rules_refuse_clearly_and_leave_fashion_alone(studio: Studio) -> None:
    person = studio.person()
    for prompt in ("누드 모델", "a naked woman", "섹시한 소녀", "벌 거 벗은 사람", "나치 군복", "having  sex"):
        reply = person.post("/generations", {"prompt": prompt})
        assert reply.status_code == 422 and reply.json["error"]["code"] == "prompt_rejected", prompt
    english = person.post("/generations", {"prompt": "누드 모델"}, headers={"Accept-Language": "en"})
    assert "explicit" in english.json["error"]["message"]
    fashion = "누드톤 블라우스/코트나 치마/유니섹스 티셔츠/소녀 한복/미니 스커트/nude heels/민소매 크롭톱/바나나치즈"
    for prompt in (fashion + "/비키니/속옷 가게/Sussex coat/아이 한복/시스루 블라우스/호피무늬 코트").split("/"):
        assert moderation.judge(prompt) is None, prompt


def test_uploads_are_kept_upright_small_and_bare(studio: Studio) -> None:
    person = studio.person()
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "내 집 주소"
    kept = person.upload(picture("JPEG", (3000, 1500), exif=exif.tobytes(), comment=b"secret"), "a.jpg")
    assert kept.status_code == 201, kept.text
    assert (kept.json["width"], kept.json["height"]) == (512, 1024)
    data = person.get(f"/images/{kept.json['id']}").data
    assert "내 집 주소".encode() not in data and b"secret" not in data and Image.open(io.BytesIO(data)).info == {}
    assert person.get("/images").json["items"][0]["id"] == kept.json["id"]
    kinds = ("WEBP RGBA", "PNG LA", "PNG P", "PNG 1", "PNG I;16", "JPEG CMYK", "JPEG L")
    for format, mode in map(str.split, kinds):
        assert person.upload(picture(format, mode=mode)).status_code == 201, (format, mode)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "bad_image"), (b"not a picture", "bad_image"), (picture()[:60], "bad_image"),
        (picture("JPEG", (200, 200))[:300], "bad_image"), (picture("GIF"), "bad_image"), (picture("BMP"), "bad_image"),
        (picture("TIFF"), "bad_image"), (bomb(), "image_too_large"),
        (picture(size=(5001, 5000), mode="1"), "image_too_large"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "bad_image"),
        (b"GIF89a/*" + picture(), "bad_image"), (b"%PDF-1.4\n" + picture("JPEG"), "bad_image"),
        (picture()[:40] + bytes(200), "bad_image"),
    ],
)  # fmt: skip
def test_files_that_are_no_pictures_are_refused(studio: Studio, data: bytes, code: str) -> None:
    person = studio.person()
    before = sorted(studio.services.storage.found())
    reply = person.upload(data)
    assert (reply.status_code, reply.json["error"]["code"]) == (422, code), reply.text
    assert sorted(studio.services.storage.found()) == before


def test_uploads_have_a_size_and_a_shape(studio: Studio) -> None:
    person = studio.person()
    assert person.upload(b"x" * (10 * 2**20 + 1)).status_code == 413
    assert person.upload(b"x" * (11 * 2**20)).status_code == 413
    assert person.post("/images", data={"other": "x"}, content_type="multipart/form-data").status_code == 422
    assert person.post("/images", {"file": "x"}).status_code == 415


def test_a_polyglot_loses_what_is_not_picture(studio: Studio) -> None:
    person = studio.person()
    kept = person.upload(picture() + b"<script>alert(1)</script>")
    assert kept.status_code == 201
    assert b"script" not in person.get(f"/images/{kept.json['id']}").data


def test_a_typo_is_corrected_and_shown(studio: Studio) -> None:
    person = studio.person()
    answer = person.post("/prompts/analyze", {"prompt": "빨간 채크무늬 원피스"}).json
    assert answer["read_as"] == [{"word": "채크무늬", "meant": "체크무늬", "start": 3, "end": 7}]
    assert answer["unknown_words"] == []
    assert [one["code"] for one in answer["warnings"]] == ["read_as"]
    made = person.post("/generations", {"prompt": "빨간 채크무늬 원피스"}).json
    assert made["prompt"] == "빨간 채크무늬 원피스"
    assert "‘채크무늬’는 ‘체크무늬’로" in made["warnings"][0]["message"]


def test_the_meter_knows_length_and_unknown_words(studio: Studio) -> None:
    answer = studio.person().post("/prompts/analyze", {"prompt": "빨간 원피스를  입은 우주선"}).json
    assert answer["normalized"] == "빨간 원피스를 입은 우주선" and answer["allowed"] and answer["tokens"] > 0
    assert answer["unknown_words"] == [{"word": "우주선", "start": 11, "end": 14}]
    assert answer["warnings"][0]["code"] == "unknown_words"
    assert not studio.person().post("/prompts/analyze", {"prompt": "누드 모델"}).json["allowed"]


def test_the_last_word_is_completed_while_it_is_typed(studio: Studio) -> None:
    person = studio.person()
    typing = {"빨간 원ㅍ": "빨간 원피스", "ㅇㅍㅅ": "원피스", "red dre": "red dress", "단ㅊ": "단청무늬",
              "긴 소": "긴 소매", "빨간 dre": "빨간 원피스", "polka d": "polka dot"}  # fmt: skip
    for typed, wanted in typing.items():
        assert wanted in [one["completed"] for one in person.get(f"/suggest?q={typed}").json["suggestions"]], typed
    for typed in ("", "빨간 ", "빨간 원피스"):
        assert person.get(f"/suggest?q={typed}").json["suggestions"] == [], typed


SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
}  # fmt: skip


def test_every_answer_has_strict_headers(studio: Studio) -> None:
    for path in ("//", "/about", "//healthz", "/generations/x", "//docs"):
        reply = studio.person().get(path)
        assert "default-src 'none'" in reply.headers["Content-Security-Policy"], path
        assert dict(reply.headers).items() >= SECURITY_HEADERS.items(), path
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
    cookie = studio.person().get("//").headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie


def test_errors_speak_korean_or_english(studio: Studio) -> None:
    korean = studio.person().get("/generations/x")
    english = studio.person().get("/generations/x", headers={"Accept-Language": "en-US,en;q=0.9"})
    assert korean.json["detail"] == "찾을 수 없어요." and english.json["detail"] == "Not found."
    assert korean.json["error"]["code"] == english.json["error"]["code"] == "not_found"
