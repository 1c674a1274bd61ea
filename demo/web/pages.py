"""The one page, its files and its manifest: blueprint `pages`, registered at / by demo.web.app.

In: cookies `lang` (ko, en), `theme` (light, dark) and `notice` (read), which the page itself sets; `csp_nonce()`, the
service's `about()` from the application. Out: HTML in the chosen language with all its words, so the page needs no
second request to speak. Files are named by the hash of them all, so that browsers may keep them and never mix
two versions.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from flask import (
    Blueprint,
    Response,
    abort,
    current_app,
    render_template,
    request,
    send_from_directory,
    url_for,
)
from markupsafe import Markup

LANGUAGES = ("ko", "en")
THEMES = ("light", "dark")
COLOURS = {"paper": "#f4f5f2", "night": "#131619"}
# of about()
FACTS = ("limits", "defaults", "examples", "chips", "retention_days", "trash_days", "refines", "drafts", "access")
# modules that a page fetches when it first needs them
LATER = (
    "closet.js", "compare.js", "drafts.js", "edit.js", "fabric.js", "fabric_preview.js", "fabric_wear.js", "fields.js",
    "hand.js", "hearts.js", "keeping.js", "lineage.js", "offline.js", "post.js", "shelf.js", "shelf_card.js",
    "shelf_pick.js", "shelf_tools.js", "stow.js", "trash.js", "worker.js",
)  # fmt: skip
HERE = Path(__file__).resolve().parent
STATIC = HERE / "static"
WORDS = HERE / "templates" / "words.json"

blueprint = Blueprint("pages", __name__, template_folder="templates")


@blueprint.get("/")
def index() -> Response:
    """Answer the page in the language of the cookie (Korean without one), with what the server says of itself."""
    language, about = chosen_language(), vars(current_app.extensions["about"].about())
    words = words_in(language)
    html = render_template(
        "page.html",
        words=words,
        w=words.__getitem__,
        language=language,
        theme=_chosen("theme", THEMES, ""),
        notice_read=_chosen("notice", ("read",), "") == "read",
        colours=COLOURS,
        version=files_version(),
        modules=sorted(path.name for path in STATIC.glob("*.js") if path.name not in LATER),
        page_data=_for_script(_page_data(words, language, about)),
        notice=about["notice"][language],
        about=about,
    )
    unindented = "\n".join(line.strip() for line in html.split("\n") if line.strip())
    response = Response(unindented, mimetype="text/html")
    response.headers["Content-Language"] = language
    if _gzip_accepted(response):
        response.set_data(gzip.compress(response.get_data(), 6))
    response.headers["Cache-Control"] = "no-store"
    response.vary.add("Cookie")
    return response


@blueprint.get("/static/<version>/<name>")
def file(version: str, name: str) -> Response:
    """Send one of the page's own files; under the version of another day it is sent too, but not to be kept."""
    if name not in _static_names():
        abort(404)
    if name.endswith((".js", ".css")):
        response = Response(mimetype="text/javascript" if name.endswith(".js") else "text/css")
        response.set_data(_packed_file(name) if _gzip_accepted(response) else _lean_file(name))
        response.add_etag()
        response.make_conditional(request)
    else:
        response = send_from_directory(STATIC, name)
    current = version == files_version()
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if current else "no-cache"
    return response


@blueprint.get("/manifest.webmanifest")
def manifest() -> Response:
    """What a browser needs to install the page as an application."""
    language = chosen_language()
    words = words_in(language)
    source = url_for("pages.file", version=files_version(), name="icon.svg")
    icon = {"src": source, "type": "image/svg+xml", "sizes": "any"}
    body = {
        "id": "/",
        "name": words["app.name"],
        "short_name": words["app.name"],
        "description": words["app.what"],
        "lang": language,
        "start_url": "/",
        "scope": "/",
        "display": "standalone",
        "background_color": COLOURS["paper"],
        "theme_color": COLOURS["paper"],
        "icons": [{**icon, "purpose": "any"}, {**icon, "purpose": "maskable"}],
    }
    response = Response(json.dumps(body, ensure_ascii=False), mimetype="application/manifest+json")
    response.headers["Cache-Control"] = "no-cache"
    response.vary.add("Cookie")
    return response


@blueprint.get("/worker.js")
def worker() -> Response:
    """The service worker, at the root: it may only speak for what lies below its own address."""
    response = Response(_lean_file("worker.js"), mimetype="text/javascript")
    response.headers["Cache-Control"] = "no-cache"
    return response


@blueprint.get("/favicon.ico")
def favicon() -> Response:
    """Answer the browsers that ask for an icon before they read the page."""
    response = send_from_directory(STATIC, "icon.svg")
    response.headers["Cache-Control"] = "public, max-age=86400"
    return response


def chosen_language() -> str:
    """The language of this request's page: the cookie's if it is one we speak, else Korean."""
    return _chosen("lang", LANGUAGES, "ko")


def words_in(language: str) -> dict[str, str]:
    """All words of the page in one language, by key."""
    column = LANGUAGES.index(language)
    return {key: pair[column] for key, pair in _all_words().items()}


@cache
def files_version() -> str:
    """Twelve hexadecimal digits that change whenever any file under static/ does."""
    digest = hashlib.sha256()
    for path in sorted(STATIC.iterdir()):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def lean(source: str) -> str:
    """Leave out what only readers of the source need: comments (types among them) and indentation.

    Scripts and styles here never write a comment's beginning inside a string; a test holds them to it.
    """
    source = re.sub(r"/\*.*?\*/", "", source, flags=re.DOTALL)
    lines = (re.sub(r"(^|\s)// .*$", "", line).strip() for line in source.splitlines())
    return "\n".join(line for line in lines if line) + "\n"


@cache
def _static_names() -> frozenset[str]:
    return frozenset(path.name for path in STATIC.iterdir() if path.is_file())


@cache
def _lean_file(name: str) -> str:
    source = lean((STATIC / name).read_text(encoding="utf-8"))
    if name.endswith(".css"):
        for loose, tight in (("; }", "}"), (" { ", "{"), (": ", ":")):  # spaces that CSS does not need
            source = source.replace(loose, tight)
    return source


@cache
def _packed_file(name: str) -> bytes:
    return gzip.compress(_lean_file(name).encode(), 9, mtime=0)


def _gzip_accepted(response: Response) -> bool:
    """Whether this request takes gzip; the answer is marked as depending on that, and as packed where it does."""
    response.vary.add("Accept-Encoding")
    accepted = request.accept_encodings["gzip"] > 0
    if accepted:
        response.headers["Content-Encoding"] = "gzip"
    return accepted


@cache
def _all_words() -> dict[str, tuple[str, str]]:
    return {key: tuple(pair) for key, pair in json.loads(WORDS.read_text(encoding="utf-8")).items()}


def _page_data(words: dict[str, str], language: str, about: Mapping[str, object]) -> dict[str, object]:
    """What the scripts need to know: their words (`page.*` is the template's alone) and the server's facts."""
    facts = {key: in_language(about[key], language) for key in FACTS}
    return {"language": language, "words": {k: v for k, v in words.items() if not k.startswith("page.")}, **facts}


def in_language(value: object, language: str) -> object:
    """Put the text of one language wherever there is a {"ko": ..., "en": ...}."""
    if isinstance(value, Mapping):
        if set(value) == set(LANGUAGES):
            return value[language]
        return {key: in_language(item, language) for key, item in value.items()}
    return [in_language(item, language) for item in value] if isinstance(value, list) else value


def _for_script(data: Mapping[str, object]) -> Markup:
    """JSON that cannot end its <script> early; Korean stays readable (and half as long as escaped)."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return Markup(text.replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e"))


def _chosen(cookie: str, allowed: tuple[str, ...], otherwise: str) -> str:
    value = request.cookies.get(cookie, "")
    return value if value in allowed else otherwise
