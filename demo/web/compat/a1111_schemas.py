"""What requests of AUTOMATIC1111's API hold, each field with what becomes of it; unknown keys are accepted and ignored.

Ref: the requests of stable-diffusion-webui 1.10 as the packages webuiapi 0.9.17 and sd-backend-client 0.5.0 send them.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from demo.web.compat.fields import ignored, refused, taken
from demo.web.schemas import Query
from jobspec.fields import MAX_TEXT, Side

Text = Annotated[str, Field(max_length=MAX_TEXT)]
Names = Annotated[list[str], Field(max_length=16)]
SIDE = "drawn in that shape where the checkpoint draws others than squares; then resized, at most to the longer of both"


class DrawRequest(BaseModel):
    """What txt2img and img2img share."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=False, defer_build=True)

    prompt: Annotated[
        Text, taken("Korean or English; `<lora:NAME:WEIGHT>` of installed styles, weights `(word:1.2)`")
    ] = ""
    negative_prompt: Annotated[Text | None, taken("")] = None
    styles: Annotated[Names | None, taken("names of `/sdapi/v1/prompt-styles` and `/loras`")] = None
    seed: Annotated[int | None, taken("−1: any; modulo 2³²")] = None
    steps: Annotated[int | None, taken("1-150")] = None
    cfg_scale: Annotated[float | None, taken("1-30")] = None
    batch_size: Annotated[Annotated[int, Field(ge=1)] | None, taken("times `n_iter`: 1-10 pictures")] = None
    n_iter: Annotated[Annotated[int, Field(ge=1)] | None, taken("")] = None
    width: Annotated[Side | None, taken(SIDE)] = None
    height: Annotated[Side | None, taken(SIDE)] = None
    send_images: Annotated[bool | None, taken("")] = None
    script_name: Annotated[str | None, refused("no scripts")] = None
    script_args: Annotated[list[Any] | None, ignored("no scripts")] = None
    alwayson_scripts: Annotated[dict[str, Any] | None, ignored("no ControlNet, no ADetailer")] = None
    sampler_name: Annotated[str | None, ignored("the checkpoint's sampler")] = None
    sampler_index: Annotated[str | None, ignored("the checkpoint's sampler")] = None
    scheduler: Annotated[str | None, ignored("the checkpoint's schedule")] = None
    override_settings: Annotated[dict[str, Any] | None, ignored("one checkpoint")] = None
    save_images: Annotated[bool | None, ignored("every picture is kept, as its owner's")] = None


class Txt2ImgRequest(DrawRequest):
    denoising_strength: Annotated[float | None, ignored("of the high-resolution pass")] = None
    enable_hr: Annotated[bool | None, ignored("the checkpoint refines by itself")] = None


class Img2ImgRequest(DrawRequest):
    init_images: Annotated[Annotated[list[str], Field(min_length=1, max_length=1)], taken("one picture, base64")]
    denoising_strength: Annotated[
        Annotated[float, Field(ge=0, le=1)] | None, taken("without a mask; at least 0.01")
    ] = None
    mask: Annotated[str | None, taken("white where it may change: an `edit`, of the picture's size")] = None
    inpainting_mask_invert: Annotated[int | None, taken("1: black where it may change")] = None
    resize_mode: Annotated[int | None, ignored("the picture keeps its shape")] = None
    mask_blur: Annotated[int | None, ignored("the edge is always soft")] = None
    inpainting_fill: Annotated[int | None, ignored("the source's own noise")] = None
    inpaint_full_res: Annotated[bool | None, ignored("")] = None


class PictureText(BaseModel):
    image: str


class ProgressQuery(Query):
    skip_current_image: bool = False


class Options(BaseModel):
    model_config = ConfigDict(extra="allow", defer_build=True)

    sd_model_checkpoint: str | None = None
