"""What lies outside the drawn domain is known before it is drawn, with two prompts near to it that lie within."""

from __future__ import annotations

import numpy as np
import pytest
from demo_client import Studio, open_studio

from demo.studio.outside import near_examples, outside
from demo.studio.words import EXAMPLES
from fashion.vocabulary import unknown_words


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> object:
    studio = open_studio(tmp_path_factory.mktemp("outside"), worker=False)
    yield studio
    studio.close()


@pytest.mark.parametrize(
    "prompt",
    [
        "우주를 나는 고래",
        "아이유 닮은 사람",
        "ㅋㅋㅋㅋ",
        "1+1=?",
        "예쁜 옷",
        "노란 리본",
        "체크무늬",
        "수묵화로 그린 한옥 마당",
        "모자 없이",
        "a whale in space",
    ],
)
def test_a_prompt_without_a_garment_is_outside(prompt: str) -> None:
    assert outside(prompt)
    for language in ("ko", "en"):
        near = near_examples(prompt, language, None)
        assert len(set(near)) == 2 and not any(outside(one) or unknown_words(one) for one in near)


@pytest.mark.parametrize(
    "prompt", ["빨간 원피스", "한복", "모자 쓴 사람", "버킷햇을 쓴 고양이", "a red dress", "shoes", "", " "]
)
def test_a_prompt_with_a_garment_or_nothing_is_not(prompt: str) -> None:
    assert not outside(prompt)


def test_examples_keep_the_colour_pattern_material_and_place_that_were_asked_for() -> None:
    assert near_examples("노란 리본", "ko", None) == ["노란 원피스", "노란 저고리"]
    assert near_examples("노란 리본", "en", None) == ["a yellow dress", "a yellow jeogori"]
    assert near_examples("파란 하늘, 한옥 마당", "ko", None) == ["파란 원피스, 한옥 마당", "파란 저고리, 한옥 마당"]


def test_without_such_words_the_nearest_examples_are_given() -> None:
    def vector(prompt: str) -> np.ndarray:
        return np.eye(2)[int(prompt not in ("고래", EXAMPLES[3][0], EXAMPLES[6][0]))]

    assert near_examples("고래", "ko", vector) == [EXAMPLES[3][0], EXAMPLES[6][0]]


def test_the_analysis_says_so(studio: Studio) -> None:
    person = studio.person()
    seen = person.post("/prompts/analyze", {"prompt": "빨간 우주선"}).json
    assert seen["outside"] is True and seen["examples"] == ["빨간 원피스", "빨간 저고리"]
    english = person.post("/prompts/analyze", {"prompt": "a whale"}, headers={"Accept-Language": "en"}).json
    assert len(english["examples"]) == 2 and all(one.isascii() for one in english["examples"])
    within = person.post("/prompts/analyze", {"prompt": "빨간 원피스"}).json
    assert within["outside"] is False and within["examples"] == []


def test_a_refusal_is_told_as_its_reason_alone(studio: Studio) -> None:
    seen = studio.person().post("/prompts/analyze", {"prompt": "자살하고 싶다"}).json
    [warning] = [one for one in seen["warnings"] if one["code"] == "prompt_rejected"]
    assert warning["message"].startswith("많이 힘드신가요?") and "109" in warning["message"]


def test_a_checkpoint_of_another_domain_is_told_nothing_of_clothes() -> None:
    assert not outside("우주를 나는 고래", "") and not outside("우주를 나는 고래", "landscapes")


def test_a_drawing_of_what_is_outside_keeps_the_warning(studio: Studio) -> None:
    person = studio.person()
    made = person.post("/generations", {"prompt": "우주를 나는 고래"}).json
    assert [one["code"] for one in made["warnings"]][:2] == ["outside", "unknown_words"]
    within = person.post("/generations", {"prompt": "빨간 원피스"}).json
    assert within["warnings"] == []
