"""The page without a browser: words complete in both languages and all used, size, manifest, the files sent."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest
from demo_client import Studio, open_studio

from demo.web import pages

ROOT = Path(__file__).resolve().parent.parent
WORDS = json.loads(pages.WORDS.read_text(encoding="utf-8"))
SCRIPTS = {path.name: path.read_text(encoding="utf-8") for path in sorted(pages.STATIC.glob("*.js"))}
TEMPLATE = "".join(path.read_text(encoding="utf-8") for path in sorted(pages.WORDS.parent.glob("*.html")))
SOURCES = "\n".join(SCRIPTS.values()) + TEMPLATE
HANGUL = re.compile("[ㄱ-ㅎㅏ-ㅣ가-힣]")
BUDGET = 120_000  # bytes on the wire


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> object:
    studio = open_studio(tmp_path_factory.mktemp("page"), worker=False)
    yield studio
    studio.close()


def test_every_word_is_there_in_both_languages() -> None:
    for key, (korean, english) in WORDS.items():
        assert korean.strip() and english.strip(), key
        assert not HANGUL.search(english), key
        assert HANGUL.search(korean) or key.startswith("page.other_language"), key
        assert set(re.findall(r"\{\w+\}", korean)) == set(re.findall(r"\{\w+\}", english)), key


def test_every_word_that_is_asked_for_exists_and_every_one_that_exists_is_asked_for() -> None:
    exact = set(re.findall(r"""\bw\(["']([a-z_.]+)["']\s*[,)]""", SOURCES))
    assert exact <= set(WORDS), exact - set(WORDS)
    begun = set(re.findall(r"\bw\(\s*[^()]*?[`'\"]([a-z]+\.[a-z_]*)(?:\$\{|' \+)", SOURCES)) | {"problem.", "cure."}
    chosen = set(re.findall(r"""["']((?:do|list|similar|forget|cure|alt)\.[a-z_]+)["']""", SOURCES))
    unused = [k for k in WORDS if k not in exact | chosen and not any(k.startswith(b) for b in begun)]
    assert unused == []


def test_every_code_of_the_api_is_explained_with_what_to_do() -> None:
    text = (ROOT / "docs" / "reference" / "api.md").read_text(encoding="utf-8")
    table = text[text.index("| status | codes |") : text.index("## Generations")]
    codes = set(re.findall(r"`([a-z_]{5,})`", table)) - {"error"}
    programs = {  # what a page cannot meet, or (streams) meets without a word: it polls
        "bad_request", "bad_cursor", "bad_token", "cross_site", "bad_host", "admin_only",
        "method_not_allowed", "unsupported_media_type", "invalid_request", "idempotency_conflict",
        "too_many_streams", "cancelled", "drafts_off",
    }  # fmt: skip
    explained = {key.split(".")[1] for key in WORDS if key.startswith("problem.")}
    assert codes - programs <= explained, codes - programs - explained
    assert {key.split(".")[1] for key in WORDS if key.startswith("cure.")} == explained


def test_text_of_the_page_is_written_in_one_place_only() -> None:
    for name, script in SCRIPTS.items():
        assert not HANGUL.search(pages.lean(script)), name
    assert not HANGUL.search(TEMPLATE)


@pytest.mark.parametrize("language", ["ko", "en"])
def test_the_page_and_its_files_are_small(studio: Studio, language: str) -> None:
    """Counted as a browser is sent them: compressed."""
    client = studio.app.test_client()
    client.set_cookie("lang", language, domain="localhost")
    packed = {"Accept-Encoding": "gzip, deflate, br"}
    page = client.get("/", headers=packed)
    urls = sorted(set(re.findall(r'"(/static/[^"]+\.(?:js|css))"', gzip.decompress(page.data).decode())))
    assert not any(url.endswith(pages.LATER) for url in urls), "these are fetched when they are needed"
    urls += [f"/static/{pages.files_version()}/{name}" for name in pages.LATER]
    assert len(urls) == len(SCRIPTS) + len(list(pages.STATIC.glob("*.css")))
    total = len(page.data) + sum(len(client.get(url, headers=packed).data) for url in urls)
    print(f"{total} bytes in {language}")
    assert total <= BUDGET, total


def test_files_are_sent_compressed_to_those_who_take_it_and_plain_to_others(studio: Studio) -> None:
    client = studio.app.test_client()
    for path in ("/", f"/static/{pages.files_version()}/main.js", f"/static/{pages.files_version()}/page.css"):
        plain, packed = (client.get(path, headers={"Accept-Encoding": coding}) for coding in ("identity", "br, gzip"))
        assert "Content-Encoding" not in plain.headers and packed.headers["Content-Encoding"] == "gzip"
        assert "Accept-Encoding" in plain.vary and "Accept-Encoding" in packed.vary
        unpacked = gzip.decompress(packed.data)
        assert len(packed.data) < len(unpacked) / 2
        if path != "/":  # every page has a nonce of its own
            assert unpacked == plain.data and plain.get_etag() != packed.get_etag()
            kept = {"Accept-Encoding": "gzip", "If-None-Match": packed.headers["ETag"]}
            assert client.get(path, headers=kept).status_code == 304


def test_files_are_kept_for_good_under_their_version_only(studio: Studio) -> None:
    client = studio.app.test_client()
    now = client.get(f"/static/{pages.files_version()}/main.js")
    assert "immutable" in now.headers["Cache-Control"] and now.mimetype == "text/javascript"
    assert client.get("/static/000000000000/main.js").headers["Cache-Control"] == "no-cache"
    assert client.get("/static/000000000000/pages.py").status_code == 404
    assert client.get("/").headers["Cache-Control"] == "no-store"


def test_lean_leaves_out_comments_and_indentation_and_nothing_else() -> None:
    source = '/** What. */\n  const a = "http://x"; // why\n\n  /* one\n  two */ b();\n// gone\n'
    assert pages.lean(source) == 'const a = "http://x";\nb();\n'
    for name, script in SCRIPTS.items():
        for text in re.findall(r'"[^"\n]*"|`[^`]*`', re.sub(r"/\*.*?\*/|(?m:(?<!:)// .*$)", "", script, flags=re.S)):
            assert "/*" not in text and " // " not in text, name


def test_the_page_speaks_korean_first_and_english_when_asked(studio: Studio) -> None:
    client = studio.app.test_client()
    korean = client.get("/", headers={"Accept-Language": "en"})
    assert '<html lang="ko"' in korean.text and "무엇을 그려" in korean.text
    client.set_cookie("lang", "en", domain="localhost")
    english = client.get("/")
    assert '<html lang="en"' in english.text and not HANGUL.search(english.text)
    client.set_cookie("lang", "<script>", domain="localhost")
    assert '<html lang="ko"' in client.get("/").text


def test_the_page_holds_to_its_content_policy(studio: Studio) -> None:
    html = studio.app.test_client().get("/").text
    assert not re.search(r"\son[a-z]+=", html) and " style=" not in html
    assert "://" not in html.replace("http://www.w3.org", "")
    scripts = re.findall(r"<script[^>]*>", html)
    assert all("nonce=" in tag for tag in scripts)


def test_what_a_person_writes_cannot_end_the_pages_data() -> None:
    data = json.loads(pages._for_script({"a": "</script><b>&"}))
    assert data == {"a": "</script><b>&"}
    assert "<" not in pages._for_script({"a": "</script>"})


@pytest.mark.parametrize(("language", "name"), [("ko", "그려줘"), ("en", "Geuryeojwo")])
def test_the_manifest_lets_a_browser_install_the_page(studio: Studio, language: str, name: str) -> None:
    client = studio.app.test_client()
    client.set_cookie("lang", language, domain="localhost")
    answer = client.get("/manifest.webmanifest")
    manifest = json.loads(answer.data)
    assert answer.mimetype == "application/manifest+json"
    assert manifest["name"] == name and manifest["lang"] == language and manifest["display"] == "standalone"
    with client.get(manifest["icons"][0]["src"]) as icon:
        assert icon.mimetype == "image/svg+xml" and icon.data.startswith(b"<svg")
