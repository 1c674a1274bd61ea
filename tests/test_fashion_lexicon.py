"""Every word has both languages and a place in the domain; every garment can be made with all that its row allows."""

import itertools
from collections import Counter

import pytest

from fashion.lexicon import BACKGROUNDS, COLORS, DETAILS, GARMENTS, PATTERNS, WORDS, Word, word
from fashion.scene import Garment, Scene
from hangul.normalize import clean

ALL = [(field, entry) for field, words in WORDS.items() for entry in words]


def test_the_domain_is_as_large_as_promised():
    assert len(GARMENTS) >= 26
    assert len(COLORS) == 16
    assert {"jeogori", "hanbok_skirt", "durumagi", "baeja", "gat", "kkotsin"} <= {g.id for g in GARMENTS}
    assert {"cartoon", "checkered", "cheetah", "dots", "floral", "leaves", "paisley", "solid", "stripes", "zigzag",
            "camouflage", "dancheong", "cloud"} == {p.id for p in PATTERNS}  # fmt: skip


@pytest.mark.parametrize(("field", "entry"), ALL, ids=[f"{field}-{entry.id}" for field, entry in ALL])
def test_every_word_has_both_languages(field, entry):
    for names, letters in ((entry.ko, "가힣"), (entry.en, "az")):
        assert names and all(name == clean(name) for name in names)
        assert any(letters[0] <= c.lower() <= letters[1] for c in names[0])
    for forms in (entry.ko, entry.en, entry.ko_before, entry.en_before, entry.loan):
        assert len(set(forms)) == len(forms)


def test_what_is_said_with_with_has_a_form_before_the_noun():
    assert all(detail.ko_before and detail.en_before for detail in DETAILS)
    assert all(background.backdrop for background in BACKGROUNDS)


@pytest.mark.parametrize("field", sorted(WORDS))
def test_a_name_belongs_to_one_word_of_its_field(field):
    names = Counter(name for entry in WORDS[field] for name in {*entry.ko, *entry.en, *entry.ko_before, *entry.loan})
    assert [name for name, count in names.items() if count > 1] == []


def test_every_garment_can_be_made_with_all_that_its_row_allows():
    for kind in GARMENTS:
        axes = (kind.materials or (None,), kind.sleeves or (None,), kind.hems or (None,), kind.necklines or (None,))
        for material, sleeve, hem, neckline in itertools.product(*axes):
            Scene((Garment(kind.id, "red", "solid", material, sleeve, hem, neckline),))
        first = [choices[0] for choices in axes]
        for detail in kind.details:
            Garment(kind.id, "red", "solid", *first, (detail,))
        for pattern in PATTERNS:
            if not kind.solid_only:
                Garment(kind.id, "red", pattern.id, *first)


def test_a_word_is_found_by_field_and_id_or_the_allowed_ones_are_named():
    assert isinstance(word("color", "red"), Word)
    with pytest.raises(ValueError, match="burgundy"):
        word("color", "rot")
    with pytest.raises(ValueError, match="garment"):
        word("colour", "red")
