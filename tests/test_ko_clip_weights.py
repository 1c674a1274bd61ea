"""Weights in a prompt: which token gets which, and brackets in any number."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from ko_clip.encoder import PromptEncoder, _token_weights
from ko_clip.tokenizer import PromptTokenizer
from ko_clip.weights import parse_weights

SHIPPED = Path(__file__).parents[1] / "checkpoints/korean"


@pytest.fixture(scope="module")
def tokenizer() -> PromptTokenizer:
    return PromptTokenizer.load(SHIPPED)


def weighed(tokenizer: PromptTokenizer, text: str) -> list[tuple[str, float]]:
    """(what a token stands for, its weight) of a prompt, begin and end left out."""
    prompt = parse_weights(text)
    found = tokenizer.encode(prompt.text)
    weights = _token_weights(found, prompt)
    return [(prompt.text[a:b], round(w, 6)) for (a, b), w in zip(found.offsets, weights, strict=True)][1:-1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a (red:1.5) dress", [("a", 1.0), ("red", 1.5), ("dress", 1.0)]),
        ("a (v:1.5) neck", [("a", 1.0), ("v", 1.5), ("neck", 1.0)]),
        ("a (red:0) dress", [("a", 1.0), ("red", 0.0), ("dress", 1.0)]),
        ("a (RED:1.5) dress", [("a", 1.0), ("RED", 1.5), ("dress", 1.0)]),
        ("초록 (빨간:1.5) 원피스", [("초록", 1.0), ("빨간", 1.5), ("원피스", 1.0)]),
        ("레드(dress:1.5)", [("레드", 1.0), ("dress", 1.5)]),
        ("(레드:1.5)dress", [("레드", 1.5), ("dress", 1.0)]),
        ("(뷁:1.5)옷", [("뷁", 1.5)] * 3 + [("옷", 1.0)]),
        ("뀖(뀗:1.5)코트", [("뀖", 1.0)] * 3 + [("뀗", 1.5)] * 3 + [("코트", 1.0)]),
        ("😀(😃:0.5)", [("😀", 1.0)] * 4 + [("😃", 0.5)] * 4),
    ],
)
def test_a_weight_is_its_own_words_alone(
    tokenizer: PromptTokenizer, text: str, expected: list[tuple[str, float]]
) -> None:
    assert weighed(tokenizer, text) == expected
    assert weighed(tokenizer, unicodedata.normalize("NFD", text)) == expected


def test_a_mark_that_meets_its_letter_where_a_bracket_went_is_one_letter() -> None:
    found = parse_weights("e(\u0301:1.5)s")
    assert found.text == "és"
    assert len(found.weights) == 2


@pytest.mark.parametrize("depth", [1, 995, 50_000])
def test_brackets_of_any_depth_are_read(depth: int) -> None:
    found = parse_weights("(" * depth + "dress" + ")" * depth)
    assert found.text == "dress"
    assert found.weights == (min(2.0, 1.1**depth) if depth < 1000 else 2.0,) * 5
    assert parse_weights("(" * depth).text == "(" * depth
    assert parse_weights("[" * depth + "dress" + "]" * depth).text == "dress"
    assert parse_weights("(a" * depth + ":0.5)" * depth).weights[0] == 0.5
    assert parse_weights(")" * depth).text == ")" * depth


def test_995_brackets_are_encoded_searched_and_counted() -> None:
    encoder = PromptEncoder.load(SHIPPED)
    for prompt in ("(" * 995 + ")" * 995, "(" * 995 + "빨간 원피스" + ")" * 995, "([" * 995):
        assert encoder.base([prompt]).shape[:2] == (1, 77)
        assert encoder.search([prompt]).shape[0] == 1
        assert encoder.count_tokens(prompt) >= 0


def test_a_prompt_is_not_cut_inside_a_syllable(tokenizer: PromptTokenizer) -> None:
    room = tokenizer.max_tokens - 2
    for before in range(3):
        text = "옷" * before + "뷁" * (room // 3 + 2)
        found = tokenizer.encode(text)
        assert (len(found.ids) - 2 - before) % 3 == 0
        assert text == text[: found.offsets[-2][1]] + found.dropped
        assert tokenizer.dropped(text) == found.dropped
        parts = tokenizer.chunks(text)
        assert all(len(part.ids) <= tokenizer.max_tokens for part in parts)
        assert sum(len(part.ids) - 2 for part in parts) == tokenizer.count(text)
    assert len(tokenizer.chunks("")) == 1
    assert tokenizer.dropped("빨간 원피스") == ""


def test_a_chunked_prompt_drops_nothing() -> None:
    text = "빨간 원피스 " * 200
    assert PromptEncoder.load(SHIPPED).dropped(text)
    assert PromptEncoder.load(SHIPPED, long="chunk").dropped(text) == ""
