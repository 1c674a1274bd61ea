"""The seam to text: what a text encoder gives the pipeline, and the checkpoint's own (English) one.

`base` gives hidden states (n, 77, d); `refiner` gives hidden states (n, 77, d2) and a pooled embedding (n,
p). For SDXL's base, `base_pooled` gives both: CLIP-L's and OpenCLIP-bigG's states side by side (n, 77, 2048) and bigG's
pooled embedding (n, 1280).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, cast

import torch
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

logger = logging.getLogger(__name__)
LENGTH = 77


class TextEncoder(Protocol):
    """Anything that turns prompts into what a U-Net attends to. `teachers`: head → fingerprint of its
    teacher.
    """

    teachers: Mapping[str, str]

    def base(self, prompts: Sequence[str]) -> torch.Tensor: ...

    def refiner(self, prompts: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]: ...


class PooledTextEncoder(TextEncoder, Protocol):
    """One for SDXL's base, whose `teachers` have the heads `base_1` and `base_2`."""

    def base_pooled(self, prompts: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]: ...


class ExistingTextEncoder(TextEncoder, Protocol):
    """Somebody's own, used as it is: not distilled for the checkpoint, so that only widths can be compared."""

    width: int
    made_for: str

    def fits(self, head: str, width: int) -> bool: ...


class EncoderMismatch(ValueError):
    """A text encoder that reproduces another teacher than this checkpoint's."""


class ClipTextEncoder:
    """The checkpoint's own encoder: CLIP's text towers, as stock Stable Diffusion reads them."""

    def __init__(
        self,
        base: tuple[CLIPTokenizer, CLIPTextModel],
        refiner: tuple[CLIPTokenizer, CLIPTextModelWithProjection] | None,
        teachers: Mapping[str, str],
        base_2: tuple[CLIPTokenizer, CLIPTextModelWithProjection] | None = None,
    ) -> None:
        self.teachers: Mapping[str, str] = dict(teachers)
        projected = {"refiner": refiner, "base_2": base_2}
        self.towers = {"base": base} | {name: tower for name, tower in projected.items() if tower}

    max_tokens = LENGTH - 2  # begin and end take two

    def count_tokens(self, text: str) -> int:
        """Tokens of a prompt, to hold against `max_tokens`."""
        return len(self.towers["base"][0](text, add_special_tokens=False).input_ids)

    def dropped(self, text: str) -> str:
        """The end of a prompt that does not fit, or ""."""
        tokenizer = self.towers["base"][0]
        end = tokenizer.decode(tokenizer(text, add_special_tokens=False).input_ids[self.max_tokens :])
        assert isinstance(end, str)  # a list for a batch alone
        return end

    @torch.inference_mode()
    def base(self, prompts: Sequence[str]) -> torch.Tensor:
        """Last hidden states (n, 77, d), after the final layer norm."""
        tokenizer, tower = self.towers["base"]
        return tower(_ids(tokenizer, prompts, tower.device)).last_hidden_state

    @torch.inference_mode()
    def base_pooled(self, prompts: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """Penultimate states of both towers side by side (n, 77, d1 + d2), and the second's pooled embedding (n, p)."""
        if "base_2" not in self.towers:
            raise ValueError("this checkpoint's base has one text encoder: SDXL's has two")
        tokenizer, tower = self.towers["base"]
        first = tower(_ids(tokenizer, prompts, tower.device), output_hidden_states=True).hidden_states[-2]
        second, pooled = self._projected("base_2", prompts)
        return torch.cat([first, second], dim=-1), pooled

    @torch.inference_mode()
    def refiner(self, prompts: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """Penultimate hidden states (n, 77, d2) and the projected pooled embedding (n, p)."""
        if "refiner" not in self.towers:
            raise ValueError("this checkpoint has no refiner, so its encoder has no refiner head")
        return self._projected("refiner", prompts)

    def _projected(self, name: str, prompts: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
        tokenizer, tower = self.towers[name]
        out = tower(_ids(tokenizer, prompts, tower.device), output_hidden_states=True)
        return out.hidden_states[-2], out.text_embeds


def check_teachers(
    encoder: TextEncoder, wanted: Mapping[str, str], half: Callable[[str], str] = lambda head: "",
    width: Callable[[str], int] = lambda head: 0,
) -> None:  # fmt: skip
    """Raise EncoderMismatch unless every head that the checkpoint needs reproduces that checkpoint's encoder.

    `half`: head → fingerprint of the checkpoint's encoder in float16, asked where the numbers as stored differ: a
    student of the float32 checkpoint draws with its float16 copies too. `width`: head → numbers a token that the
    checkpoint reads, all that an encoder of others (`ExistingTextEncoder`) has to meet.
    """
    rounded: Mapping[str, str] = getattr(encoder, "teachers_half", {})
    for head, teacher in wanted.items():
        recorded = encoder.teachers.get(head)
        if recorded not in (None, teacher) and hasattr(encoder, "fits"):
            _check_width(cast(ExistingTextEncoder, encoder), head, width(head))
            continue
        if recorded is None:
            raise EncoderMismatch(f"the text encoder has no {head} head, and this checkpoint needs one: distil it")
        if recorded != teacher and not (rounded.get(head) and rounded[head] == half(head)):
            raise EncoderMismatch(
                f"the text encoder's {head} head reproduces {recorded}, this checkpoint's encoder is {teacher}: "
                "choose the encoder distilled for this checkpoint"
            )


def _check_width(encoder: ExistingTextEncoder, head: str, width: int) -> None:
    if not encoder.fits(head, width):
        raise EncoderMismatch(
            f"{encoder.made_for} says {encoder.width} numbers a token, this checkpoint's {head} stage reads {width}: "
            "choose an encoder of that width, or one distilled for this checkpoint"
        )
    logger.warning(
        "%s was not trained for this checkpoint's text encoder: what is drawn follows the words only as far as the "
        "two agree. Compare pictures, or distil a student (docs/how-to/public-checkpoints.md)", encoder.made_for,
    )  # fmt: skip


def _ids(tokenizer: CLIPTokenizer, prompts: Sequence[str], device: torch.device) -> torch.Tensor:
    return tokenizer(
        list(prompts), padding="max_length", max_length=LENGTH, truncation=True, return_tensors="pt"
    ).input_ids.to(device)  # (n, 77)
