import logging
import re
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from ko_clip_parts import PAIRS
from tokenizers import Tokenizer, models, pre_tokenizers

from ko_clip.recipe import load_recipe
from ko_clip.student import word_list
from ko_clip.tables import Report, read_pairs
from ko_clip.tokenizer import PromptTokenizer, TokenizerRecipe, train_tokenizer

REAL = Path(__file__).resolve().parents[2] / "shared/data/ko_en"
# What CLIP's own tokenizer (bpe_simple_vocab_16e6 of open_clip_torch 3.3.0) makes of the English sides.
CLIP_TOKENS = {"sts-dev.pairs.tsv": 41719, "textbook-dev.pairs.tsv": 10434, "news-dev.pairs.tsv": 27964}


@pytest.fixture(scope="module")
def tokenizer() -> PromptTokenizer:
    return train_tokenizer((side for pair in PAIRS for side in pair), TokenizerRecipe(80, 80), max_tokens=16)


def test_decomposed_and_composed_hangul_give_the_same_ids(tokenizer):
    text = "빨간 원피스"
    assert tokenizer.encode(unicodedata.normalize("NFD", text)) == tokenizer.encode(text)


def test_spaces_between_hangul_words_do_not_change_the_ids(tokenizer):
    assert tokenizer.encode("빨간 원피스").ids == tokenizer.encode("빨간원피스").ids


def test_letter_case_and_zero_width_characters_do_not_count(tokenizer):
    assert tokenizer.encode("RED\u200b dress").ids == tokenizer.encode("red dress").ids


def test_nothing_is_unknown_what_no_piece_covers_becomes_bytes(tokenizer):
    tokens = tokenizer.tokenizer.encode("뷁😀").tokens
    assert "<unk>" not in tokens
    assert any(token.startswith("<0x") for token in tokens)


def test_what_does_not_fit_is_named_in_a_warning(tokenizer, caplog):
    with caplog.at_level(logging.WARNING):
        found = tokenizer.encode("빨간 원피스 " * 20 + "마지막")
    assert len(found.ids) == 16
    assert found.dropped.endswith("마지막")
    assert "마지막" in caplog.text


def test_chunks_drop_nothing(tokenizer):
    text = "빨간 원피스 파란 모자 " * 12
    inner = [i for chunk in tokenizer.chunks(text) for i in chunk.ids[1:-1]]
    assert inner == tokenizer.tokenizer.encode(text, add_special_tokens=False).ids
    assert all(len(chunk.ids) <= 16 for chunk in tokenizer.chunks(text))


def test_a_saved_tokenizer_opens_in_transformers_with_the_same_ids(tokenizer, tmp_path):
    from transformers import PreTrainedTokenizerFast

    tokenizer.save(tmp_path)
    hub = PreTrainedTokenizerFast.from_pretrained(tmp_path)
    assert tuple(hub("빨간 red 원피스").input_ids) == tokenizer.encode("빨간 red 원피스").ids
    assert hub("모자", padding="max_length", max_length=8).input_ids[-1] == tokenizer.pad_id
    assert PromptTokenizer.load(tmp_path).max_tokens == 16


def test_counting_tokens_loads_no_torch(tokenizer, tmp_path):
    tokenizer.save(tmp_path)
    asked = f"count_tokens({str(tmp_path)!r}, '빨간 모자')"
    code = f"import sys; from ko_clip.tokenizer import count_tokens; print({asked}, 'torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split()[1] == "False"
    assert int(found.stdout.split()[0]) == tokenizer.count("빨간 모자")


def test_one_language_alone_is_refused():
    with pytest.raises(ValueError, match="no English text"):
        train_tokenizer(["빨간 원피스"] * 10)


def test_a_missing_folder_is_named():
    with pytest.raises(FileNotFoundError, match="tokenizer.json is missing"):
        PromptTokenizer.load("nowhere")


@pytest.mark.skipif(not REAL.is_dir(), reason="../shared/data/ko_en is absent")
def test_unseen_sentences_take_few_tokens_in_either_language():
    names = ("sts-train.pairs.tsv", "tatoeba.pairs.tsv", "cldr-names.tsv")
    lines = [side for name in names for pair in read_pairs(REAL / name, Report()) for side in pair]
    words = word_list(load_recipe(Path(__file__).parents[1] / "ko_clip/config/small.yaml"))
    tokenizer = train_tokenizer(lines, TokenizerRecipe(3800, 5500, str(words)))
    for name, clips in CLIP_TOKENS.items():
        pairs = list(read_pairs(REAL / name, Report()))
        syllables = sum(len(re.findall("[가-힣]", korean)) for korean, _ in pairs)
        assert sum(tokenizer.count(korean) for korean, _ in pairs) <= 0.9 * syllables, name
        assert sum(tokenizer.count(english) for _, english in pairs) <= 1.25 * clips, name


def test_a_tokenizer_with_bert_names_for_its_special_tokens_is_opened_and_saved(tmp_path):
    words = {"[PAD]": 0, "[CLS]": 1, "[SEP]": 2, "[UNK]": 3, "빨간": 4, "치마": 5}
    bert = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    bert.pre_tokenizer = pre_tokenizers.Whitespace()
    bert.save(str(tmp_path / "tokenizer.json"))
    opened = PromptTokenizer.load(tmp_path)
    assert opened.encode("빨간 치마").ids == (1, 4, 5, 2)
    assert opened.pad_id == 0
    opened.save(tmp_path / "again")
    assert '"pad_token": "[PAD]"' in (tmp_path / "again" / "tokenizer_config.json").read_text("utf-8")


def test_a_tokenizer_without_special_tokens_is_refused(tmp_path):
    Tokenizer(models.WordLevel({"a": 0}, unk_token="a")).save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(ValueError, match=r"<pad>.*nor \[PAD\]"):
        PromptTokenizer.load(tmp_path)
