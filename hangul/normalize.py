"""One form for Korean text: NFC, nothing invisible, single blanks; and keys under which equal prompts are equal.

In: text as typed, pasted or decomposed by a file system. Out: text whose bytes depend only on what can be seen.
Zero-width characters, bidirectional controls, Hangul fillers and other invisible marks go; joiners and variation
selectors inside emoji sequences stay. Both functions are idempotent, and NFC and NFD input give the same.
Ref: UAX #15 (normalization forms), UTS #51 (emoji sequences), UTS #39 on default-ignorable characters.
"""

from __future__ import annotations

import re
import unicodedata

# soft hyphen, grapheme joiner, fillers, zero-width, bidi, invisible operators, annotation, musical format controls
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200c\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a]"
)
_CONTROL = re.compile("[\u0000-\u0008\u000e-\u001b\u007f-\u0084\u0086-\u009f\ud800-\udfff]")
_BLANKS = re.compile(r"\s+")
_PICTURE = (
    "[\u00a9\u00ae\u203c\u2049\u2122\u2139\u2190-\u21ff\u2300-\u23ff\u24c2\u25a0-\u27bf\u2900-\u297f\u2b00-\u2bff"
    "\u3030\u303d\u3297\u3299\U0001f000-\U0001f1e5\U0001f200-\U0001f3fa\U0001f400-\U0001faff]"
)
_ONE_EMOJI = f"{_PICTURE}[\U0001f3fb-\U0001f3ff]?[\ufe0e\ufe0f]?"
_SEQUENCE = f"\U0001f3f4[\U000e0020-\U000e007e]+\U000e007f|[0-9#*]\ufe0f?\u20e3|{_ONE_EMOJI}(?:\u200d{_ONE_EMOJI})*"
_JOINERS = "[\u200d\ufe00-\ufe0f\U000e0000-\U000e007f\U000e0100-\U000e01ef]"
_EMOJI_OR_JOINER = re.compile(f"({_SEQUENCE})|{_JOINERS}")
_EMOJI = re.compile(f"{_SEQUENCE}|[\U0001f1e6-\U0001f1ff\U0001f3fb-\U0001f3ff]")
_NOT_JAMO = re.compile("[^\u3131-\u318e]+")  # NFKC would turn ㅋㅋ into conjoining jamo: it stays out of its reach


def clean(text: str) -> str:
    """Return the text in NFC without invisible characters, its blanks single, its ends trimmed.

    Emoji sequences keep their joiners and variation selectors: 👩‍🎨 stays one emoji. ㅋㅋ stays ㅋㅋ.
    """
    text = unicodedata.normalize("NFC", _CONTROL.sub("", _INVISIBLE.sub("", text)))
    text = _EMOJI_OR_JOINER.sub(lambda match: match[1] or "", text)
    return _BLANKS.sub(" ", unicodedata.normalize("NFC", text)).strip()


def search_key(text: str, spaces: bool = True) -> str:
    """Return the key under which prompts that read the same are found: NFKC, caseless, no emoji, no punctuation.

    With spaces=False, 빨간 원피스 and 빨간원피스 have the same key.
    """
    key = clean(text)
    for _ in range(4):  # folding and NFKC may each open work for the other; two rounds settle all but exotic letters
        folded = _fold(key)
        if folded == key:
            break
        key = folded
    return key if spaces else key.replace(" ", "")


def _fold(text: str) -> str:
    text = _EMOJI.sub(" ", text)
    text = _NOT_JAMO.sub(lambda match: unicodedata.normalize("NFKC", match[0]).casefold(), text)
    kept = (c if unicodedata.category(c)[0] in "LNM" or c in "+%" else " " for c in text)
    return clean("".join(kept))
