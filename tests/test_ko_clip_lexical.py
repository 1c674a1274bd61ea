"""What the words say by themselves: fitted in closed form, beside the network, without a text that is held out."""

import json
import shutil

import numpy as np
import pytest
import torch
import yaml
from ko_clip_parts import make_clip, make_sentence_teacher, write_pairs, write_recipe
from scipy import sparse

from ko_clip.distill import distil
from ko_clip.encoder import PromptEncoder
from ko_clip.lexical import SYLLABLES, bags, fit_words, gram_bags, in_bits, main, pairs_of, sizes_of
from ko_clip.model import HeadSpec, KoClipModel
from ko_clip.recipe import CorpusRecipe, load_recipe, with_text
from ko_clip.syllables import TOKENS
from ko_clip.tokenizer import PromptTokenizer

# diffusers hands torch tensors to numpy 2 the old way
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """(recipe file, folder of an encoder with a search head, hardly trained)."""
    folder = tmp_path_factory.mktemp("trained")
    teacher = make_sentence_teacher(folder)
    path = write_recipe(
        folder / "recipe.yaml", make_clip(folder / "clip"), write_pairs(folder / "pairs.csv", repeat=4), folder / "run",
        heads={"base": {"teacher": str(folder / "clip")}, "search": {"teacher": str(teacher), "kind": "sentence"}},
    )  # fmt: skip
    return path, distil(with_text(load_recipe(path), steps=2))


@pytest.fixture(scope="module")
def fitted(trained, tmp_path_factory):
    path, folder = trained
    copy = tmp_path_factory.mktemp("fitted") / "model"
    model, tokenizer = KoClipModel.from_pretrained(folder), PromptTokenizer.load(folder)
    model.save_pretrained(copy)
    tokenizer.save(copy)
    (copy / "README.md").write_text("its card\n", "utf-8")
    assert main(["--config", str(path), "--encoder", str(copy), "--rank", "16"]) == 0
    return copy


def test_a_map_from_words_is_found_again():
    """Texts whose vectors are the sum of their words': new texts of the same words lie where they should."""
    rng = np.random.default_rng(0)
    meanings = rng.standard_normal((50, 12)) * (np.arange(12) < 6)  # six directions, of twelve
    counts = rng.poisson(0.2, (600, 50)).astype(np.float32)
    counts[counts.sum(1) == 0, 0] = 1
    targets = counts @ meanings
    targets /= np.linalg.norm(targets, axis=1, keepdims=True).clip(1e-6)
    words, back = fit_words(counts[:500], targets[:500].astype(np.float32), 6)
    assert words.shape == (50, 6) and back.shape == (6, 12)
    found = counts[500:] @ words @ back
    cosine = (found * targets[500:]).sum(1) / np.linalg.norm(found, axis=1).clip(1e-6)
    assert np.median(cosine) > 0.95
    with pytest.raises(ValueError, match="rank is 13.*give 1 to as many"):
        fit_words(counts, targets, 13)


def test_bags_count_words_and_neither_begin_nor_end(trained):
    tokenizer = PromptTokenizer.load(trained[1])
    one, two = bags(tokenizer, ["빨간 모자", "빨간 모자 빨간 모자"], tokenizer.vocab_size).toarray()
    assert one.sum() == tokenizer.count("빨간 모자") and (two == 2 * one).all()


def test_a_text_counts_a_word_once_and_the_most_frequent_ones_are_kept(trained):
    tokenizer = PromptTokenizer.load(trained[1])
    texts = ["빨간 모자", "빨간 모자 모자", "빨간 치마"]
    keys, counted = gram_bags(tokenizer, texts, 1000)
    assert counted.shape == (3, len(keys)) and keys.dtype == np.int32 and (np.diff(keys) > 0).all()
    assert counted.max() == 1 and (counted.sum(0) >= 1).all()  # 모자 stands twice in one text
    few, less = gram_bags(tokenizer, texts, 4)
    assert set(few) < set(keys) and (less.sum(0) == 3).all()  # what 빨간 is made of


@pytest.mark.parametrize(("bits", "least", "usual"), [(8, 0.995, 0.9999), (4, 0.8, 0.99)])
def test_words_in_few_bits_keep_their_directions(bits: int, least: float, usual: float):
    rng = np.random.default_rng(0)
    words, meanings = rng.standard_normal((500, 8)) * np.arange(1, 9), rng.standard_normal((8, 16))
    small, scaled = in_bits(words, meanings, bits)
    assert small.dtype == np.int8 and small.shape == (500, bits) and scaled.shape == meanings.shape
    before, after = words @ meanings, _numbers(small, bits) @ scaled
    cosine = (before * after).sum(1) / np.linalg.norm(before, axis=1) / np.linalg.norm(after, axis=1)
    assert cosine.min() > least and np.median(cosine) > usual


def _numbers(small: np.ndarray, bits: int) -> np.ndarray:
    """What the words are, read one by one."""
    if bits == 8:
        return small.astype(np.float64)
    halves = [(int(byte) % 16, int(byte) // 16 % 16) for byte in small.flatten()]
    signed = [half - 16 if half > 7 else half for pair in halves for half in pair]
    return np.array(signed, np.float64).reshape(len(small), -1)


def test_directions_of_the_answers_are_made_more_alike():
    """A ridge shrinks what it is unsure of: without the division the first direction of many says nearly all."""
    rng = np.random.default_rng(0)
    counts = sparse.csr_matrix((rng.random((400, 60)) < 0.1).astype(np.float32))
    targets = counts @ (rng.standard_normal((60, 12)) * 0.5 ** np.arange(12))
    words, meanings = fit_words(counts, targets, 6)
    spread = (counts @ words).std(0)
    plain = (targets @ meanings.T).std(0)
    assert np.allclose(meanings @ meanings.T, np.eye(6), atol=1e-4)
    assert 1 < spread[0] / spread[-1] < 0.7 * plain[0] / plain[-1]


def test_a_text_of_more_weight_is_fitted_more_closely():
    """The same 30 words mean one thing in half of the texts and another in the others."""
    rng = np.random.default_rng(0)
    counts = sparse.csr_matrix((rng.random((200, 30)) < 0.2).astype(np.float32))
    first = np.arange(200) < 100
    targets = np.where(first[:, None], counts @ rng.standard_normal((30, 8)), counts @ rng.standard_normal((30, 8)))

    def near(weights):
        words, meanings = fit_words(counts, targets, 8, weights=weights)
        found = counts @ words @ meanings
        cosine = (found * targets).sum(1) / np.maximum(np.linalg.norm(found, axis=1), 1e-9)
        return np.median((cosine / np.maximum(np.linalg.norm(targets, axis=1), 1e-9))[first])

    alike, more = near(None), near(np.where(first, 9.0, 1.0))
    assert more > alike + 0.05
    assert near(np.full(200, 1.0)) == pytest.approx(alike)


def test_a_token_explains_more_than_the_pair_that_stands_beside_it():
    """Two columns that always come together share what they mean by their sizes squared."""
    sizes = sizes_of(np.array([5, 20_000_000, TOKENS + 3], np.int32))
    assert sizes.tolist() == [SYLLABLES, SYLLABLES, 1] and SYLLABLES < 1
    rng = np.random.default_rng(0)
    seen = (rng.random((100, 4)) < 0.5).astype(np.float32)
    counts = sparse.csr_matrix(np.concatenate([seen, seen[:, :1]], 1))  # the last is the first again
    words, _ = fit_words(
        counts, seen @ rng.standard_normal((4, 6)), 4, sizes_of(np.array([5, TOKENS, TOKENS, 9, TOKENS]))
    )
    long = np.linalg.norm(words, axis=1)
    assert long[0] / long[4] == pytest.approx(SYLLABLES**2, rel=0.02)


def test_pairs_of_a_recipe_count_by_their_word_weight(trained, fitted, tmp_path):
    """One corpus alone: its weight is as if the penalty were another, and so the words are."""
    path, folder = trained
    recipe = tmp_path / "recipe.yaml"
    corpus = load_recipe(path).corpora[0].path
    text = path.read_text("utf-8")
    assert text.count(corpus) == 1
    data = yaml.safe_load(text)
    data.pop("corpus", None)
    recipe.write_text(yaml.safe_dump({**data, "corpora": [{"path": corpus, "word_weight": 0.01}]}), "utf-8")
    shutil.copytree(folder, tmp_path / "model")
    assert main(["--config", str(recipe), "--encoder", str(tmp_path / "model"), "--rank", "16"]) == 0
    one, other = (KoClipModel.from_pretrained(each).head("search") for each in (fitted, tmp_path / "model"))
    assert torch.equal(one.word_keys, other.word_keys) and not torch.equal(one.words, other.words)


def test_a_word_weight_that_is_not_positive_is_refused():
    with pytest.raises(ValueError, match="the word_weight of drawn-1-train is 0: give a positive number"):
        CorpusRecipe("drawn", word_weight=0)


def test_what_is_fitted_lies_in_half_bytes_by_rising_keys_and_opens_again_as_it_was(fitted):
    model = KoClipModel.from_pretrained(fitted)
    head, grams = model.head("search"), model.config.head_specs()["search"].grams
    assert head.spec.word_bits == 4
    assert head.words.dtype == torch.int8 and head.words.shape == (grams, 8) and grams > 16
    assert head.word_keys.dtype == torch.int32 and (head.word_keys.diff() > 0).all()
    assert head.word_syllables.dtype == torch.int16 and head.words.any()


def test_words_can_be_tokens_alone_and_an_encoder_of_before_opens(trained, tmp_path):
    """A configuration of before knows no pairs: its words are the vocabulary's tokens, in float16."""
    path, folder = trained
    shutil.copytree(folder, tmp_path / "model")
    assert main(["--config", str(path), "--encoder", str(tmp_path / "model"), "--rank", "16", "--grams", "0"]) == 0
    expected = PromptEncoder.load(tmp_path / "model").search(["빨간 모자", "red hat"])
    config = json.loads((tmp_path / "model/config.json").read_text())
    for spec in config["heads"].values():
        assert spec.pop("grams") == 0
    (tmp_path / "model/config.json").write_text(json.dumps(config))
    before = PromptEncoder.load(tmp_path / "model")
    assert before.model.head("search").words.shape == (before.model.config.vocab_size, 16)
    assert np.array_equal(before.search(["빨간 모자", "red hat"]), expected)


def test_the_words_find_what_a_hardly_trained_network_does_not(trained, fitted):
    """Five prompts find their English first among five, which the network alone does not manage."""

    def found(folder):
        encoder = PromptEncoder.load(folder)
        pairs = [("빨간 원피스", "red dress"), ("파란 모자", "blue hat"), ("초록색 치마", "green skirt"),
                 ("하얀 코트", "white coat"), ("검은 가방", "black bag")]  # fmt: skip
        scores = encoder.search([ko for ko, _ in pairs]) @ encoder.search([en for _, en in pairs]).T
        return (scores.argmax(1) == np.arange(len(pairs))).sum()

    assert found(fitted) == 5 > found(trained[1])


def test_only_the_search_head_s_words_are_another_in_the_file(trained, fitted):
    before, after = (KoClipModel.from_pretrained(each).state_dict() for each in (trained[1], fitted))
    assert set(after) - set(before) == {
        f"heads.search.{name}" for name in ("words", "word_meanings", "word_keys", "word_syllables")
    }
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_one_prompt_is_said_as_in_a_batch_and_where_words_begin_is_handed_over(fitted):
    encoder = PromptEncoder.load(fitted)
    alone = np.concatenate([PromptEncoder.load(fitted).search([each]) for each in ("빨간 모자", "red hat")])
    assert np.allclose(encoder.search(["빨간 모자", "red hat", "파란 가방 하얀 코트"])[:2], alone, atol=1e-6)
    encoded, head = encoder.tokenizer.encode("빨간 모자"), encoder.model.head("search")
    ids, begins = torch.tensor([encoded.ids]), torch.tensor([encoded.begins])
    assert not torch.equal(head.sum_words(ids, begins), head.sum_words(ids))
    head.word_meanings.copy_(torch.randn(head.word_meanings.shape, generator=torch.Generator().manual_seed(0)))
    spoken = head.sum_words(ids, begins).float() @ head.word_meanings
    said = PromptEncoder(encoder.model, encoder.tokenizer).search(["빨간 모자"])
    assert torch.nn.functional.cosine_similarity(spoken, torch.from_numpy(said)).item() > 0.999


def test_only_the_search_head_is_another_and_the_card_stays(trained, fitted):
    before, after = PromptEncoder.load(trained[1]), PromptEncoder.load(fitted)
    assert torch.equal(before.base(["빨간 모자"]), after.base(["빨간 모자"]))
    assert not np.allclose(before.search(["빨간 모자"]), after.search(["빨간 모자"]))
    assert np.allclose(np.linalg.norm(after.search(["빨간 모자", "", "🙂"]), axis=1), 1, atol=1e-5)
    assert before.encoder_id != after.encoder_id
    assert (fitted / "README.md").read_text("utf-8") == "its card\n"


def test_a_student_that_goes_on_keeps_its_words_and_learns_as_if_there_were_none(trained, fitted, tmp_path):
    recipe = load_recipe(trained[0], run=str(tmp_path / "run"), start="student", start_path=str(fitted))
    encoder = PromptEncoder.load(distil(with_text(recipe, steps=1)))
    kept, had = encoder.model.heads["search"], KoClipModel.from_pretrained(fitted).heads["search"]
    assert torch.equal(kept.words, had.words.float())
    ids = torch.tensor([encoder.tokenizer.encode("빨간 모자").ids])
    alone = encoder.model.train().encode(ids, ["search"])["search"].pooled
    assert not torch.allclose(alone, encoder.model.eval().encode(ids, ["search"])["search"].pooled)


def test_how_much_the_words_say_stands_in_the_encoder_s_configuration_and_so_in_its_id(fitted, tmp_path):
    folder = tmp_path / "quiet"
    shutil.copytree(fitted, folder)
    config = json.loads((folder / "config.json").read_text())
    config["heads"]["search"]["words_share"] = 0.0
    (folder / "config.json").write_text(json.dumps(config))
    loud, quiet = PromptEncoder.load(fitted), PromptEncoder.load(folder)
    assert loud.encoder_id != quiet.encoder_id
    ids = torch.tensor([loud.tokenizer.encode("빨간 모자").ids])
    targets, alone = (each.model.encode(ids, ["search"])["search"].pooled for each in (loud, quiet))
    assert not torch.allclose(targets, alone)
    with pytest.raises(ValueError, match="words_share is 1.5"):
        HeadSpec(pooled=8, words_share=1.5)


def test_what_is_held_out_is_not_read():
    class Pairs:
        name, heads, identity = "pairs", (), "1"
        recipe = CorpusRecipe("drawn", word_weight=0.3)

        def __len__(self):
            return 3

        def pair(self, index, epoch):
            return f"말 {index}", f"word {index}"

    found = list(pairs_of([Pairs()], "search", {"말 1", "word 2"}))
    assert found == [("말 0", "word 0", 0.3), ("word 0", "word 0", 0.3)]


def test_a_head_that_is_not_there_or_not_of_unit_length_is_said(trained, capsys):
    path, folder = trained
    assert main(["--config", str(path), "--encoder", str(folder), "--head", "other"]) == 2
    assert "the recipe has no head 'other': it has base, search" in capsys.readouterr().err
    with pytest.raises(ValueError, match="unit length"):
        HeadSpec(pooled=8, words=4)
