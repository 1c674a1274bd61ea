"""The search head as a sentence-transformers model: `python -m ko_clip.export --encoder DIR --out DIR`.

An encoder without one, as a recipe of three lines makes it, gives its refiner's pooled embedding at unit length.
Out: a folder that `SentenceTransformer(folder)` opens where `ko_clip` is installed, giving the same unit vectors.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import InputModule
from torch import Tensor, nn

if __package__ in (None, ""):  # python ko_clip/export.py
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from ko_clip.batches import pad
from ko_clip.encoder import PromptEncoder
from ko_clip.train import quiet_libraries


class SearchModule(InputModule):
    """A whole encoder as the first and only module: text in, unit vectors out."""

    save_in_root = True

    def __init__(self, folder: str | Path) -> None:
        super().__init__()
        self.encoder = PromptEncoder.load(folder)
        self.head, self.dimension = self.encoder.search_head, self.encoder.search_dim
        if not self.head:
            raise ValueError(
                f"{folder} has no search head and no pooled embedding: train it with a recipe that names one"
            )
        self.model, self.tokenizer = self.encoder.model, self.encoder.tokenizer.tokenizer
        self.max_seq_length = self.encoder.tokenizer.max_tokens

    def preprocess(self, inputs: Sequence[str], prompt: str | None = None, **kwargs) -> dict[str, Tensor]:
        """Ids and mask of the texts, padded to the longest."""
        texts = [(prompt or "") + text for text in inputs]
        rows = [each.ids for each in self.encoder.tokenizer.encode_all(texts)]
        ids = pad(rows, self.encoder.tokenizer.pad_id)
        return {"input_ids": ids, "attention_mask": self.model.mask(ids).long()}

    def forward(self, features: dict[str, Tensor], **kwargs) -> dict[str, Tensor]:
        found = self.model.encode(features["input_ids"], [self.head])[self.head]
        return {**features, "sentence_embedding": nn.functional.normalize(found.pooled.float(), dim=-1)}

    def get_embedding_dimension(self) -> int:
        """Numbers in a vector, as sentence-transformers asks for it."""
        return self.dimension

    def save(self, output_path: str, *args, safe_serialization: bool = True, **kwargs) -> None:
        """Write the encoder in float16, as it ships."""
        from ko_clip.student import save_encoder

        target = Path(output_path)
        staging = target / "encoder"
        save_encoder(self.model, self.encoder.tokenizer, staging)
        for file in staging.iterdir():
            file.replace(target / file.name)
        staging.rmdir()

    @classmethod
    def load(cls, model_name_or_path: str, subfolder: str = "", **kwargs) -> SearchModule:
        return cls(Path(model_name_or_path) / subfolder)


def export(encoder: str | Path, out: str | Path) -> Path:
    """Write the sentence-transformers folder of an encoder."""
    model = SentenceTransformer(modules=[SearchModule(encoder)], device="cpu", similarity_fn_name="cosine")
    model.save(str(out), create_model_card=False)
    return Path(out)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m ko_clip.export", description=__doc__)
    parser.add_argument("--encoder", required=True, help="folder of the encoder")
    parser.add_argument("--out", required=True, help="folder to write")
    args = parser.parse_args(argv)
    quiet_libraries()
    try:
        print(export(args.encoder, args.out))
    except (ValueError, FileNotFoundError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
