"""What a search head looks up: tokens, syllables and pairs of neighbouring syllables, each once a text."""

import pytest
import torch
from ko_clip_parts import PAIRS

from ko_clip.batches import pad
from ko_clip.lexical import spell_tokens
from ko_clip.model import HeadSpec, KoClipConfig, KoClipModel
from ko_clip.syllables import keys_of, spell
from ko_clip.tokenizer import TokenizerRecipe, train_tokenizer

BLANK, TOKENS = 11173, 1 << 27


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer((side for pair in PAIRS for side in pair), TokenizerRecipe(80, 80), max_tokens=24)


def code(syllable):
    return BLANK if syllable == "_" else ord(syllable) - 0xAC00 + 1


def pair(two):
    return code(two[0]) * (BLANK + 1) + code(two[1])


def keys(tokenizer, text, blanks=True):
    encoded = tokenizer.encode(text)
    begins = torch.tensor([encoded.begins]) if blanks else None
    found, rows = keys_of(torch.tensor([encoded.ids]), spell_tokens(tokenizer), begins)
    assert found.dtype == torch.int32 and not rows.any() and (found[1:] > found[:-1]).all()
    return set(found.tolist())


def test_a_text_is_its_tokens_its_syllables_and_their_pairs_each_once(tokenizer):
    tokens = {TOKENS + i for i in tokenizer.encode("빨간 모자 빨간").ids[1:-1]}
    singles = {code(each) for each in "빨간모자"}
    pairs = {pair(two) for two in ("_빨", "빨간", "간_", "_모", "모자", "자_")}
    assert keys(tokenizer, "빨간 모자 빨간") == tokens | singles | pairs


def test_a_word_of_another_script_and_a_full_stop_are_blanks_to_syllables_and_have_no_pair(tokenizer):
    found = keys(tokenizer, "모자 red.")
    assert {key for key in found if key < TOKENS} == {code("모"), code("자"), *map(pair, ("_모", "모자", "자_"))}
    assert keys(tokenizer, "모자red") == keys(tokenizer, "모자 red")
    assert all(key > TOKENS for key in keys(tokenizer, "red hat"))


def test_without_blanks_pairs_reach_over_words_as_in_a_prompt_typed_without_them(tokenizer):
    assert pair("간모") in keys(tokenizer, "빨간 모자", blanks=False)
    assert pair("간모") in keys(tokenizer, "빨간모자") and pair("간모") not in keys(tokenizer, "빨간 모자")
    assert pair("_빨") not in keys(tokenizer, "빨간 모자", blanks=False)


def test_nothing_is_looked_up_of_an_empty_text(tokenizer):
    assert keys(tokenizer, "") == set() == keys(tokenizer, "", blanks=False)


def test_the_tokens_that_begin_a_word_are_known(tokenizer):
    encoded = tokenizer.encode("빨간 모자 hat")
    text = [tokenizer.tokenizer.id_to_token(i) for i in encoded.ids]
    begun = [piece for piece, begins in zip(text, encoded.begins, strict=True) if begins]
    assert not encoded.begins[0] and encoded.begins[-1]
    assert [piece[0] for piece in begun] == ["빨", "모", "▁", "<"] and len(begun) == 4
    assert tokenizer.encode("").begins == [False, True]


def test_pieces_of_other_tokenizers_lose_the_mark_of_their_place():
    spelled = spell(["[PAD]", "##다", "▁모자", "a", "가나다라마바사아자"], {0})
    assert spelled[:3, :2].tolist() == [[0, 0], [code("다"), 0], [code("모"), code("자")]]
    assert spelled[3].tolist() == [BLANK, 0, 0, 0, 0, 0, 0, 0] and spelled[4, 7] == code("아")


def test_the_words_of_a_text_are_the_same_numbers_in_every_batch(tokenizer):
    heads = {"search": {"pooled": 16, "unit": True, "words": 4, "grams": 40}}
    config = KoClipConfig(tokenizer.vocab_size, 8, 16, 1, 2, heads=heads, view="search", max_tokens=24)
    head = KoClipModel(config).eval().head("search")
    texts = ["빨간 모자", "", "red hat", "파란 가방 하얀 코트 white coat", "모자"]
    rows = tokenizer.encode_all(texts)
    ids, begins = pad([each.ids for each in rows], tokenizer.pad_id), pad([each.begins for each in rows], False)
    head.word_syllables.copy_(spell_tokens(tokenizer))
    some = keys_of(ids, head.word_syllables, begins)[0].unique()
    head.word_keys.copy_(some[torch.linspace(0, len(some) - 1, 40).long()])
    head.words.copy_(torch.randint(-127, 128, (40, 4), generator=torch.Generator().manual_seed(0)))
    together = head.sum_words(ids, begins)
    assert together.dtype == torch.int32 and together.any() and not together[1].any()
    for i, each in enumerate(rows):
        alone = head.sum_words(torch.tensor([each.ids]), torch.tensor([each.begins]))
        assert torch.equal(alone[0], together[i])


def test_words_of_half_bytes_are_summed_as_numbers_with_their_signs(tokenizer):
    heads = {"search": {"pooled": 16, "unit": True, "words": 4, "grams": 2, "word_bits": 4}}
    config = KoClipConfig(tokenizer.vocab_size, 8, 16, 1, 2, heads=heads, view="search", max_tokens=24)
    head = KoClipModel(config).eval().head("search")
    head.word_syllables.copy_(spell_tokens(tokenizer))
    head.word_keys.copy_(torch.tensor([code("모"), code("자")]))
    assert not head.sum_words(torch.tensor([tokenizer.encode("모자").ids])).any()  # nothing until it is fitted
    head.words.copy_(torch.tensor([[7 | (-7 << 4), 1 | (0 << 4)], [(-3 & 15) | (2 << 4), 15]], dtype=torch.int8))
    assert head.sum_words(torch.tensor([tokenizer.encode("모자").ids])).tolist() == [[4, -5, 0, 0]]


@pytest.mark.parametrize(("bits", "words"), [(5, 4), (4, 3)])
def test_other_bits_are_refused(bits: int, words: int):
    with pytest.raises(ValueError, match=f"word_bits is {bits} of {words} dimensions: give 8, or 4 of an even number"):
        HeadSpec(pooled=8, unit=True, words=words, grams=5, word_bits=bits)


def test_pairs_without_dimensions_are_refused():
    with pytest.raises(ValueError, match="grams is 5 of 0 words: give words their dimensions, or grams: 0"):
        HeadSpec(pooled=8, unit=True, grams=5)
