"""What A1111's clients read: pictures with `info`, progress, and the lists of what there is."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping, Sequence

from flask import Response

from demo.store.errors import ServiceError
from demo.store.tables import Generation
from demo.studio import parameters
from demo.studio.services import Services
from demo.studio.visibility import Viewer
from demo.web.compat.rendering import Rendered, converted, drawn_share, ended, render, stages_of
from jobspec import PictureSize

MODEL = parameters.PROGRAM
SAMPLER = "DPM++ 2M"
IDLE = {
    "skipped": False, "interrupted": False, "stopping_generation": False, "job": "", "job_count": 0,
    "job_timestamp": "0", "job_no": 0, "sampling_step": 0, "sampling_steps": 0,
}  # fmt: skip


def pictures(
    services: Services, viewer: Viewer, generation_id: str, asked: Mapping[str, object], size: PictureSize | None
) -> Response:
    """The pictures of a job, base64 PNG; none of one that was interrupted. Raises ServiceError for one that failed."""
    try:
        images = ended(services, viewer, generation_id).images
    except ServiceError as error:
        if error.code != "cancelled":
            raise
        images = ()
    row = services.generations.get(viewer, generation_id, own=True)
    made = [render(services, viewer, image.id, "png", size) for image in images]
    sent = [base64.b64encode(one.data).decode() for one in made] if asked.get("send_images") is not False else []
    echo = {name: value for name, value in asked.items() if name not in ("init_images", "mask")}
    info = json.dumps(_info(row, made, services.about.models().checkpoint.get("id")), ensure_ascii=False)
    body = {"images": sent, "parameters": echo, "info": info}
    return Response(json.dumps(body, ensure_ascii=False), mimetype="application/json")


def progress(services: Services, viewer: Viewer, rows: Sequence[Generation], with_image: bool) -> dict[str, object]:
    """How far the job is that is drawn, or waits longest."""
    if not rows:
        return {"progress": 0.0, "eta_relative": 0.0, "state": IDLE, "current_image": None, "textinfo": None}
    row = next((each for each in rows if each.status == "running"), rows[-1])
    step = row.progress or {}
    done, steps = step.get("step", 0), step.get("steps", 0)
    state = IDLE | {
        "job": row.id, "job_count": len(rows), "job_timestamp": _stamp(row.created_at), "sampling_step": done,
        "sampling_steps": steps,
    }  # fmt: skip
    image = _preview(services, viewer, row.id) if with_image and step.get("previews") else None
    return {
        "progress": min(0.99, drawn_share(step, stages_of(services, row))) if step else 0.0,
        "eta_relative": float(step.get("seconds_left", 0.0)),
        "state": state, "current_image": image, "textinfo": step.get("stage"),
    }  # fmt: skip


def options(services: Services) -> dict[str, object]:
    return {
        "sd_model_checkpoint": MODEL, "sd_checkpoint_hash": _hash(services), "sd_vae": "Automatic",
        "samples_format": "png", "CLIP_stop_at_last_layers": 1,
    }  # fmt: skip


def models(services: Services) -> list[dict[str, object]]:
    hash = _hash(services)
    title = f"{MODEL} [{hash[:10]}]" if hash else MODEL
    return [{"title": title, "model_name": MODEL, "hash": hash[:10] or None, "sha256": hash or None, "filename": MODEL,
             "config": None}]  # fmt: skip


def loras(services: Services) -> list[dict[str, object]]:
    """Installed styles; a path is never told."""
    return [
        {"name": style.name, "alias": style.name, "path": f"{style.name}.safetensors",
         "metadata": {"ss_tag": style.trigger}}
        for style in services.about.styles() if style.kind == "lora"
    ]  # fmt: skip


def prompt_styles(services: Services) -> list[dict[str, object]]:
    return [
        {"name": style.name, "prompt": style.label["ko"], "negative_prompt": ""}
        for style in services.about.styles()
        if style.kind == "prompt"
    ]


def _info(row: Generation, made: Sequence[Rendered], checkpoint: object) -> dict[str, object]:
    spec, count = row.spec, max(1, len(made))
    negative = str(spec.get("negative_prompt", ""))
    seeds = [one.row.seed for one in made] or [row.seed]
    return {
        "prompt": row.prompt, "all_prompts": [row.prompt] * count, "negative_prompt": negative,
        "all_negative_prompts": [negative] * count, "seed": row.seed, "all_seeds": seeds, "subseed": row.seed,
        "all_subseeds": seeds, "subseed_strength": 0, "width": made[0].width if made else 0,
        "height": made[0].height if made else 0, "sampler_name": SAMPLER, "cfg_scale": spec.get("guidance_scale") or 0,
        "steps": spec.get("steps"), "batch_size": count, "restore_faces": False, "face_restoration_model": None,
        "sd_model_name": MODEL, "sd_model_hash": str(checkpoint or "").rpartition(":")[2][:10], "sd_vae_name": None,
        "sd_vae_hash": None, "seed_resize_from_w": -1, "seed_resize_from_h": -1,
        "denoising_strength": spec.get("strength"), "extra_generation_params": {}, "index_of_first_image": 0,
        "infotexts": [parameters.write(one.row.recipe or {}, one.width, one.height) for one in made], "styles": [],
        "job_timestamp": _stamp(row.created_at), "clip_skip": 1, "is_using_inpainting_conditioning": False,
        "version": MODEL, "generation_id": row.id,
    }  # fmt: skip


def _preview(services: Services, viewer: Viewer, generation_id: str) -> str | None:
    try:
        return base64.b64encode(converted(services.generations.preview(viewer, generation_id, 0), "png")[0]).decode()
    except ServiceError:  # it has ended meanwhile
        return None


def _hash(services: Services) -> str:
    return str(services.about.models().checkpoint.get("id") or "").rpartition(":")[2]


def _stamp(seconds: float) -> str:
    return time.strftime("%Y%m%d%H%M%S", time.gmtime(seconds))
