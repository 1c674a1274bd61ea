#!/bin/sh
# kiwipiepy 0.24.1 (model 0.24.0): 원피스 (dress) is a proper noun, 치마 (skirt) alone "do not", 스키니진 (skinny jeans) has an empty token.
#
# Behaviour: the most usual Korean word for a dress is tagged NNP, as the name of a comic, alone, in a phrase and inside a
# compound (꽃무늬원피스); 블라우스, 저고리 and 청바지 are NNG. 치마 as a whole text, what a person types first into a search box,
# is read as a contraction of 하지 말어 (do not), four tokens that are not in the text; after 빨간 it is a noun. Whoever keeps common nouns (NNG) as the things that a fashion prompt
# names loses the dress and keeps its pattern. 스키니진 becomes 스키 + 이 (copula, length 0) + 니 (ending) + 진: a token whose
# span is empty, between two that touch. Whoever cuts a text at the tokens' spans, or weighs characters by them, meets a
# token of no character.
# What helps: take NNG and NNP alike, and give the words of the field to add_user_word (it then reads 스키니진 as one noun).
#
# Installs kiwipiepy 0.24.1 into a temporary folder; uses nothing of this repository.
# Output seen, November 2026:
#   원피스: 원피스/NNP | 빨간 원피스: 빨갛/VA-I ᆫ/ETM 원피스/NNP | 꽃무늬원피스: 꽃무늬/NNG 원피스/NNP | 블라우스: 블라우스/NNG | 청바지: 청바지/NNG
#   치마: 하/VV 지/EC 말/VX 어/EF | 빨간 치마: 빨갛/VA-I ᆫ/ETM 치마/NNG
#   스키니진: 스키/NNG 이/VCP 니/EC 진/NNG, of length 0: 이 | as a user word: 스키니진/NNG
# Fails (exit 1) where that changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check kiwipiepy==0.24.1 kiwipiepy_model==0.24.0
cat > "$folder/check.py" <<'PYTHON'
import sys

from kiwipiepy import Kiwi

kiwi = Kiwi()


def read(text):
    """Return the tokens of a text as FORM/TAG."""
    return " ".join(f"{token.form}/{token.tag}" for token in kiwi.tokenize(text))


nouns = {text: read(text) for text in ("원피스", "빨간 원피스", "꽃무늬원피스", "블라우스", "청바지")}
print(" | ".join(f"{text}: {tokens}" for text, tokens in nouns.items()))
skirts = {text: read(text) for text in ("치마", "빨간 치마")}
print(" | ".join(f"{text}: {tokens}" for text, tokens in skirts.items()))
jeans, empty = read("스키니진"), [token.form for token in kiwi.tokenize("스키니진") if token.len == 0]
kiwi.add_user_word("스키니진", "NNG")
told = read("스키니진")
print(f"스키니진: {jeans}, of length 0: {' '.join(empty)} | as a user word: {told}")
dresses = all(nouns[text].endswith("원피스/NNP") for text in ("원피스", "빨간 원피스", "꽃무늬원피스"))
others = all(nouns[text] == f"{text}/NNG" for text in ("블라우스", "청바지"))
skirt = "치마" not in skirts["치마"] and skirts["빨간 치마"].endswith("치마/NNG")
if not (dresses and others and skirt and empty == ["이"] and told == "스키니진/NNG"):
    sys.exit("the behaviour has changed")
PYTHON
"$folder/venv/bin/python" "$folder/check.py"
