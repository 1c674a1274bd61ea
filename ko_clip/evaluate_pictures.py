"""How well texts find pictures: `python -m ko_clip.evaluate_pictures --clip DIR --encoder DIR --xm3600 DIR --out DIR`.

In: a CLIP with its image tower, encoders that speak to it (a student of its text tower, or a Korean CLIP of others with
its own), sets of captioned pictures, drawn pictures of a culture set; optionally a Marian folder, whose English
translation the CLIP's own text tower reads. Out: Markdown tables, evaluation.json and charts: recall@1, 5 and 10 of
texts for pictures and of pictures for texts; of a culture set the cosine of each drawn picture with the translated
prompt. Rows of others' papers come from a table (`--others`) and are marked as theirs.
"""

from __future__ import annotations

import argparse
import csv
import logging
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from ko_clip.evaluate import Table, in_chunks, markdown, write
from ko_clip.measures import grouped_recall
from ko_clip.picture_sets import CaptionedPictures, CulturePrompts, drawn_pictures, read_culture, read_xm3600, read_xtd
from ko_clip.train import quiet_libraries
from training.command import run_command

if TYPE_CHECKING:  # opened late, so that --help and a refusal come at once
    from transformers import MarianMTModel, PreTrainedTokenizerBase

    from ko_clip.encoder import PromptEncoder
    from ko_clip.existing import ExistingClip

Vectors = Callable[[Sequence[str]], np.ndarray]
TOP = (1, 5, 10)
ENCODED = 32


class PictureClip:
    """A whole CLIP: unit vectors of its own texts and of pictures."""

    def __init__(self, folder: Path) -> None:
        from ko_clip.clip_folder import image_side, open_clip
        from ko_clip.imagefolder import Preprocessing
        from ko_clip.teachers import fingerprint

        self.folder, self.fingerprint = folder, fingerprint(folder)
        self._clip, self._tokenizer, _ = open_clip(folder)
        self._preprocessing = Preprocessing.of(folder, image_side(self._clip))

    def texts(self, texts: Sequence[str]) -> np.ndarray:
        """(n, p) float32."""
        import torch

        from ko_clip.clip_folder import text_settings
        from ko_clip.contrastive import text_vectors, tokenize

        with torch.inference_mode():
            ids = tokenize(self._tokenizer, texts, most=text_settings(self._clip).max_position_embeddings)
            return text_vectors(self._clip, ids).numpy()

    def pictures(self, paths: Sequence[Path]) -> np.ndarray:
        """(n, p) float32. Raises UnreadablePicture or PictureTooLarge where one cannot be read."""
        import torch

        from ko_clip.contrastive import image_vectors
        from pictures import open_picture

        rows = []
        with torch.inference_mode():
            for start in range(0, len(paths), ENCODED):
                levels = np.stack(
                    [self._preprocessing.crop(open_picture(path)) for path in paths[start : start + ENCODED]]
                )
                rows.append(image_vectors(self._clip, self._preprocessing.pixels(levels)).numpy())
        return np.concatenate(rows)


class Translator:
    """A local Marian folder (opus-mt-ko-en's layout): Korean in, English out, by greedy search."""

    def __init__(self, folder: Path) -> None:
        import importlib.util

        from transformers import MarianMTModel, MarianTokenizer

        from ko_clip.opening import naming, quietly

        if importlib.util.find_spec("sentencepiece") is None:
            raise ValueError("a Marian folder needs sentencepiece: pip install sentencepiece==0.2.3")
        with warnings.catch_warnings(), quietly(), naming(folder):
            warnings.filterwarnings("ignore", "Recommended: pip install sacremoses")  # English punctuation, unread here
            self._tokenizer: PreTrainedTokenizerBase = MarianTokenizer.from_pretrained(folder, local_files_only=True)
            self._model: MarianMTModel = MarianMTModel.from_pretrained(folder, local_files_only=True).eval()

    def __call__(self, texts: Sequence[str]) -> list[str]:
        import torch

        given = self._tokenizer(list(texts), padding=True, truncation=True, return_tensors="pt")
        with torch.inference_mode():
            ids = self._model.generate(**given, num_beams=1, do_sample=False, max_new_tokens=64)  # type: ignore[misc]
        rows = cast(torch.Tensor, ids).tolist()
        return [str(text) for text in self._tokenizer.batch_decode(rows, skip_special_tokens=True)]


def speaks_to(encoder: PromptEncoder | ExistingClip, clip: PictureClip) -> Vectors:
    """Text vectors in the space of a CLIP's pictures. Raises ValueError for an encoder that has none there."""
    from ko_clip.encoder import PromptEncoder

    if not isinstance(encoder, PromptEncoder):
        return encoder.search
    pooled = {name: spec.pooled for name, spec in encoder.model.config.head_specs().items()}
    head = next((each for each in ("refiner", "base_2") if pooled.get(each)), "")
    if not head or encoder.teachers[head] != clip.fingerprint:
        told = encoder.teachers.get(head, "no text tower with a pooled embedding")
        raise ValueError(
            f"the encoder reproduces {told}, {clip.folder.name} is {clip.fingerprint}: give the CLIP that it was "
            "distilled from, or a Korean CLIP with its own image tower"
        )

    def vectors(texts: Sequence[str]) -> np.ndarray:
        found = encoder.refiner(texts)[1].float().cpu().numpy()
        return found / np.linalg.norm(found, axis=-1, keepdims=True)

    return vectors


def retrieval_rows(data: CaptionedPictures, language: str, who: str, texts: Vectors, pictures: np.ndarray) -> Table:
    """Both ways over the captions of one language."""
    written, owners = data.captions[language], np.array(data.owners[language])
    vectors = in_chunks(lambda some: texts(some), written)
    found = grouped_recall(vectors, pictures, owners, TOP)
    facts: dict[str, str | float] = {"set": data.name, "encoder": who, "captions": language, "n": len(written)}
    return [facts | {f"{way} R@{k}": value for way, values in found.items() for k, value in values.items()}]


def culture_rows(prompts: CulturePrompts, pictures: Path, clip: PictureClip) -> Table:
    """Mean cosine of the pictures drawn from each kind of prompt with the translated prompt (KoDi's measure)."""
    wanted = in_chunks(clip.texts, prompts.prompts["en_sem"])
    rows: Table = []
    for kind in prompts.prompts:
        if not (pictures / kind).is_dir():
            continue
        seen = clip.pictures(drawn_pictures(pictures / kind, len(wanted)))
        cosines = (seen * wanted).sum(axis=1)
        rows.append(
            {"set": prompts.name, "drawn from": kind, "n": len(wanted), "CLIP similarity": float(cosines.mean())}
        )
    if not rows:
        raise ValueError(
            f"{pictures} has none of the folders {', '.join(prompts.prompts)}: draw the prompts of each kind into a "
            "folder of its name"
        )
    return rows


def read_others(path: Path, columns: Sequence[str]) -> Table:
    """Rows of papers: a CSV with the columns of a table; what is not given stays empty and is shown as -."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    unknown = sorted({name for row in rows for name in row} - set(columns))
    if unknown:
        raise ValueError(f"{path} has the columns {', '.join(unknown)}: known are {', '.join(columns)}")
    texts = ("set", "encoder", "captions")
    return [
        {name: (row.get(name) or "-") if name in texts else _number(row.get(name)) for name in columns}
        | {"encoder": f"{row.get('encoder', '?')} (as published)"}
        for row in rows
    ]


def evaluate(args: argparse.Namespace) -> Mapping[str, Table]:
    """Every table that the arguments give data for. Raises ValueError, FileNotFoundError."""
    from ko_clip.existing import open_prompt_encoder

    if not (args.xtd or args.xm3600 or args.culture):
        raise ValueError("nothing to evaluate on: give --xtd, --xm3600 or --culture")
    if args.culture and not args.pictures:
        raise ValueError("--culture needs --pictures, the folder with what was drawn from its prompts")
    sets = [read_xtd(args.xtd, args.coco)] if args.xtd else []
    sets += [read_xm3600(args.xm3600)] if args.xm3600 else []
    clip = PictureClip(args.clip)
    rows: Table = []
    readers: list[tuple[str, str, Vectors, PictureClip]] = [("en", f"{args.clip.name}, English", clip.texts, clip)]
    for folder in args.encoder:
        eyes = PictureClip(folder) if _has_pictures(folder) else clip
        readers.append(("ko", folder.name, speaks_to(open_prompt_encoder(folder), clip), eyes))
    if args.translator:
        texts = translated(Translator(args.translator), clip)
        readers.append(("ko", f"{args.translator.name} + {args.clip.name}", texts, clip))
    for data in sets:
        seen = {
            eyes.folder: eyes.pictures(data.pictures) for eyes in {each.folder: each for *_, each in readers}.values()
        }
        for language, who, texts, eyes in readers:
            rows += retrieval_rows(data, language, who, texts, seen[eyes.folder])
    if rows and args.others:
        rows += read_others(args.others, list(rows[0]))
    tables = {"Pictures and captions": rows} if rows else {}
    if args.culture:
        tables["Korean culture"] = culture_rows(read_culture(args.culture), args.pictures, clip)
    return tables


def translated(translate: Translator, clip: PictureClip) -> Vectors:
    """Translate, then encode: the way of those who have no Korean encoder."""
    return lambda texts: clip.texts(translate(texts))


def main(argv: Sequence[str] | None = None) -> int:
    """Evaluate, print the tables, write them and the charts."""
    args = _parser().parse_args(argv)
    logging.basicConfig(level=logging.WARNING)
    quiet_libraries()

    def run() -> None:
        tables = evaluate(args)
        for title, rows in tables.items():
            print(f"\n### {title}\n\n{markdown(rows)}")
        if args.out:
            write(tables, args.out)

    return run_command(run)


def _has_pictures(folder: Path) -> bool:
    """Whether an encoder is a whole CLIP of somebody, with an image tower of its own."""
    from ko_clip.opening import read_settings

    return read_settings(folder / "config.json").get("model_type") == "clip"


def _number(text: str | None) -> float | str:
    return float(text) if text else "-"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ko_clip.evaluate_pictures", description=__doc__)
    parser.add_argument(
        "--clip", type=Path, required=True, help="folder of a whole CLIP, whose text tower is reproduced"
    )
    parser.add_argument("--encoder", type=Path, nargs="*", default=[], help="students of it, or Korean CLIPs of others")
    parser.add_argument(
        "--xtd", type=Path, help="folder of XTD-10: test_image_names.txt, test_1kcaptions_ko.txt, …_en.txt"
    )
    parser.add_argument("--coco", type=Path, help="folder with COCO's val2014/ and train2014/ for --xtd")
    parser.add_argument("--xm3600", type=Path, help="folder of XM3600: captions.jsonl and the pictures")
    parser.add_argument("--culture", type=Path, help="CSV or TSV with the columns ko, en_rom, en_sem")
    parser.add_argument("--pictures", type=Path, help="folder with ko/, en_rom/, en_sem/: what was drawn, one a row")
    parser.add_argument("--translator", type=Path, help="folder of a Marian model, Korean to English")
    parser.add_argument("--others", type=Path, help="CSV with rows of papers, in the table's columns")
    parser.add_argument("--out", type=Path, help="folder for evaluation.md, .json and charts")
    return parser


if __name__ == "__main__":
    sys.exit(main())
