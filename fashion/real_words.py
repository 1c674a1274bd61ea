"""Write fashion/real_words.txt: what is typed one jamo beside a word of the lexicon and is a real word itself.

In: the lexicon's Korean forms. Out: the file that `fashion.typo_correction` reads. Run `python -m fashion.real_words`
after the lexicon changed.
"""

from __future__ import annotations

from collections.abc import Iterable

from fashion.segmentation import typo_targets
from fashion.typo_correction import REAL_WORDS, typos_of
from hangul.analyser import morphemes


def real_words(candidates: Iterable[str]) -> list[str]:
    """Those that the analyser knows: a noun, name (하연), pronoun, verb, adverb or the like, with its endings."""
    found = []
    for text in sorted(set(candidates)):
        parts = morphemes(text)
        stem = parts[0]
        known = stem.in_dictionary and stem.tag[0] in "NVMIX"
        if known and all(part.tag.startswith("E") for part in parts[1:]):
            found.append(text)
    return found


def main() -> None:
    lexicon, taken = typo_targets()
    candidates = {typed for form in lexicon for typed in typos_of(form)} - set(taken)
    REAL_WORDS.write_text("\n".join(real_words(candidates)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
