"""/sdapi/v1 as AUTOMATIC1111's stable-diffusion-webui has it; off unless the setting A1111 says `loopback` or `token`.

That API knows no users. With `token` a request carries a token of the studio, as the password of HTTP Basic or as
Bearer; with `loopback` programs on this machine need none and are one person together.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

from apiflask import APIBlueprint
from flask import Response, current_app, g, jsonify, request
from pydantic import ValidationError

from demo.store.errors import ServiceError
from demo.studio.carried import read_carried
from demo.studio.file_texts import texts_of
from demo.studio.masks import inverted
from demo.studio.visibility import Viewer
from demo.web.compat import a1111_answers as answers
from demo.web.compat.a1111_schemas import (
    DrawRequest,
    Img2ImgRequest,
    Options,
    PictureText,
    ProgressQuery,
    Txt2ImgRequest,
)
from demo.web.compat.documenting import A1111_PICTURES, ANYTHING
from demo.web.compat.fields import check_refused, header_of, told, wrong
from demo.web.compat.rendering import drawn_at
from demo.web.compat.waiting import answer_later
from demo.web.current import is_loopback, owner, services, viewer
from demo.web.problems import invalid
from jobspec import SEEDS, Draw, Edit, Job, PictureSize, Vary

SMALLEST_STRENGTH = 0.01
blueprint = APIBlueprint("a1111", __name__, url_prefix="/sdapi/v1", tag="AUTOMATIC1111")
EMPTY_LISTS = (
    "upscalers", "latent-upscale-modes", "sd-vae", "sd-modules", "hypernetworks", "face-restorers", "realesrgan-models",
    "script-info",
)  # fmt: skip
NOTHING_DONE = ("refresh-checkpoints", "refresh-vae", "refresh-loras", "unload-checkpoint", "reload-checkpoint")
REFUSED = ("extra-batch-images", "extra-single-image")


@blueprint.before_request
def recognise() -> None:
    """Who asks: the owner of a token, or the one person that this machine is."""
    here = current_app.config["SETTINGS"].a1111 == "loopback" and is_loopback()
    if g.viewer.kind == "anonymous" and here and "X-Forwarded-For" not in request.headers:
        g.viewer = Viewer(services().owners.local_id, "token", g.viewer.address)
    if g.viewer.owner_id is None:
        raise ServiceError("token_required")


@blueprint.post("/txt2img")
@blueprint.input(Txt2ImgRequest, arg_name="asked")
@blueprint.doc(summary="Draw", responses=A1111_PICTURES, extensions={"x-problems": [409]})
def txt2img(asked: Txt2ImgRequest) -> Response:
    return _answer(asked, _job(Draw, asked, _drawn(asked)))


@blueprint.post("/img2img")
@blueprint.input(Img2ImgRequest, arg_name="asked")
@blueprint.doc(summary="Vary a picture, or edit what a mask shows", responses=A1111_PICTURES,
               extensions={"x-problems": [409]})  # fmt: skip
def img2img(asked: Img2ImgRequest) -> Response:
    check_refused(asked)
    fields = _drawn(asked)
    _job(Draw, asked, fields)  # before anything is kept
    source = services().uploads.add(owner(), _decoded(asked.init_images[0], "init_images"))
    if asked.mask:
        mask = _decoded(asked.mask, "mask")
        mask = inverted(mask, "mask") if asked.inpainting_mask_invert else mask
        kept = {name: fields[name] for name in ("prompt", "n", "seed") if name in fields}
        return _answer(asked, _job(Edit, asked, kept | {
            "source_image": source.id, "mask_image": services().uploads.add(owner(), mask).id,
        }))  # fmt: skip
    strength = max(SMALLEST_STRENGTH, asked.denoising_strength) if asked.denoising_strength is not None else None
    return _answer(asked, _job(Vary, asked, fields | {"source_image": source.id, "strength": strength}))


@blueprint.get("/progress")
@blueprint.input(ProgressQuery, location="query", arg_name="asked")
@blueprint.doc(summary="How far one's own jobs are", responses=ANYTHING)
def progress(asked: ProgressQuery) -> dict:
    return answers.progress(services(), viewer(), _open_jobs(), not asked.skip_current_image)


@blueprint.post("/interrupt")
@blueprint.doc(summary="Cancel the job that is drawn", responses=ANYTHING)
def interrupt() -> dict:
    rows = _open_jobs()
    for row in [each for each in rows if each.status == "running"] or rows[-1:]:
        try:
            services().generations.cancel(viewer(), row.id)
        except ServiceError as error:
            if error.code != "already_finished":
                raise
    return {}


@blueprint.post("/skip")
@blueprint.doc(summary="The same", responses=ANYTHING)
def skip() -> dict:
    return interrupt()


@blueprint.get("/options")
@blueprint.doc(summary="What can be known of settings", responses=ANYTHING)
def get_options() -> dict:
    return answers.options(services())


@blueprint.post("/options")
@blueprint.input(Options, arg_name="asked")
@blueprint.doc(summary="Accepts what is so already", responses=ANYTHING)
def set_options(asked: Options) -> Response:
    named = (asked.sd_model_checkpoint or answers.MODEL).partition(" ")[0].removesuffix(".safetensors")
    if named != answers.MODEL:
        raise wrong("sd_model_checkpoint", "cannot_be_done")
    return Response("null", mimetype="application/json", headers=dict(header_of(asked.model_extra or ())))


@blueprint.get("/sd-models")
@blueprint.doc(summary="The checkpoint", responses=ANYTHING)
def sd_models() -> Response:
    return jsonify(answers.models(services()))


@blueprint.get("/loras")
@blueprint.doc(summary="LoRA styles", responses=ANYTHING)
def loras() -> Response:
    return jsonify(answers.loras(services()))


@blueprint.get("/prompt-styles")
@blueprint.doc(summary="Styles by words", responses=ANYTHING)
def prompt_styles() -> Response:
    return jsonify(answers.prompt_styles(services()))


@blueprint.get("/samplers")
@blueprint.doc(summary="The checkpoint's sampler", responses=ANYTHING)
def samplers() -> Response:
    return jsonify([{"name": answers.SAMPLER, "aliases": ["k_dpmpp_2m"], "options": {}}])


@blueprint.get("/schedulers")
@blueprint.doc(summary="The checkpoint's schedule", responses=ANYTHING)
def schedulers() -> Response:
    one = {"name": "automatic", "label": "Automatic", "aliases": None, "default_rho": -1.0, "need_inner_model": False}
    return jsonify([one])


@blueprint.get("/scripts")
@blueprint.doc(summary="None", responses=ANYTHING)
def scripts() -> dict:
    return {"txt2img": [], "img2img": []}


@blueprint.get("/embeddings")
@blueprint.doc(summary="None", responses=ANYTHING)
def embeddings() -> dict:
    return {"loaded": {}, "skipped": {}}


@blueprint.get("/memory")
@blueprint.doc(summary="Nothing is told of this machine", responses=ANYTHING)
def memory() -> dict:
    return {"ram": {"free": 0, "used": 0, "total": 0}, "cuda": {"error": "not told"}}


@blueprint.get("/cmd-flags")
@blueprint.doc(summary="That there is an API", responses=ANYTHING)
def cmd_flags() -> dict:
    return {"api": True}


@blueprint.post("/png-info")
@blueprint.input(PictureText, arg_name="asked")
@blueprint.doc(summary="The settings that a file carries", responses=ANYTHING)
def png_info(asked: PictureText) -> dict:
    data = _decoded(asked.image, "image")
    texts, carried = texts_of(data), read_carried(data, services().styles.has)
    info = texts.get("parameters") or texts.get("UserComment") or ""
    return {"info": info, "items": texts, "parameters": carried.settings if carried else {}}


def _plain_routes() -> None:
    """Lists that are empty here, posts that have nothing to do, and what cannot be done."""
    for name in EMPTY_LISTS:
        view = blueprint.doc(summary="None", responses=ANYTHING)(lambda: jsonify([]))
        blueprint.add_url_rule(f"/{name}", name, view, methods=["GET"])
    for name in NOTHING_DONE:
        view = blueprint.doc(summary="Nothing", responses=ANYTHING)(lambda: jsonify(None))
        blueprint.add_url_rule(f"/{name}", name, view, methods=["POST"])
    for name in REFUSED:
        view = blueprint.doc(summary="Refused", responses=ANYTHING)(lambda name=name: _refuse(name))
        blueprint.add_url_rule(f"/{name}", name, view, methods=["POST"])


def _refuse(name: str) -> Response:
    raise wrong(name, "cannot_be_done")


def _open_jobs() -> list:
    """Own jobs that wait or are drawn, newest first."""
    page = services().generations.page(viewer(), None, 100)
    return [one.generation for one in page.items if one.generation.status in ("queued", "running")]


def _drawn(asked: DrawRequest) -> dict[str, object]:
    """The fields of a drawing; what is null or has A1111's word for "any" is left to the checkpoint."""
    fields: dict[str, object] = {
        "prompt": asked.prompt, "negative_prompt": asked.negative_prompt or "", "steps": asked.steps,
        "guidance_scale": asked.cfg_scale, "n": (asked.batch_size or 1) * (asked.n_iter or 1),
    }  # fmt: skip
    fields |= drawn_at(_size(asked), services().readiness.shapes())
    if asked.seed is not None and asked.seed >= 0:
        fields["seed"] = asked.seed % SEEDS
    words = {style.name for style in services().about.styles() if style.kind == "prompt"}
    for name in asked.styles or ():
        if name in words:
            fields["style"] = name
        elif name:
            fields["styles"] = [*fields.get("styles", []), {"name": name}]  # type: ignore[misc]  # a list of ours
    return fields


def _size(asked: DrawRequest) -> PictureSize | None:
    """The size at which pictures are given; None as drawn."""
    sides = [side for side in (asked.height, asked.width) if side]
    return PictureSize(sides[0], sides[-1]) if sides else None


def _job(kind: type[Job], asked: DrawRequest, fields: Mapping[str, object]) -> Job:
    check_refused(asked)
    try:
        return kind.model_validate(dict(fields))
    except ValidationError as error:
        raise invalid(error) from error


def _answer(asked: DrawRequest, job: Job) -> Response:
    everything, who = services(), owner()
    made = everything.asking.ask(who, job)
    id, echo = made.shown.generation.id, asked.model_dump(mode="json")
    size = _size(asked)
    response = answer_later([id], lambda: answers.pictures(everything, who, id, echo, size), None)
    response.headers.update(told(asked, *(asked.model_extra or {})))
    return response


def _decoded(text: str, field: str) -> bytes:
    """A picture's bytes; a data URL is taken, an address is not fetched. Raises ServiceError."""
    if text.startswith("data:"):
        text = text.partition(",")[2]
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ServiceError("bad_image", field) from error


_plain_routes()
