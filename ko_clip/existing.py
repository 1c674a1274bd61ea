"""Encoders of other people, used as they are: a CLIP with a Korean tokenizer for drawing and search, a
sentence-transformers model for search alone.

In: a folder in the Hugging Face layout. Out: what `ko_clip.encoder.PromptEncoder` gives. Such a CLIP was not distilled
for the checkpoint that it draws with, so `fits` compares widths where a student's teacher would be compared; weights
in a prompt, (단어:1.3), are read as plain words. What transformers would fill with random numbers is an error.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np
import torch

from ko_clip.encoder import PromptEncoder
from ko_clip.model import KoClipModel
from ko_clip.opening import check_whole, naming, quietly, read_settings
from ko_clip.teachers import fingerprint, weights_files
from ko_clip.weights import parse_weights

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from transformers import PreTrainedModel

SLOTS = 77  # of a CLIP's text tower; shorter where the tower has fewer positions
KINDS = {  # of transformers' models, by model_type; imported where one is opened, since a student needs none of them
    "clip": "CLIPModel", "clip_text_model": "CLIPTextModelWithProjection", "altclip": "AltCLIPModel",
    "vision-text-dual-encoder": "VisionTextDualEncoderModel",
}  # fmt: skip
_IDENTITY = ("*.safetensors", "*.json", "*.txt", "*.model")


class SearchEncoder(Protocol):
    """Unit vectors of prompts, and who makes them."""

    encoder_id: str
    search_dim: int

    def search(self, prompts: Sequence[str]) -> np.ndarray: ...


class ExistingClip:
    """The text tower of somebody's CLIP. Safe to call from several threads."""

    def __init__(self, model: PreTrainedModel, tokenizer: object, folder: Path, kind: str) -> None:
        self.model, self._tokenizer, self._lock = model.eval().requires_grad_(False), tokenizer, threading.Lock()
        self._masked = kind in ("altclip", "vision-text-dual-encoder")  # CLIP itself reads its padding
        text = getattr(model.config, "text_config", model.config)
        self.width: int = getattr(text, "project_dim", None) or text.hidden_size  # AltCLIP's states are projected
        self.search_dim: int = model.config.projection_dim
        positions = text.max_position_embeddings - (2 if self._masked else 0)  # RoBERTa's begin behind the padding's
        self.slots = min(SLOTS, positions)
        self.max_tokens, self.encoder_id = self.slots - 2, folder_id(folder)
        # Its own fingerprint: drawn with as any student where it is the checkpoint's own encoder.
        self.teachers: Mapping[str, str] = {"base": fingerprint(folder)} if kind.startswith("clip") else {"base": ""}
        named = str(read_settings(folder / "config.json").get("_name_or_path") or "")
        self.made_for = f"{kind} {folder.name if not named or Path(named).is_absolute() else named}"

    @classmethod
    def load(cls, path: str | Path) -> ExistingClip:
        """Open a folder. Raises FileNotFoundError or ValueError naming what is missing, of another kind or damaged."""
        folder = Path(path)
        kind = str(read_settings(folder / "config.json").get("model_type"))
        if kind not in KINDS:
            known = ", ".join((KoClipModel.config_class.model_type, *KINDS))
            raise ValueError(f"{folder} holds a model of type {kind!r}: an encoder is one of {known}")
        variant = weights_files(folder)[1] or None  # no pickles
        import transformers

        with quietly(), naming(folder):
            tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
            opened = getattr(transformers, KINDS[kind]).from_pretrained(
                folder, dtype=torch.float32, local_files_only=True, use_safetensors=True, output_loading_info=True,
                variant=variant, ignore_mismatched_sizes=True,
            )  # fmt: skip
        model, found = cast("tuple[PreTrainedModel, dict[str, object]]", opened)  # with its loading info
        check_whole(model, found, folder)
        settings = model.config.to_dict()
        vocabulary = settings.get("text_config", settings)["vocab_size"]
        if len(tokenizer) > vocabulary:
            raise ValueError(f"{folder}: the tokenizer has {len(tokenizer)} tokens, the model {vocabulary} embeddings: "
                             "they are of two different encoders")  # fmt: skip
        return cls(model, tokenizer, folder, kind)

    def fits(self, head: str, width: int) -> bool:
        """Whether a stage whose cross-attention reads `width` numbers a token can be told what this says."""
        return head == "base" and width == self.width

    @torch.inference_mode()
    def base(self, prompts: Sequence[str]) -> torch.Tensor:
        """Last hidden states (n, 77, d)."""
        given = self._given(prompts)
        tower = getattr(self.model, "text_model", self.model)
        with self._lock:
            return tower(**given).last_hidden_state

    def refiner(self, prompts: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """There is none: raises ValueError."""
        raise ValueError(f"{self.made_for} has no refiner head: draw without a refiner, or with a student that has one")

    @torch.inference_mode()
    def search(self, prompts: Sequence[str]) -> np.ndarray:
        """Vectors (n, search_dim) float32 of unit length: the pooled embedding that meets pictures."""
        if not prompts:
            return np.zeros((0, self.search_dim), dtype=np.float32)
        given = self._given(prompts)
        with self._lock:
            if not hasattr(self.model, "get_text_features"):  # a text tower alone
                pooled = self.model(**given).text_embeds
            else:
                found = self.model.get_text_features(**given)  # type: ignore[operator]  # of every kind but the tower
                pooled = found if isinstance(found, torch.Tensor) else found.pooler_output
        return torch.nn.functional.normalize(pooled.float(), dim=-1).cpu().numpy()

    def count_tokens(self, text: str) -> int:
        """Tokens of a prompt, to hold against `max_tokens`."""
        return len(self._tokenizer(parse_weights(text).text, add_special_tokens=False).input_ids)  # type: ignore[operator]

    def dropped(self, text: str) -> str:
        """The end of a prompt that does not fit, or ""."""
        ids = self._tokenizer(parse_weights(text).text, add_special_tokens=False).input_ids  # type: ignore[operator]
        return str(self._tokenizer.decode(ids[self.max_tokens :]))  # type: ignore[attr-defined]

    def _given(self, prompts: Sequence[str]) -> dict[str, torch.Tensor]:
        texts = [parse_weights(prompt).text for prompt in prompts]
        found = self._tokenizer(  # type: ignore[operator]
            texts, padding="max_length", truncation=True, max_length=self.slots, return_tensors="pt"
        )
        names = ("input_ids", "attention_mask") if self._masked else ("input_ids",)
        return {name: found[name].to(self.model.device) for name in names}


class SentenceEncoder:
    """A sentence-transformers model, for search alone. Safe to call from several threads."""

    def __init__(self, model: SentenceTransformer, folder: Path) -> None:
        self._model, self._lock, self.encoder_id = model, threading.Lock(), folder_id(folder)
        self.search_dim = int(model.get_embedding_dimension() or 0)

    @classmethod
    def load(cls, path: str | Path) -> SentenceEncoder:
        """Open a folder. Raises FileNotFoundError or ValueError where it is none, or holds pickles alone."""
        folder = Path(path)
        if not (folder / "modules.json").is_file():
            raise FileNotFoundError(f"{folder} has no modules.json: give a local sentence-transformers folder "
                                    "(hf download NAME --local-dir FOLDER)")  # fmt: skip
        pickles = sorted(file.relative_to(folder).as_posix() for file in folder.rglob("pytorch_model*.bin"))
        if pickles and not list(folder.rglob("*.safetensors")):
            raise ValueError(f"{folder} has no safetensors, only {pickles[0]}: pickled weights are not opened. Convert "
                             "them: SentenceTransformer(FOLDER).save(OTHER)")  # fmt: skip
        from sentence_transformers import SentenceTransformer

        with quietly(), naming(folder):
            model = SentenceTransformer(
                str(folder), device="cpu", local_files_only=True, model_kwargs={"use_safetensors": True}
            )
        return cls(model, folder)

    def search(self, prompts: Sequence[str]) -> np.ndarray:
        """Vectors (n, search_dim) float32 of unit length."""
        if not prompts:
            return np.zeros((0, self.search_dim), dtype=np.float32)
        texts = [parse_weights(prompt).text for prompt in prompts]
        with self._lock:
            rows = self._model.encode(texts, normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(rows, dtype=np.float32)


class WithSearch:
    """An encoder whose search vectors another one makes; all else, and what it draws with, is its own."""

    def __init__(self, encoder: PromptEncoder | ExistingClip, searched_by: SearchEncoder) -> None:
        self.drawn_by, self._searched_by = encoder, searched_by
        self.encoder_id, self.search_dim = searched_by.encoder_id, searched_by.search_dim
        self.max_tokens, self.made_for = encoder.max_tokens, getattr(encoder, "made_for", None)

    def count_tokens(self, text: str) -> int:
        return self.drawn_by.count_tokens(text)

    def search(self, prompts: Sequence[str]) -> np.ndarray:
        return self._searched_by.search(prompts)


def open_prompt_encoder(path: str | Path) -> PromptEncoder | ExistingClip:
    """The encoder of a folder by its kind: ours, or somebody's CLIP. Raises FileNotFoundError or ValueError."""
    folder = Path(path)
    if not (folder / "config.json").is_file():
        raise FileNotFoundError(f"{folder / 'config.json'} is missing: give the folder of a trained encoder, or of a "
                                "CLIP in the Hugging Face layout")  # fmt: skip
    if read_settings(folder / "config.json").get("model_type") == KoClipModel.config_class.model_type:
        return PromptEncoder.load(folder)
    return ExistingClip.load(folder)


def open_search_encoder(path: str | Path) -> SearchEncoder:
    """What searches alone: a sentence-transformers folder, or anything that `open_prompt_encoder` opens."""
    if (Path(path) / "modules.json").is_file() or not (Path(path) / "config.json").is_file():
        return SentenceEncoder.load(path)
    return open_prompt_encoder(path)


def folder_id(folder: Path) -> str:
    """ "sha256:…" of a folder's weights, settings and vocabulary together."""
    digest = hashlib.sha256()
    files = {file for pattern in _IDENTITY for file in folder.rglob(pattern)}
    for file in sorted(files):
        digest.update(f"{file.relative_to(folder).as_posix()}\0{file.stat().st_size}\0".encode())
        with file.open("rb") as opened:
            while piece := opened.read(2**20):
                digest.update(piece)
    return f"sha256:{digest.hexdigest()}"
