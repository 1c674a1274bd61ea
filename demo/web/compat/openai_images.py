"""/v1 as OpenAI's Images API has it: generations, edits, variations, models; jobs of `jobspec`, answered at their end.

In: what the `openai` packages send, with a token of the studio as the API key. Out: what they read. Edits and
variations keep their pictures as uploads of the person, as POST /api/v1/images does.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar

from apiflask import APIBlueprint
from flask import Response, request
from pydantic import ValidationError

from demo.store.errors import ServiceError
from demo.store.tables import Generation, Image
from demo.studio.carried import read_carried
from demo.studio.masks import mask_of_alpha
from demo.web.compat import openai_answers as answers
from demo.web.compat.documenting import IMAGES, MODEL_SCHEMA, MODELS_SCHEMA, form_body
from demo.web.compat.fields import check_refused, told, wrong
from demo.web.compat.openai_schemas import (
    EditFiles,
    EditRequest,
    GenerateRequest,
    LinkQuery,
    Pictures,
    VariationFiles,
    VariationRequest,
)
from demo.web.compat.rendering import drawn_at, render, stages_of
from demo.web.compat.waiting import Followed, answer_later, events_later
from demo.web.current import owner, services
from demo.web.problems import invalid
from jobspec import Draw, Edit, Job, PictureSize, Vary, bounds
from jobspec.fields import Side

MODEL = "geuryeojwo"
MOST_PICTURES = 4  # in one edit
STYLES_ELSEWHERE = ("vivid", "natural")
blueprint = APIBlueprint("openai", __name__, url_prefix="/v1", tag="OpenAI Images")
Asked = TypeVar("Asked", bound=Pictures)


@blueprint.post("/images/generations")
@blueprint.input(GenerateRequest, arg_name="asked")
@blueprint.doc(summary="Draw", responses=IMAGES, extensions={"x-problems": [409]})
def generate(asked: GenerateRequest) -> Response:
    """Draw a prompt and answer with the pictures, as OpenAI's clients wait for them."""
    unknown = [name for name in asked.model_extra or {} if name not in Draw.model_fields or name == "kind"]
    if unknown:
        raise wrong(unknown[0], "extra_forbidden")
    style = None if asked.style in STYLES_ELSEWHERE else asked.style
    check_refused(asked)
    job = _job(Draw, asked, {"prompt": asked.prompt, "style": style, **_shape(asked)}, strict=True)
    further = ("style",) if asked.style and style is None else ()
    return _answer(asked, [lambda: job], "image_generation", further)


@blueprint.post("/images/edits")
@blueprint.doc(
    summary="Edit pictures",
    responses=IMAGES,
    extensions={"x-problems": [409], "x-body": form_body(EditRequest, EditFiles)},
)
def edit() -> Response:
    """Change what pictures show by a sentence; a mask says where."""
    asked = _form(EditRequest)
    check_refused(asked)
    if request.files.get("markup") is not None:
        raise wrong("markup", "cannot_be_done")
    files = [file.read() for name in ("image", "image[]") for file in request.files.getlist(name)]
    if not files:
        raise wrong("image", "missing")
    if len(files) > MOST_PICTURES or (asked.stream and len(files) > 1):
        raise wrong("image[]", "one_when_streamed" if asked.stream else "four_at_most")
    mask = request.files.get("mask")
    masks = [mask.read() if mask is not None and not place else None for place in range(len(files))]
    _delivery(asked)
    _job(Edit, asked, {"prompt": asked.prompt, "source_image": "0" * 32})  # before anything is kept
    jobs = [partial(_edit, asked, data, drawn) for data, drawn in zip(files, masks, strict=True)]
    return _answer(asked, jobs, "image_edit", digest=_digest(asked, files, masks))


@blueprint.post("/images/variations")
@blueprint.doc(
    summary="Vary a picture",
    responses=IMAGES,
    extensions={"x-problems": [409], "x-body": form_body(VariationRequest, VariationFiles)},
)
def vary() -> Response:
    """Draw a picture anew, by what it shows."""
    asked = _form(VariationRequest)
    file = request.files.get("image")
    if file is None:
        raise wrong("image", "missing")
    _delivery(asked)
    _job(Vary, asked, {"prompt": "x", "source_image": "0" * 32})
    data = file.read()
    return _answer(asked, [partial(_vary, asked, data)], "image_generation", digest=_digest(asked, [data]))


@blueprint.get("/models")
@blueprint.doc(summary="The model that draws", responses=MODELS_SCHEMA)
def list_models() -> dict:
    return {"object": "list", "data": [_model()]}


@blueprint.get("/models/<string:model_id>")
@blueprint.doc(summary="The same by its name", responses=MODEL_SCHEMA)
def get_model(model_id: str) -> dict:
    if model_id != MODEL:
        raise ServiceError("not_found", "model")
    return _model()


@blueprint.get("/images/files/<string:link>")
@blueprint.input(LinkQuery, location="query", arg_name="asked")
@blueprint.doc(hide=True)
def get_linked(link: str, asked: LinkQuery) -> Response:
    """A picture for whoever was given its link, for an hour."""
    viewer, image_id = services().owners.from_link(link)
    seen = render(services(), viewer, image_id, asked.format, None)
    response = Response(seen.data, mimetype=f"image/{asked.format}")
    response.headers["Cache-Control"] = "private, no-store"
    return response


def _model() -> dict[str, object]:
    checkpoint = services().about.models().checkpoint
    return {"id": MODEL, "object": "model", "created": 0, "owned_by": "그려줘", "checkpoint": checkpoint["id"]}


def _answer(
    asked: Pictures, jobs: Sequence[Callable[[], Job]], kind: str, further: Sequence[str] = (),
    digest: str | None = None,
) -> Response:  # fmt: skip
    """Ask for the jobs; answer in one piece, or as events where the request says so.

    A job is made when it is asked for, so that a request sent again (`digest`) keeps no second copy of its files.
    """
    everything, who = services(), owner()
    form, ids, rows = _delivery(asked), list[str](), list[Generation]()
    key = request.headers.get("Idempotency-Key")
    if key is not None and not re.fullmatch("[!-~]{1,190}", key):
        raise ServiceError("invalid_request", "Idempotency-Key", reason="key_length")
    try:
        for place, make in enumerate(jobs):
            key_here = f"{key}.{place}" if key else None
            made = everything.asking.repeated(who, key_here, digest) if key_here and digest else None
            made = made or everything.asking.ask(who, make(), key_here, digest)
            rows.append(made.shown.generation)
            ids.append(rows[-1].id)
    except ServiceError:
        for id in ids:
            everything.generations.cancel(who, id)
        raise
    if getattr(asked, "stream", None):
        count = getattr(asked, "partial_images", None) or 0
        so_far = answers.PartialImages(everything, kind, form.format, count, stages_of(everything, rows[0]))
        waiting = Followed(ids, so_far)
        response = events_later(waiting, lambda: _last(waiting, ids[0], form, kind))
    else:
        response = answer_later(ids, lambda: answers.answer(everything, who, ids, form), answers.error_fields)
    response.headers.update(told(asked.model_copy(update={"model": None}) if asked.model == MODEL else asked, *further))
    return response


def _last(waiting: Followed, id: str, form: answers.Delivery, kind: str) -> str:
    """The end of a stream: its pictures, or the error that clients raise."""
    made = waiting.made(lambda: Response(answers.last_events(waiting.services, waiting.viewer, id, form, kind)),
                        answers.error_fields)  # fmt: skip
    return made.get_data(as_text=True) if made.status_code == 200 else answers.error_event(made)


def _delivery(asked: Pictures) -> answers.Delivery:
    """Raises ServiceError for a size that nothing here has."""
    format, size = getattr(asked, "output_format", None) or "png", _size(asked)
    if asked.response_format != "url":
        return answers.Delivery(format, size)
    everything, owner_id, root = services(), owner().known_id, request.url_root
    return answers.Delivery(
        format, size, lambda id: f"{root}v1/images/files/{everything.owners.link(owner_id, id)}?format={format}"
    )


def _size(asked: Pictures) -> PictureSize | None:
    """The size that is asked for. Raises ServiceError for one that is no square, where only squares are drawn."""
    if asked.size in (None, "auto"):
        return None
    width, height = map(int, str(asked.size).split("x"))
    low, high = bounds(Side)
    if not all(low <= side <= high for side in (width, height)):
        raise wrong("size", "size_range")
    shapes = services().readiness.shapes()
    if width != height and (shapes is None or shapes.squares_only):
        raise wrong("size", "square_only")
    return PictureSize(height, width)


def _shape(asked: Pictures) -> dict[str, object]:
    return drawn_at(_size(asked), services().readiness.shapes())


def _edit(asked: EditRequest, data: bytes, mask: bytes | None) -> Job:
    drawn = mask_of_alpha(mask if mask is not None else data, "image" if mask is None else "mask")
    if drawn is None and mask is not None:
        raise wrong("mask", "mask_alpha")
    uploads, who = services().uploads, owner()
    source = uploads.add(who, data)
    fields: dict[str, object] = {"prompt": asked.prompt, "source_image": source.id}
    if drawn is not None:
        fields["mask_image"] = uploads.add(who, drawn).id
    elif not (asked.model_extra or {}).get("source_prompt"):
        fields["source_prompt"] = _shown(source, data)
    return _job(Edit, asked, fields)


def _vary(asked: VariationRequest, data: bytes) -> Job:
    source = services().uploads.add(owner(), data)
    prompt = asked.prompt or _shown(source, data)
    if not prompt:
        raise ServiceError("edit_source_prompt", "prompt")
    return _job(Vary, asked, {"prompt": prompt, "source_image": source.id, **_shape(asked)})


def _digest(asked: Pictures, *files: Sequence[bytes | None]) -> str:
    """What tells one request with files from another: an upload has another id each time."""
    parts = [asked.model_dump_json().encode(), *(data or b"" for given in files for data in given)]
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def _shown(source: Image, data: bytes) -> str:
    """What an upload shows: as its file says, or as it is guessed; "" where nothing is seen."""
    carried = read_carried(data)
    said = str(carried.settings.get("prompt", "")) if carried else ""
    return said or services().asking.words(source).text


def _form(model: type[Asked]) -> Asked:
    try:
        return model.model_validate(request.form.to_dict())
    except ValidationError as error:
        raise invalid(error) from error


def _job(kind: type[Job], asked: Pictures, fields: Mapping[str, object], strict: bool = False) -> Job:
    """The job with the request's own fields over those of the studio that stand beside them. Raises ServiceError."""
    try:
        return kind.model_validate({"n": asked.n or 1, **(asked.model_extra or {}), **fields}, strict=strict)
    except ValidationError as error:
        raise invalid(error) from error
