"""What the codes of the Fashion Synthesis subset of DeepFashion mean.

In: codes, captions and picture names of the data set. Out: a name for every code. Gender is 0 (female) or 1 (male),
sleeves are 1 to 4, categories 1 to 19, colours 1 to 17. The data set does not say what a sleeve, a category or a colour is
called, but its captions and folders do: a code is called by what most of its captions (colour, sleeve) or folders
(category) say, else by its number. A code outside its range is "unknown (code)". `labels.json` beside the data overrides.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from fashion.vocabulary import known_words

FIELDS = {"gender": "gender_", "sleeve": "sleeve_", "category": "cate_new", "color": "color_"}  # field → variable
RANGES = {"gender": (0, 1), "sleeve": (1, 4), "category": (1, 19), "color": (1, 17)}
GENDERS = {0: "female", 1: "male"}
LABELS_FILE = "labels.json"
_ASKED = 200  # captions or folders of each code
_LEAST, _MOST_OF = 5, 0.6  # so many of them, and of these such a share, must agree


@dataclass(frozen=True)
class CodeNames:
    """Names of codes by field."""

    names: Mapping[str, Mapping[int, str]]

    def __call__(self, field: str, code: int) -> str:
        low, high = RANGES[field]
        if code in self.names[field]:
            return self.names[field][code]
        return f"{field} {code}" if low <= code <= high else f"unknown ({code})"


def code_names(
    codes: Mapping[str, np.ndarray], captions: Sequence[str], sources: Sequence[str], folder: Path
) -> CodeNames:
    """Name the codes (n,) of every field. Raises ValueError for a labels.json that is not {field: {code: name}}."""
    said: dict[str, Mapping[int, str]] = {
        "gender": GENDERS,
        "category": _agreed(codes["category"], lambda row: [_kind_of(sources[row])]),
    }
    said["color"] = _agreed(codes["color"], lambda row: _words(captions[row], "color"))
    said["sleeve"] = _agreed(codes["sleeve"], lambda row: _words(captions[row], "sleeve"))
    given = _given(folder / LABELS_FILE)
    return CodeNames({field: {**said[field], **given.get(field, {})} for field in FIELDS})


def _agreed(codes: np.ndarray, words_of: Callable[[int], Iterable[str]]) -> dict[int, str]:
    """For each code the word that most of its rows say."""
    found = {}
    for code in np.unique(codes):
        rows = np.flatnonzero(codes == code)
        asked = rows[np.linspace(0, len(rows) - 1, min(_ASKED, len(rows))).astype(int)]
        words = Counter(word for row in asked for word in set(words_of(int(row))) if word)
        if words and (best := words.most_common(1)[0])[1] >= max(_LEAST, _MOST_OF * len(asked)):
            found[int(code)] = best[0]
    return found


def _kind_of(source: str) -> str:
    """The last word of a picture's folder: img/Sheer_Pleated-Front_Blouse/img_00000001.jpg is a blouse."""
    folder = PurePosixPath(source.replace("\\", "/")).parent.name
    return re.split(r"[_ ]", folder)[-1].lower()


def _words(caption: str, field: str) -> Iterable[str]:
    return [span.id for span in known_words(caption) if span.field == field and span.id is not None]


def _given(path: Path) -> dict[str, dict[int, str]]:
    if not path.is_file():
        return {}
    try:
        data = json.loads(path.read_text("utf-8-sig"))
        return {field: {int(code): str(name) for code, name in names.items()} for field, names in data.items()}
    except (ValueError, AttributeError) as error:
        raise ValueError(f'{path} must be {{"color": {{"3": "navy"}}}}, fields {", ".join(FIELDS)}: {error}') from error
