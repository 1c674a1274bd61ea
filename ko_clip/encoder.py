"""Prompts to what the pipeline and the index need: the one object that the rest of the studio holds.

In: prompts, Korean or English, with weights such as (단어:1.3). Out: base states (n, 77, d), of a student of SDXL two
teachers' side by side with pooled; refiner states (n, 77, d2) with pooled (n, p); search vectors (n, search_dim) of
unit length. Batched, and kept by the prompt's text.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from ko_clip.batches import pad
from ko_clip.model import HeadOutput, KoClipModel
from ko_clip.opening import open_student
from ko_clip.tokenizer import Encoded, PromptTokenizer
from ko_clip.weights import WeightedText, parse_weights

logger = logging.getLogger(__name__)
LONG = ("cut", "chunk")
_BATCH = 64
_SAME = (("base_2", "refiner"), ("refiner", "base_2"))


class PromptEncoder:
    """A trained student with its tokenizer. Safe to call from several threads.

    `long` says what becomes of a prompt over the limit: "cut" drops the rest with a warning that names it; "chunk"
    reads it in parts, whose slots follow one another: (n, 77 · parts, d), shorter prompts filled with the empty one.
    """

    def __init__(
        self, model: KoClipModel, tokenizer: PromptTokenizer, encoder_id: str = "", long: str = "cut", keep: int = 256
    ) -> None:
        if long not in LONG:
            raise ValueError(f"long {long!r}: use {' or '.join(LONG)}")
        self.model, self.tokenizer, self.encoder_id, self.long = model.eval(), tokenizer, encoder_id, long
        specs = model.config.head_specs()
        self._alias: dict[str, str] = {}  # a head that is asked for → the one that says the same
        self._sequences = [name for name, spec in specs.items() if spec.dim]
        self.teachers = {name: specs[name].teacher for name in self._sequences}
        if "base_1" in specs:  # SDXL's refiner reads what its base reads of the second teacher: one head serves both
            self._alias = {asked: has for has, asked in _SAME if has in self._sequences and asked not in specs}
        self.teachers |= {asked: self.teachers[has] for asked, has in self._alias.items()}
        self.teachers_half = {name: specs[self._alias.get(name, name)].teacher_half for name in self.teachers}
        pooled = {name: spec.pooled for name, spec in specs.items() if spec.pooled}
        self.search_head = next((name for name in ("search", "refiner", "base_2") if name in pooled), "")
        self.search_dim = pooled.get(self.search_head, 0)
        self.max_tokens = tokenizer.max_tokens - 2
        self._kept: OrderedDict[tuple[str, str], list[HeadOutput]] = OrderedDict()
        self._keep, self._lock = keep, threading.Lock()

    @classmethod
    def load(cls, path: str | Path, device: str | torch.device = "cpu", long: str = "cut") -> PromptEncoder:
        """Open an encoder's folder. Raises FileNotFoundError or ValueError naming what is missing or wrong."""
        folder = Path(path)
        model = open_student(folder)
        model.to(device)  # type: ignore[arg-type]  # transformers wraps Module.to without binding self
        tokenizer = PromptTokenizer.load(folder)
        if model.config.vocab_size < tokenizer.vocab_size:
            raise ValueError(
                f"{folder}: the model knows {model.config.vocab_size} tokens, the tokenizer {tokenizer.vocab_size}: "
                "they are of two different encoders"
            )
        return cls(model, tokenizer, encoder_id(folder), long)

    def base(self, prompts: Sequence[str]) -> torch.Tensor:
        """States (n, 77, d) for the base stage."""
        return self._states("base", prompts)[0]

    def base_pooled(self, prompts: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """Both heads' states side by side (n, 77, d1 + d2), and the second's pooled (n, p), for SDXL's base stage."""
        first = self._states("base_1", prompts)[0]
        second, pooled = self._with_pooled("base_2", prompts)
        return torch.cat([first, second], dim=-1), pooled

    def refiner(self, prompts: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """States (n, 77, d2) and pooled (n, p) for the refiner stage."""
        return self._with_pooled("refiner", prompts)

    def _with_pooled(self, head: str, prompts: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
        states, pooled = self._states(head, prompts)
        if pooled is None:
            raise ValueError(f"the {head} head has no pooled embedding: train it with pooled: true")
        return states, pooled

    def search(self, prompts: Sequence[str]) -> np.ndarray:
        """Vectors (n, search_dim) float32 of unit length; weights written in a prompt do not count.

        They come from the search head, or from the refiner's pooled embedding where there is none.
        """
        if not self.search_head:
            raise ValueError("this encoder has no search head and no pooled embedding: train it with one of them")
        found = self._encoded(self.search_head, [parse_weights(prompt) for prompt in prompts])
        rows = [torch.stack([x.pooled for x in parts if x.pooled is not None]).mean(0) for parts in found]
        if not rows:
            return np.zeros((0, self.search_dim), dtype=np.float32)
        vectors = torch.nn.functional.normalize(torch.stack(rows).float(), dim=-1)
        return vectors.cpu().numpy()

    def count_tokens(self, text: str) -> int:
        """Tokens of a prompt, to hold against `max_tokens`."""
        return self.tokenizer.count(parse_weights(text).text)

    def dropped(self, text: str) -> str:
        """The end of a prompt that does not fit, or "" ("chunk" reads all of it)."""
        return "" if self.long == "chunk" else self.tokenizer.dropped(parse_weights(text).text)

    def _states(self, head: str, prompts: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor | None]:
        if head not in self.teachers:
            known = ", ".join(self._sequences) or "none"
            raise ValueError(
                f"this encoder has no {head!r} head (it has {known}): train one with a recipe that names it"
            )
        head = self._alias.get(head, head)
        if not prompts:
            raise ValueError("no prompt given: give at least one, an empty one if need be")
        found = self._encoded(head, [parse_weights(prompt) for prompt in prompts])
        most = max(len(parts) for parts in found)
        if most > 1:
            blank = self._encoded(head, [parse_weights("")])[0]
            found = [parts + blank * (most - len(parts)) for parts in found]
        rows = [torch.cat([part.states for part in parts if part.states is not None]) for parts in found]
        states = torch.stack(rows)  # (n, 77 · parts, d)
        pooled = [parts[0].pooled for parts in found]
        return states, None if pooled[0] is None else torch.stack(pooled)  # type: ignore[arg-type]

    def _encoded(self, head: str, prompts: Sequence[WeightedText]) -> list[list[HeadOutput]]:
        """Per prompt its parts' outputs, from what is kept or computed together."""
        if head not in self.model.heads:
            raise ValueError(f"this encoder has no {head!r} head: it has {', '.join(self.model.heads)}")
        keys = [_key(prompt) for prompt in prompts]
        with self._lock:
            found = {key: self._kept[head, key] for key in keys if (head, key) in self._kept}
        missing = {key: prompt for key, prompt in zip(keys, prompts, strict=True) if key not in found}
        if missing:
            # The sequence heads share the decoder, and a drawing soon needs both.
            heads = self._sequences if head in self._sequences else [head]
            computed = self._compute(heads, list(missing.values()))
            found |= dict(zip(missing, computed[head], strict=True))
            with self._lock:
                for name in heads:
                    self._kept.update({(name, k): parts for k, parts in zip(missing, computed[name], strict=True)})
                while len(self._kept) > self._keep:
                    self._kept.popitem(last=False)
        return [found[key] for key in keys]

    @torch.inference_mode()
    def _compute(self, heads: list[str], prompts: Sequence[WeightedText]) -> dict[str, list[list[HeadOutput]]]:
        """What a drawing is told is computed prompt by prompt: in a batch its last bits would depend on the others, and
        so on which of them were kept from before.
        """
        size = 1 if set(heads) & set(self._sequences) else _BATCH
        parts = [self._parts(prompt) for prompt in prompts]
        flat = [part for each in parts for part in each]
        rows: dict[str, list[HeadOutput]] = {head: [] for head in heads}
        for start in range(0, len(flat), size):
            some = flat[start : start + size]
            ids = pad([part[0].ids for part in some], self.tokenizer.pad_id).to(self.model.device)
            weighted = any(part[1] is not None for part in some)
            weights = _pad_weights([part[1] for part in some], ids) if weighted else None
            begins = pad([part[0].begins for part in some], False).to(ids.device) if self._counts(heads) else None
            output = self.model.encode(ids, heads, token_weights=weights, begins=begins)
            for head in heads:
                rows[head] += [_row(output[head], i) for i in range(len(some))]
        ends = np.cumsum([len(each) for each in parts])
        return {
            head: [rows[head][end - len(each) : end] for end, each in zip(ends, parts, strict=True)] for head in heads
        }

    def _counts(self, heads: Sequence[str]) -> bool:
        """Whether one of the heads asks where words begin."""
        return any(self.model.head(name).spec.grams for name in heads)

    def _parts(self, prompt: WeightedText) -> list[tuple[Encoded, list[float] | None]]:
        encode = self.tokenizer.chunks if self.long == "chunk" else lambda text: [self.tokenizer.encode(text)]
        found = encode(prompt.text)
        if prompt.plain:
            return [(each, None) for each in found]
        return [(each, _token_weights(each, prompt)) for each in found]


def encoder_id(folder: str | Path) -> str:
    """ "sha256:…" of an encoder's weights, configuration and tokenizer together."""
    digest = hashlib.sha256()
    for name in ("model.safetensors", "config.json", "tokenizer.json"):
        digest.update((Path(folder) / name).read_bytes())
    return f"sha256:{digest.hexdigest()}"


def _token_weights(encoded: Encoded, prompt: WeightedText) -> list[float]:
    """The weight of each token: that of the characters it came from, on average."""
    spans = [prompt.weights[start:end] for start, end in encoded.offsets]
    return [sum(span) / len(span) if span else 1.0 for span in spans]


def _pad_weights(rows: Sequence[list[float] | None], ids: torch.Tensor) -> torch.Tensor:
    weights = torch.ones(ids.shape, dtype=torch.float32)
    for i, row in enumerate(rows):
        if row is not None:
            weights[i, : len(row)] = torch.tensor(row)
    return weights.to(ids.device)


def _row(output: HeadOutput, i: int) -> HeadOutput:
    return HeadOutput(*(None if x is None else x[i].clone() for x in (output.states, output.pooled)))


def _key(prompt: WeightedText) -> str:
    """What two prompts must share to share an answer: the text as the tokenizer sees it, and the weights."""
    return prompt.text if prompt.plain else f"{prompt.text}\0{prompt.weights}"
