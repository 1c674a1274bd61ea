"""The prompts that everyday wording is measured by: what they must show can be drawn, and none is trained on."""

from collections import Counter

from fashion.lexicon import GARMENT_BY_ID
from fashion.scene import conflicts
from fashion.wordings import GROUPS, asks_the_same, is_kept_out, wordings


def test_there_are_two_hundred_of_them_each_once_in_both_languages():
    assert len(wordings()) == 200
    assert len({wording.prompt for wording in wordings()}) == 200
    assert {group for _, group in Counter((w.language, w.group) for w in wordings())} == set(GROUPS)
    assert Counter(w.language for w in wordings()) == {"ko": 120, "en": 80}


def test_what_a_prompt_asks_for_can_be_drawn():
    for wording in wordings():
        slots = [GARMENT_BY_ID[one.kind].slot for one in wording.garments]
        assert not any(conflicts(slot, other) for i, slot in enumerate(slots) for other in slots[:i]), wording.prompt
        for one in wording.garments:
            kind = GARMENT_BY_ID[one.kind]
            allowed = {"material": kind.materials, "sleeve": kind.sleeves, "hem": kind.hems, "neckline": kind.necklines}
            for field, id in one.fields:
                assert id in allowed.get(field, (id,)), (wording.prompt, field)


def test_a_prompt_is_known_again_whatever_its_blanks_and_signs():
    assert is_kept_out("흰셔츠에   초록 바지!!")
    assert is_kept_out("White shirt, and green trousers.")
    assert not is_kept_out("흰 셔츠에 초록 치마")


def test_an_outfit_is_known_again_in_any_order():
    assert asks_the_same([("trousers", "green", "solid"), ("shirt", "white", "solid")])
    assert not asks_the_same([("trousers", "green", "dots"), ("shirt", "white", "solid")])
