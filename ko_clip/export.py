"""The search head as a sentence-transformers model: `python -m ko_clip.export --encoder DIR --out DIR`.

Out: a folder that sentence-transformers opens anywhere, without an installation of ours. It holds the very vectors (of
the refiner's pooled embedding where there is no search head), computed by the few files of ours that lie in the folder;
opening it needs `trust_remote_code=True`. Where the words of the head are tokens alone (`ko_clip.lexical --grams 0`) it
holds stock modules: what the words say by themselves, which leaves out the network's two hundredths and with them which
word belongs to which; there `--exact` asks for the former kind.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if __package__ in (None, ""):  # python ko_clip/export.py
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from training.command import run_command

if TYPE_CHECKING:  # opened late, so that --help comes at once
    from torch import nn

    from ko_clip.encoder import PromptEncoder

# what the folder brings along
CODE = ("search_module", "model", "model_config", "layers", "ragged", "syllables", "tokenizer")
ENTRY = "search_module.SearchModule"


def export(encoder: str | Path, out: str | Path, exact: bool = False) -> bool:
    """Write the sentence-transformers folder of an encoder; returns whether opening it needs the code in it.

    Raises FileNotFoundError or ValueError naming what is wrong.
    """
    from sentence_transformers import SentenceTransformer

    from ko_clip.encoder import PromptEncoder
    from ko_clip.opening import quietly
    from ko_clip.search_module import SearchModule, search_head

    opened, target = PromptEncoder.load(encoder), Path(out)
    if target.exists() and (not target.is_dir() or (any(target.iterdir()) and not (target / "modules.json").is_file())):
        raise ValueError(f"{target} holds something else than an export: name another --out")
    head = search_head(opened.model)
    spec = opened.model.heads[head].spec
    coded = exact or not spec.words or bool(spec.grams)  # no stock module counts pairs that overlap
    modules: list[nn.Module] = [SearchModule(opened.model, opened.tokenizer, head)] if coded else _words(opened, head)
    with quietly():
        model = SentenceTransformer(modules=modules, device="cpu", similarity_fn_name="cosine")
        model.save(str(target), create_model_card=False)
    if coded:
        _bring_code(target)
    return coded


def _words(encoder: PromptEncoder, head: str) -> list[nn.Module]:
    """The mean of the words' meanings at unit length, which is the direction of their sum."""
    from sentence_transformers.sentence_transformer.modules import Normalize, StaticEmbedding

    meanings = encoder.model.heads[head].words @ encoder.model.heads[head].word_meanings  # (vocabulary, dim)
    return [StaticEmbedding(encoder.tokenizer.tokenizer, embedding_weights=meanings), Normalize()]


def _bring_code(folder: Path) -> None:
    """Put the files that compute the vectors into the folder, and name them as where its module comes from."""
    for name in CODE:
        source = Path(__file__).with_name(f"{name}.py").read_text("utf-8")
        (folder / f"{name}.py").write_text(source.replace("from ko_clip.", "from ."), "utf-8")
    modules = folder / "modules.json"
    entries = [{**each, "type": ENTRY} for each in json.loads(modules.read_text("utf-8"))]
    modules.write_text(json.dumps(entries, indent=2), "utf-8")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m ko_clip.export", description=__doc__)
    parser.add_argument("--encoder", required=True, help="folder of the encoder")
    parser.add_argument("--out", required=True, help="folder to write")
    parser.add_argument("--exact", action="store_true", help="the network's share too, with the code that computes it")
    args = parser.parse_args(argv)
    return run_command(lambda: print(_opened_by(args.out, export(args.encoder, args.out, args.exact))))


def _opened_by(folder: str, coded: bool) -> str:
    return f'SentenceTransformer("{folder}"{", trust_remote_code=True" if coded else ""})'


if __name__ == "__main__":
    sys.exit(main())
