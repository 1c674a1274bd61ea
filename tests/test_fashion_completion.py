"""What a prompt leaves open is said another way for every seed, and what it says stays as it is."""

from collections import Counter

import pytest

from fashion.completion import PARTS, completed
from fashion.lexicon import GARMENT_BY_ID
from fashion.prompt_reading import read_prompt
from fashion.vocabulary import known_words
from fashion.wordings import wordings


def named(text: str) -> Counter:
    return Counter((span.field, span.id) for span in known_words(text))


def test_the_same_prompt_and_seed_give_the_same_text():
    assert completed("빨간 원피스", 4) == completed("빨간 원피스", 4)
    assert len({completed("빨간 원피스", seed).text for seed in range(40)}) > 35


def test_what_the_prompt_says_is_kept_and_what_is_added_is_told():
    for wording in wordings():
        for seed in range(4):
            corrected = read_prompt(wording.prompt)
            done = completed(corrected, seed)
            added = Counter((a.field, a.id) for a in done.added if a.field != "wearer")
            added += Counter(word for one in done.dressed for word in (("garment", one.kind), *one.fields))
            assert named(done.text) == named(corrected) + added, done.text


@pytest.mark.parametrize("field", ["background", "style"])
def test_a_background_or_style_that_is_said_is_never_added(field):
    for wording in wordings():
        if getattr(wording, field):
            for seed in range(20):
                added = completed(read_prompt(wording.prompt), seed).added
                assert field not in {a.field for a in added}, wording.prompt


def test_nothing_is_added_that_contradicts_what_is_said_or_meant():
    for wording in wordings():
        if len(wording.garments) == 1:
            own = dict(wording.garments[0].fields)
            for seed in range(5):
                for addition in completed(read_prompt(wording.prompt), seed).added:
                    assert own.get(addition.field, addition.id) == addition.id, wording.prompt  # 청바지: blue


def test_only_what_the_garment_can_have_is_added():
    for seed in range(50):
        for prompt, kind in (("검은 코트", "coat"), ("흰 티셔츠", "t_shirt"), ("분홍 저고리", "jeogori")):
            for addition in completed(prompt, seed).added:
                allowed = {"material": GARMENT_BY_ID[kind].materials, "hem": GARMENT_BY_ID[kind].hems}
                allowed |= {"sleeve": GARMENT_BY_ID[kind].sleeves, "neckline": GARMENT_BY_ID[kind].necklines}
                assert addition.id in allowed.get(addition.field, (addition.id,))


def test_a_skirt_beside_a_jeogori_is_one_of_hanbok():
    hems = {a.id for seed in range(60) for a in completed("흰 저고리 검은 치마", seed).added if a.field == "hem"}
    assert hems == {"knee", "maxi"}


def test_nothing_is_added_beside_a_word_that_the_domain_does_not_know():
    assert completed("용을 탄 빨간 원피스", 3).added == ()
    assert completed("카페에서 찍은 흰 셔츠", 3).added == ()


def test_a_background_that_the_domain_does_not_have_stays_the_only_one():
    texts = [completed("빨간 원피스인데 배경은 하늘색으로", seed) for seed in range(30)]
    assert not [a for done in texts for a in done.added if a.field == "background"]


def test_who_wears_it_is_not_said_twice():
    assert not [
        a for seed in range(30) for a in completed("빨간 원피스를 입은 사람", seed).added if a.field == "wearer"
    ]


def test_what_the_negative_prompt_names_is_not_added():
    ids = {a.id for seed in range(200) for a in completed("빨간 원피스", seed, negative="공원, 수묵화, 니트").added}
    assert not ids & {"park", "ink_wash", "knit"}
    assert {"street", "watercolor"} <= ids


def test_parts_can_be_left_out():
    parts = [part for part in PARTS if part not in ("background", "style")]
    assert {a.field for seed in range(60) for a in completed("빨간 원피스", seed, parts=parts).added} == set(parts) - {
        "color"
    }


def test_another_word_leaves_the_other_parts_as_they_were():
    for seed in range(30):
        one, other = (completed(prompt, seed).added for prompt in ("빨간 원피스", "파란 원피스"))
        assert one == other


def test_bare_nouns_have_their_usual_colour():
    for prompt, color in (("청바지", "blue"), ("갓", "black"), ("긴 청치마", "blue"), ("denim jacket", "blue")):
        assert {a.id for seed in range(30) for a in completed(prompt, seed).added if a.field == "color"} == {color}
    assert "파란 청치마" in completed("긴 청치마", 1, parts=("color",)).text.replace("긴 ", "")
    assert len({a.id for seed in range(30) for a in completed("줄무늬 셔츠", seed).added if a.field == "color"}) > 5


def test_a_colour_behind_its_garment_is_not_said_twice():
    for prompt in ("polka dot blouse in white and a red skirt", "물방울무늬 블라우스에 검은 치마, 블라우스는 흰색"):
        assert not [a for seed in range(20) for a in completed(prompt, seed).added if a.field == "color"]
