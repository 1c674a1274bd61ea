"""The encoders that a student learns from: CLIP text towers and sentence-transformers models, run frozen.

In: English sentences. Out, in float32: for each head that the teacher serves, hidden states (n, 77, dim) and a pooled
embedding (n, p). A teacher is known by its fingerprint: a CLIP by its text tower alone, so that its image tower and the
projections between the two may learn more; a sentence-transformers model by its weights' file.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from safetensors import safe_open
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from ko_clip.opening import check_whole, naming, quietly, read_settings
from ko_clip.recipe import HeadRecipe

_VARIANTS = ("", ".fp16")
_KEPT_LENGTHS = 200_000  # texts, about 40 MB
_TOWER = "text_model."
_NOT_TOWER = ("text_projection.weight", "position_ids")  # fitted to the image tower; counted, not learnt


@dataclass(frozen=True)
class Target:
    """What one teacher says of n texts, for one head."""

    states: np.ndarray | None = None
    pooled: np.ndarray | None = None


class ClipTeacher:
    """A CLIP text tower (alone, or inside a CLIPModel folder) and the heads that learn from it."""

    slots = 77

    def __init__(self, folder: str | Path, heads: Mapping[str, HeadRecipe], device: str = "cpu") -> None:
        self.folder, self.heads, self.device = resolve(folder), dict(heads), device
        self.fingerprint, self.file_hash = fingerprint(self.folder), file_hash(self.folder)
        self.half_fingerprint = fingerprint(self.folder, half=True)
        words = _tokenizer_folder(self.folder)
        with naming(words):
            self.tokenizer = CLIPTokenizer.from_pretrained(words, local_files_only=True)
        self._lengths: dict[str, int] = {}
        projected = any(head.pooled for head in heads.values())
        kind = CLIPTextModelWithProjection if projected and self._has_projection() else CLIPTextModel
        with quietly(), naming(self.folder):
            opened = kind.from_pretrained(
                self.folder, dtype=torch.float32, local_files_only=True, output_loading_info=True,
                variant=weights_files(self.folder)[1] or None, ignore_mismatched_sizes=True,
            )  # fmt: skip
            # With its loading info, unlike the hint.
            model, found = cast(tuple[CLIPTextModel | CLIPTextModelWithProjection, dict[str, object]], opened)
        check_whole(model, found, self.folder)
        if len(self.tokenizer) > model.config.vocab_size:
            raise ValueError(
                f"{words} has {len(self.tokenizer)} tokens, {self.folder} has embeddings for "
                f"{model.config.vocab_size}: the tokenizer has grown; use the one that the checkpoint came with"
            )
        self.model = model.eval().requires_grad_(False).to(device)
        if projected and kind is CLIPTextModel:
            name = next(name for name, head in heads.items() if head.pooled)
            raise ValueError(
                f"head {name!r} asks for a pooled embedding, but {self.folder} has no text_projection: "
                "set pooled: false or name a CLIPTextModelWithProjection"
            )

    def widths(self, name: str) -> tuple[int, int]:
        """(dim of the states, width of the pooled embedding) of one head; 0 where it has none."""
        config, head = self.model.config, self.heads[name]
        return (config.hidden_size if head.output != "none" else 0, config.projection_dim if head.pooled else 0)

    def lengths(self, texts: Sequence[str]) -> np.ndarray:
        """Slots that say something, begin and end included: (n,) int, at most 77. Those of a while back are kept."""
        if missing := [text for text in dict.fromkeys(texts) if text not in self._lengths]:
            if len(self._lengths) > _KEPT_LENGTHS:
                self._lengths = {text: self._lengths[text] for text in texts if text in self._lengths}
            ids = self.tokenizer(missing, truncation=True, max_length=self.slots).input_ids
            self._lengths |= {text: len(row) for text, row in zip(missing, ids, strict=True)}
        return np.array([self._lengths[text] for text in texts], dtype=np.int64)

    def tokens(self, texts: Sequence[str]) -> torch.Tensor:
        """The teacher's ids, padded to every slot: (n, 77)."""
        return self.tokenizer(
            list(texts), padding="max_length", truncation=True, max_length=self.slots, return_tensors="pt"
        ).input_ids

    @torch.no_grad()
    def encode(self, texts: Sequence[str]) -> dict[str, Target]:
        """Targets of every head for n texts."""
        ids = self.tokens(texts)
        found = self.model(ids.to(self.device), output_hidden_states=True)
        outputs = {"last_hidden_state": found.last_hidden_state, "penultimate": found.hidden_states[-2], "none": None}
        pooled = getattr(found, "text_embeds", None)
        return {
            name: Target(_array(outputs[head.output]), _array(pooled) if head.pooled else None)
            for name, head in self.heads.items()
        }

    def _has_projection(self) -> bool:
        names = read_settings(self.folder / "config.json").get("architectures") or []
        return any(name in ("CLIPModel", "CLIPTextModelWithProjection") for name in names)  # type: ignore[attr-defined]


class SentenceTeacher:
    """A sentence-transformers model; its unit vectors are the pooled target of its heads."""

    slots = 0
    half_fingerprint = ""

    def __init__(self, folder: str | Path, heads: Mapping[str, HeadRecipe], device: str = "cpu") -> None:
        from sentence_transformers import SentenceTransformer

        self.folder, self.heads = resolve(folder), dict(heads)
        self.fingerprint = self.file_hash = file_hash(self.folder)
        with quietly(), naming(self.folder):
            self.model = SentenceTransformer(str(self.folder), device=device)

    def widths(self, name: str) -> tuple[int, int]:
        return 0, int(self.model.get_embedding_dimension() or 0)

    def encode(self, texts: Sequence[str]) -> dict[str, Target]:
        rows = self.model.encode(list(texts), normalize_embeddings=True, show_progress_bar=False, batch_size=64)
        return {name: Target(None, np.asarray(rows, dtype=np.float32)) for name in self.heads}


Teacher = ClipTeacher | SentenceTeacher


def open_teachers(heads: Mapping[str, HeadRecipe], device: str = "cpu") -> dict[str, Teacher]:
    """Each teacher once, by its folder, with the heads that it serves."""
    served: dict[tuple[str, str], dict[str, HeadRecipe]] = {}
    for name, head in heads.items():
        served.setdefault((head.teacher, head.kind), {})[name] = head
    kinds: dict[str, type[Teacher]] = {"clip": ClipTeacher, "sentence": SentenceTeacher}
    return {folder: kinds[kind](folder, mine, device) for (folder, kind), mine in served.items()}


def resolve(folder: str | Path) -> Path:
    """The teacher's folder. `package:NAME/sub` is a folder inside an installed Python package."""
    text = str(folder)
    if text.startswith("package:"):
        package, _, inner = text.removeprefix("package:").partition("/")
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            raise FileNotFoundError(
                f"teacher package {package} is not installed: pip install {package.replace('_', '-')}"
            )
        path = Path(spec.origin).parent / inner
    else:
        path = Path(text)
    if not (path / "config.json").is_file():
        raise FileNotFoundError(f"teacher {path} has no config.json: give a folder in the Hugging Face layout")
    return path


def weights_files(folder: Path) -> tuple[list[Path], str]:
    """The safetensors files of a model folder, several if sharded, and the variant that they are ("fp16" or "")."""
    for variant in _VARIANTS:
        index, single = folder / f"model.safetensors.index{variant}.json", folder / f"model{variant}.safetensors"
        if index.is_file():
            places = read_settings(index).get("weight_map")
            if not isinstance(places, dict) or any(Path(str(name)).name != name for name in places.values()):
                raise ValueError(f"{index} names no files beside it: copy the checkpoint again")
            return [folder / name for name in sorted(set(places.values()))], variant[1:]
        if single.is_file():
            return [single], variant[1:]
    raise FileNotFoundError(f"{folder} has no model.safetensors: pickled weights are not opened, convert them first")


def fingerprint(folder: str | Path, *, half: bool = False) -> str:
    """ "sha256:…" of a CLIP's text tower, name, type and shape of each tensor counted; of another model, of its file.

    `half`: of the tower rounded to float16, which is the same for a checkpoint and its float16 copies.
    diffusion.weights.text_fingerprint says the same of a checkpoint's text encoder.
    """
    place = resolve(folder)
    kind = str(read_settings(place / "config.json").get("model_type", ""))
    return _tower_hash(weights_files(place)[0], half) if kind.startswith("clip") else file_hash(place)


def file_hash(folder: str | Path) -> str:
    """ "sha256:…" of the bytes of the weights' file; of a sharded one, of its shards' sums in name order."""
    sums = []
    for path in weights_files(resolve(folder))[0]:
        with path.open("rb") as file:
            sums.append(hashlib.file_digest(file, "sha256").hexdigest())
    return f"sha256:{sums[0] if len(sums) == 1 else hashlib.sha256(''.join(sums).encode()).hexdigest()}"


def _tower_hash(paths: Sequence[Path], half: bool) -> str:
    tensors: dict[str, torch.Tensor] = {}
    for path in paths:
        with naming(path), safe_open(path, framework="pt") as file:
            tensors |= {key: file.get_tensor(key).contiguous() for key in file.keys()}  # noqa: SIM118 - no dictionary
    if half:
        tensors = {key: value.half() for key, value in tensors.items()}
    whole = any(key.startswith(_TOWER) for key in tensors)
    kept = [key for key in tensors if (key.startswith(_TOWER) or not whole) and not key.endswith(_NOT_TOWER)]
    digest = hashlib.sha256()
    for key in sorted(kept):
        digest.update(f"{key.removeprefix(_TOWER)} {tensors[key].dtype} {tuple(tensors[key].shape)}\n".encode())
        digest.update(tensors[key].view(torch.uint8).numpy().data)
    return f"sha256:{digest.hexdigest()}"


def _tokenizer_folder(folder: Path) -> Path:
    """A CLIPModel folder has its tokenizer inside, a diffusers checkpoint beside the encoder."""
    beside = {"text_encoder": "tokenizer", "text_encoder_2": "tokenizer_2"}.get(folder.name, "tokenizer")
    for place in (folder, folder.parent / beside):
        if (place / "tokenizer.json").is_file() or (place / "vocab.json").is_file():
            return place
    raise FileNotFoundError(f"teacher {folder} has no tokenizer in it, nor in {folder.parent / beside}")


def _array(x: torch.Tensor | None) -> np.ndarray | None:
    return None if x is None else x.float().cpu().numpy()
