"""What of a text a search head looks up: its tokens, its Korean syllables, and the pairs of neighbouring syllables.

In: ids (batch, tokens), where words begin (batch, tokens), and `spelled` (vocabulary, LONGEST), the syllables that each
token stands for. Out: keys, each once a text, with the row of the batch that it stands in. A pair tells 모자 from 자모,
and is met in 모자를 whatever piece the tokenizer cuts there; the blank before and after a word is paired with its first
and its last syllable, so that the 가 that ends 여자가 is another than the one that begins 가방.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

import torch
from torch import Tensor

LONGEST = 8  # syllables of a piece, as the tokenizer's trainer has them
_FIRST, _BLANK = 0xAC00, 11173  # syllables are 1 to 11,172
TOKENS = 1 << 27  # above every pair


def spell(pieces: Sequence[str], silent: Collection[int]) -> Tensor:
    """`spelled` (vocabulary, LONGEST) int16: syllables from 1 on, then zeros; a token of another script, a full stop
    too, is a blank to the syllables beside it. The `silent` tokens (padding, begin, end) stand for nothing.
    """
    spelled = torch.zeros(len(pieces), LONGEST, dtype=torch.int16)
    for i, piece in enumerate(pieces):
        if i in silent:
            continue
        if found := re.fullmatch(r"(?:##|▁)?([가-힣]+)", piece):
            codes = [ord(letter) - _FIRST + 1 for letter in found[1][:LONGEST]]
            spelled[i, : len(codes)] = torch.tensor(codes, dtype=torch.int16)
        else:
            spelled[i, 0] = _BLANK
    return spelled


def keys_of(input_ids: Tensor, spelled: Tensor, begins: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """(keys (total,) int32, their rows of the batch (total,)), both rising: a syllable is 1 to 11,172, a blank 11,173,
    a pair 11,174 · first + second, a token 2²⁷ + its id. Pairs reach over the tokens' borders.

    `begins` (batch, tokens) bool: a blank, the text's begin or its end stands before this token. None: none is known.
    """
    units = spelled[input_ids].int()  # (batch, tokens, LONGEST)
    owners, places = (units[..., 0] != 0).nonzero(as_tuple=True)
    tokens = TOKENS + input_ids[owners, places].int()
    if begins is not None:
        units = torch.cat([begins[..., None].int() * _BLANK, units], -1)
    units = units.flatten(1)
    rows, places = units.nonzero(as_tuple=True)
    units = units[rows, places]  # (syllables and blanks of the batch,)
    hangul = units < _BLANK
    pairs = units[:-1] * (_BLANK + 1) + units[1:]
    near = (hangul[:-1] | hangul[1:]) & (rows[:-1] == rows[1:])
    keys = torch.cat([tokens, units[hangul], pairs[near]])
    rows = torch.cat([owners, rows[hangul], rows[:-1][near]])
    found = torch.unique((rows << 32) + keys)
    return (found & 0xFFFFFFFF).int(), found >> 32
