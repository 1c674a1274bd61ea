"""A variation of a picture drawn here stays that picture: background, style, colours and clothes; the rest varies."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from demo_client import Studio, open_studio

from fashion.completion import completed
from fashion.vocabulary import known_words

KEPT = ("background", "style", "color", "garment")


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    studio = open_studio(tmp_path_factory.mktemp("varying"))
    yield studio
    studio.close()


def drawn(studio: Studio) -> list[str]:
    """What the last batch was drawn from."""
    return [str(shot.drawn_prompt) for shot in studio.pipeline.batches[-1]]


def kept(text: str) -> set[tuple[str | None, str | None]]:
    return {(span.field, span.id) for span in known_words(text) if span.field in KEPT}


@pytest.mark.parametrize("prompt", ["청바지 입은 사람", "빨간 원피스", "우주를 나는 고래", "a man in boots"])
def test_a_variation_keeps_what_the_picture_shows_and_its_variation_does_too(studio: Studio, prompt: str) -> None:
    person = studio.person()
    source = person.finished(prompt, n=1, seed=11)
    first = drawn(studio)[0]
    for _ in range(2):
        source = person.finished(prompt, n=4, source_image=source["images"][-1]["id"], strength=0.9)
        assert {frozenset(kept(text)) for text in drawn(studio)} == {frozenset(kept(first))}
        assert all(text.startswith(first.split()[0]) for text in drawn(studio))


def test_four_variations_of_a_dress_are_four_dresses(studio: Studio) -> None:
    person = studio.person()
    source = person.finished("빨간 원피스", n=1, seed=11)
    person.finished("빨간 원피스", n=4, seed=5, source_image=source["images"][0]["id"])
    assert len(set(drawn(studio))) == 4
    one, other = (completed("빨간 원피스", seed, setting=11).text for seed in (5, 5))
    assert one == other == drawn(studio)[0]


def test_another_colour_is_drawn_in_the_same_place(studio: Studio) -> None:
    person = studio.person()
    source = person.finished("빨간 원피스", n=1, seed=11)
    place = kept(drawn(studio)[0]) - {("color", "red")}
    person.finished("파란 원피스", n=1, source_image=source["images"][0]["id"])
    assert kept(drawn(studio)[0]) == place | {("color", "blue")}
