#!/bin/sh
# tokenizers 0.23.3: the blank that Metaspace puts before a text has the first letter's place, so two tokens claim it.
#
# Behaviour: Metaspace (prepend_scheme "always", as of SentencePiece models: XLM-R, T5, KLUE's descendants) writes ▁ before
# the text. Where the vocabulary has no piece that joins it to the first letter, ▁ is a token of its own, and its offsets are
# those of the first character, not an empty span: (0, 1), and then (0, 1) again. Every later ▁ has the blank's own place.
# Whoever turns offsets into weights by character ("(빨간:1.3) 원피스"), highlights tokens, or maps a cut of the tokens back
# to the text counts the first character twice, and that with Korean vocabularies of single syllables in most texts.
# What helps: pass over a token whose piece is ▁ alone at the start of the text.
#
# Installs tokenizers 0.23.3 into a temporary folder; uses nothing of this repository.
# Output seen, November 2026:
#   빨간 원피스: ▁(0, 1) 빨(0, 1) 간(1, 2) ▁(2, 3) 원(3, 4) 피(4, 5) 스(5, 6)
# Fails (exit 1) where that changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check tokenizers==0.23.3
cat > "$folder/check.py" <<'PYTHON'
import sys

from tokenizers import Tokenizer, models, pre_tokenizers

TEXT = "빨간 원피스"
pieces = [("<unk>", 0.0), *((letter, -1.0) for letter in "▁빨간원피스")]
tokenizer = Tokenizer(models.Unigram(pieces, unk_id=0))
tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
found = tokenizer.encode(TEXT)
print(f"{TEXT}: " + " ".join(f"{token}{span}" for token, span in zip(found.tokens, found.offsets)))
claimed = [sum(start <= place < end for start, end in found.offsets) for place in range(len(TEXT))]
if found.tokens[0] != "▁" or found.offsets[:2] != [(0, 1), (0, 1)] or claimed != [2, 1, 1, 1, 1, 1]:
    sys.exit("the behaviour has changed")
PYTHON
"$folder/venv/bin/python" "$folder/check.py"
