"""/p/ID: a public picture as a page of its own, for people who were sent its link and for the link's preview.

No script runs there. Whatever is not public answers 404 in the same words, whether it exists or not.
"""

from __future__ import annotations

from flask import Blueprint, Response, render_template, request, url_for

from demo.store.errors import ServiceError
from demo.studio.views import Posted
from demo.web.current import services, viewer
from demo.web.pages import COLOURS, chosen_language, files_version, words_in
from demo.web.present import API, moment

MOST_TITLE = 80  # characters of a caption in a preview's title
blueprint = Blueprint("post_page", __name__, template_folder="templates")


@blueprint.get("/p/<string:image_id>")
def show(image_id: str) -> Response:
    """Answer the page of a public picture, in the language of the cookie (Korean without one)."""
    try:
        found = services().publishing.get(viewer(), image_id)
    except ServiceError as error:
        if error.code != "not_found":
            raise
        return _page("gone.html", {}, 404)
    return _page("post.html", _facts(found), 200)


def _facts(found: Posted) -> dict[str, object]:
    """What the template says: texts as their writers put them, addresses in full (a preview is made elsewhere)."""
    image, prompt = found.image, found.generation.prompt
    said, root = found.post, request.url_root.rstrip("/")
    caption = said.caption if said else ""
    return {
        "prompt": prompt,
        "caption": caption,
        "author": said.author if said else "",
        "title": _short(caption or prompt),
        "day": str(moment(said.created_at if said else found.generation.created_at))[:10],
        "picture": f"{API}/images/{image.id}",
        "preview": f"{root}{API}/images/{image.id}?format=jpeg&metadata=none",
        "address": f"{root}{url_for('post_page.show', image_id=image.id)}",
        "width": image.width,
        "height": image.height,
        "look": f"/#/gallery?look={image.generation_id}.{image.id}",
    }


def _short(text: str) -> str:
    return text if len(text) <= MOST_TITLE else text[: MOST_TITLE - 1].rstrip() + "…"


def _page(template: str, facts: dict[str, object], status: int) -> Response:
    language = chosen_language()
    words = words_in(language)
    html = render_template(
        template, w=words.__getitem__, language=language, version=files_version(), colours=COLOURS, **facts
    )
    response = Response(html, status, mimetype="text/html")
    response.headers["Content-Language"] = language
    response.headers["Cache-Control"] = "no-store"
    response.vary.add("Cookie")
    return response
