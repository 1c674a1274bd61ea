"""A trained encoder as the first and only module of a sentence-transformers model: text in, unit vectors out.

`python -m ko_clip.export` copies this file and the files that it imports into the folder that it writes, so whoever
opens that folder needs sentence-transformers and nothing of ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from sentence_transformers.sentence_transformer.modules import InputModule
from torch import Tensor, nn

from ko_clip.model import KoClipModel
from ko_clip.tokenizer import PromptTokenizer


class SearchModule(InputModule):
    """A whole encoder; its `head` is the search head, or else the refiner's pooled embedding at unit length."""

    save_in_root = True

    def __init__(self, model: KoClipModel, tokenizer: PromptTokenizer, head: str) -> None:
        super().__init__()
        self.model, self.prompts, self.head = model.eval(), tokenizer, head
        self.tokenizer, self.max_seq_length = tokenizer.tokenizer, tokenizer.max_tokens

    def preprocess(  # type: ignore[override]  # of all that the library's hint allows, this module reads texts
        self, inputs: Sequence[str], prompt: str | None = None, **kwargs: object
    ) -> dict[str, Tensor]:
        """Ids, mask and beginnings of words of the texts, padded to the longest."""
        rows = self.prompts.encode_all([(prompt or "") + text for text in inputs])
        ids = nn.utils.rnn.pad_sequence([torch.tensor(each.ids) for each in rows], True, self.prompts.pad_id)
        begins = nn.utils.rnn.pad_sequence([torch.tensor(each.begins) for each in rows], True, False)
        return {"input_ids": ids, "attention_mask": self.model.mask(ids).long(), "begins": begins}

    def forward(self, features: dict[str, Tensor], **kwargs: object) -> dict[str, Tensor]:
        found = self.model.encode(features["input_ids"], [self.head], begins=features["begins"])[self.head]
        return features | {"sentence_embedding": nn.functional.normalize(found.pooled, dim=-1)}

    def get_embedding_dimension(self) -> int:
        return self.model.config.head_specs()[self.head].pooled

    def save(self, output_path: str, *args: object, safe_serialization: bool = True, **kwargs: object) -> None:
        """Write the encoder in float16, as it ships."""
        dtype = self.model.dtype
        self.model.half().save_pretrained(output_path)
        self.model.to(dtype)
        self.prompts.save(output_path)

    @classmethod
    def load(  # type: ignore[override]  # the Hub's options arrive in kwargs, and a folder needs none
        cls, model_name_or_path: str, subfolder: str = "", **kwargs: object
    ) -> SearchModule:
        folder = Path(model_name_or_path) / subfolder
        model = KoClipModel.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
        return cls(model, PromptTokenizer.load(folder), search_head(model))


def search_head(model: KoClipModel) -> str:
    """The head whose pooled embedding says which texts are alike; raises ValueError where there is none."""
    pooled = [name for name, spec in model.config.head_specs().items() if spec.pooled]
    found = next((name for name in ("search", "refiner") if name in pooled), "")
    if not found:
        raise ValueError(
            "the encoder has no search head and no pooled embedding: train it with a recipe that names one"
        )
    return found
