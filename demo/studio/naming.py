"""Which of a prompt's unknown words are named to people: its nouns (엄마 of 엄마가 좋아할 만한 옷), by the analyser.

In: a prompt in NFC and its unknown words with their places. Out: those that are nouns, without particles and endings;
all of them where none is, or while the analyser, which the first such prompt loads beside the answering of requests, is
not there yet.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Sequence
from functools import lru_cache

logger = logging.getLogger(__name__)
Unknown = tuple[str, int, int]  # a word, its start and its end
_HANGUL = re.compile("[가-힣]")
_NOUNS = ("NNG", "NNP", "NR", "SL", "SN", "XPN", "XR", "XSN")
_loaded = threading.Event()


def nouns_of(prompt: str, unknown: Sequence[Unknown]) -> list[Unknown]:
    """The unknown words as people would name them."""
    korean = [one for one in unknown if _HANGUL.search(one[0])]
    if not korean:
        return list(unknown)
    if not _loaded.is_set():
        _load_aside()
        return list(unknown)
    named = [noun for one in unknown for noun in _nouns_within(prompt, one)]
    return named or list(unknown)


def load() -> None:
    """Load the analyser now, in this thread."""
    from hangul.analyser import morphemes

    morphemes("옷")
    _loaded.set()


@lru_cache(maxsize=1)
def _load_aside() -> None:
    threading.Thread(target=_load_quietly, name="analyser", daemon=True).start()


def _load_quietly() -> None:
    try:
        load()
    except Exception:
        logger.exception("the analyser cannot be loaded: unknown words are named with their particles")


def _nouns_within(prompt: str, unknown: Unknown) -> list[Unknown]:
    """The runs of nouns in one unknown word; a word in Latin letters stays as it is."""
    from hangul.analyser import morphemes

    word, first, last = unknown
    if not _HANGUL.search(word):
        return [unknown]
    runs: list[tuple[int, int]] = []
    for one in morphemes(prompt):
        if one.tag.split("-")[0] not in _NOUNS or one.start >= last or one.end <= first:
            continue
        start, end = max(one.start, first), min(one.end, last)
        if runs and runs[-1][1] == start:
            runs[-1] = (runs[-1][0], end)
        else:
            runs.append((start, end))
    return [(prompt[start:end], start, end) for start, end in runs]
