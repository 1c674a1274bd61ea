"""Unknown words are named as people would: nouns without particles, by the analyser."""

from __future__ import annotations

import pytest

from demo.studio import naming
from fashion.reader import FashionReader


@pytest.fixture(scope="module", autouse=True)
def _analyser() -> None:
    naming.load()


@pytest.mark.parametrize(
    ("prompt", "named"),
    [
        ("엄마가 좋아할 만한 옷", ["엄마"]),
        ("아이유 닮은 사람", ["아이유"]),
        ("우주를 나는 고래", ["우주", "고래"]),
        ("김정은이 입은 옷", ["김정은"]),
        ("독도에서 한복", ["독도"]),
        ("손흥민 유니폼", ["손흥민", "유니폼"]),
        ("고양이를 탄 마법사와 spaceship", ["고양이", "마법사", "spaceship"]),
        ("닮은 사람", ["닮은"]),
        ("빨간 원피스", []),
    ],
)
def test_an_unknown_word_is_named_as_a_noun(prompt: str, named: list[str]) -> None:
    unknown = FashionReader().unknown_words(prompt)
    found = naming.nouns_of(prompt, unknown)
    assert [word for word, _, _ in found] == named
    assert all(prompt[start:end] == word for word, start, end in found)


def test_until_the_analyser_is_there_words_are_named_as_they_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(naming, "_loaded", type(naming._loaded)())
    monkeypatch.setattr(naming, "_load_aside", lambda: None)
    unknown = FashionReader().unknown_words("엄마가 좋아할 만한 옷")
    assert naming.nouns_of("엄마가 좋아할 만한 옷", unknown) == list(unknown)
