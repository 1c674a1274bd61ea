"""What the words of a text say by themselves: a linear map from its words to a sentence teacher's vectors.

In: the encoder, the corpora of the recipe. Out: the encoder with `words` and `word_meanings` in its search head. Fitted
in closed form in minutes, most of them the teacher's, beside a network that takes hours: a bag of tokens, of Korean
syllables and of pairs of neighbouring syllables (`ko_clip.syllables`), weighted by how rare each is, and ridge
regression to the teacher's vectors, cut down to the directions in which its answers vary most (reduced rank). From ten
thousand sentences a small network learns their wordings by heart; the map has only the words to go by, and so reads
the next sentence nearly as well. Words that swap their places are much the same to it: those the network tells apart.

    python -m ko_clip.lexical --config ko_clip/config/small.yaml --encoder runs/ko_clip/small/model
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ko_clip.corpora import Corpus, StoredCorpus, open_corpora
from ko_clip.recipe import Recipe, load_recipe
from ko_clip.tokenizer import PromptTokenizer
from ko_clip.train import quiet_libraries
from training.command import run_command

if TYPE_CHECKING:  # opened late, so that --help and a refusal come at once
    from scipy import sparse
    from torch import Tensor

    from ko_clip.model import KoClipModel
    from ko_clip.teachers import Teacher

logger = logging.getLogger(__name__)
RANK, GRAMS, BITS = 160, 30_800, 4  # what the encoder that ships has room for
PENALTY = 0.3  # of the ridge
SYLLABLES = 0.5  # how large a syllable or a pair stands beside a token: 0.5 is four times the penalty
EVEN = 0.4  # power of its variance by which each direction of the answers is divided
_MOST = 20_000  # pairs of a corpus
_ROOM = 32  # directions of the teacher's vectors that are fitted beyond those kept
_STEPS = 30  # of the conjugate gradients
_CHUNK = 256  # texts looked up together
_WIDEST = {8: 6.0, 4: 2.8}  # deviations of its dimension that 127, or 7, stands for; what lies beyond is cut


def bags(tokenizer: PromptTokenizer, texts: Sequence[str], vocabulary: int) -> sparse.csr_matrix:
    """How often each token stands in each text: (texts, vocabulary) float32. Begin and end do not count."""
    from scipy import sparse

    special = {tokenizer.pad_id, tokenizer.bos_id, tokenizer.eos_id}
    found = [[i for i in each.ids if i not in special] for each in tokenizer.encode_all(texts)]
    rows = np.repeat(np.arange(len(texts)), [len(ids) for ids in found])
    columns = np.array([i for ids in found for i in ids], np.int64)
    return sparse.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), (len(texts), vocabulary))


def gram_bags(tokenizer: PromptTokenizer, texts: Sequence[str], most: int) -> tuple[np.ndarray, sparse.csr_matrix]:
    """(keys (words,) int32 rising, whether each stands in each text (texts, words) float32): tokens, syllables and
    pairs, the `most` frequent ones at most.
    """
    from scipy import sparse

    from ko_clip.batches import pad
    from ko_clip.syllables import keys_of

    spelled, encoded = spell_tokens(tokenizer), tokenizer.encode_all(texts)
    parts = []
    for start in range(0, len(texts), _CHUNK):
        some = encoded[start : start + _CHUNK]
        ids, begins = pad([each.ids for each in some], tokenizer.pad_id), pad([each.begins for each in some], False)
        found, owners = keys_of(ids, spelled, begins)
        parts.append(np.stack([found.numpy(), owners.numpy() + start]))
    keys, columns = np.unique(np.concatenate(parts, 1)[0], return_inverse=True)
    rows = np.concatenate(parts, 1)[1]
    counted = sparse.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), (len(texts), len(keys)))
    met = np.bincount(counted.indices, minlength=len(keys))  # texts of each
    kept = np.sort(np.argsort(-met, kind="stable")[:most])
    return keys[kept].astype(np.int32), counted[:, kept]


def spell_tokens(tokenizer: PromptTokenizer) -> Tensor:
    """Which syllables each token stands for, (vocabulary, LONGEST) int16."""
    from ko_clip.syllables import spell

    pieces = [tokenizer.tokenizer.id_to_token(i) or "" for i in range(tokenizer.vocab_size)]
    return spell(pieces, {tokenizer.pad_id, tokenizer.bos_id, tokenizer.eos_id})


def sizes_of(keys: np.ndarray) -> np.ndarray:
    """How large each key stands in a bag (words,): a token 1, what is part of one `SYLLABLES`.

    A word of a few texts is then explained by its token rather than by pairs that its endings share with others.
    """
    from ko_clip.syllables import TOKENS

    return np.where(keys >= TOKENS, 1, SYLLABLES).astype(np.float32)


def fit_words(
    counted: sparse.csr_matrix,
    targets: np.ndarray,
    rank: int = RANK,
    sizes: np.ndarray | None = None,
    weights: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """`words` (words, rank) and `word_meanings` (rank, d): the sum of a text's words, through the meanings, lies
    in the direction of what the teacher said of it. In: n bags and their n vectors (n, d); `sizes` (words,) of the
    words before the penalty, `weights` (n,) of the texts' errors, all 1 by default.

    A ridge is sure of few directions and shrinks the others, in which the teacher's vectors differ nearly as much; so
    each is divided by `EVEN` of its variance's power (of a half all would be equal, and noise as loud as meaning).
    """
    from scipy import sparse
    from sklearn.feature_extraction.text import TfidfTransformer
    from sklearn.preprocessing import normalize

    if not 1 <= rank <= targets.shape[1]:
        raise ValueError(f"rank is {rank}: the teacher's vectors have {targets.shape[1]} dimensions, give 1 to as many")
    idf = TfidfTransformer().fit(counted).idf_
    scales = idf if sizes is None else idf * sizes
    scaled = sparse.csr_matrix(counted).multiply(scales).tocsr()
    weighted = normalize(scaled).astype(np.float32)  # (n, words), rows of unit length
    heavy = np.ones(len(targets), np.float32) if weights is None else np.sqrt(weights).astype(np.float32)
    given = weighted.multiply(heavy[:, None]).tocsr()
    wide = _directions(targets, min(targets.shape[1], rank + _ROOM))
    found = _ridge(given, heavy[:, None] * (targets @ wide.T))  # (words, rank + room)
    narrow = _directions(given @ found, rank)
    meanings, found = narrow @ wide, found @ narrow.T
    found *= np.maximum(np.square(weighted @ found).mean(0), 1e-12) ** -EVEN
    words = scales[:, None] * found
    return (words / words.std()).astype(np.float32), meanings.astype(np.float32)


def _directions(rows: np.ndarray, count: int) -> np.ndarray:
    """The orthogonal directions (count, d) in which rows (n, d) are largest."""
    _, found = np.linalg.eigh(rows.T @ rows)
    return found[:, : -count - 1 : -1].T  # the largest last


def in_bits(words: np.ndarray, meanings: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """The words as whole numbers of 8 or 4 bits, int8 (words, rank), or (words, rank / 2) with two to a byte, the first
    in its lower half; and meanings (rank, d) that take the scales in.
    """
    most = 2 ** (bits - 1) - 1
    scales = np.maximum(_WIDEST[bits] * words.std(0) / most, 1e-9)  # (rank,)
    numbers = np.clip(np.rint(words / scales), -most, most).astype(np.int8)
    if bits == 4:
        numbers = (numbers[:, ::2] & 15) | (numbers[:, 1::2] << 4)
    return numbers, scales[:, None] * meanings


def _ridge(given: sparse.csr_matrix, wanted: np.ndarray) -> np.ndarray:
    """The map (words, d) from rows (n, words) to rows (n, d), by conjugate gradients, every column at once.

    A word's share of a step is weighed by how much of it there is, or the frequent ones would take all steps.
    """
    back = given.T.tocsr()
    ease = 1 / (PENALTY + np.bincount(given.indices, given.data**2, given.shape[1]).astype(np.float32))[:, None]
    found = np.zeros((given.shape[1], wanted.shape[1]), np.float32)
    left = back @ wanted.astype(np.float32)
    way = ease * left
    size = (left * way).sum(0)
    for _ in range(_STEPS):
        turned = back @ (given @ way) + PENALTY * way
        step = size / np.maximum((way * turned).sum(0), 1e-30)
        found, left = found + step * way, left - step * turned
        eased = ease * left
        was, size = size, (left * eased).sum(0)
        way = eased + size / np.maximum(was, 1e-30) * way
    return found


def pairs_of(corpora: Sequence[Corpus], head: str, kept_out: set[str]) -> Iterator[tuple[str, str, float]]:
    """(read, English, weight) of the head's corpora; the English reads itself too. No text that is held out."""
    for corpus in corpora:
        if corpus.heads and head not in corpus.heads:
            continue
        for i in range(min(len(corpus), _MOST)):
            read, english = corpus.texts(i) if isinstance(corpus, StoredCorpus) else corpus.pair(i, 0)
            if kept_out.isdisjoint((read, english)):
                yield from ((each, english, corpus.recipe.word_weight) for each in dict.fromkeys((read, english)))


def fit(recipe: Recipe, encoder: Path, head: str = "search", rank: int = RANK, grams: int = GRAMS) -> None:
    """Put the words into the head of an encoder's folder; raises ValueError where it has no such unit head.

    `grams`: how many tokens, syllables and pairs at most; 0: the vocabulary's tokens alone.
    """
    import torch

    from ko_clip.opening import open_student
    from ko_clip.student import save_encoder

    teacher = _teacher(recipe, head)
    tokenizer = PromptTokenizer.load(encoder)
    student = open_student(encoder)
    if head not in (specs := student.config.head_specs()):
        raise ValueError(f"the encoder has no head {head!r}: it has {', '.join(specs)}")
    work = Path(recipe.run) / "corpora"
    corpora = open_corpora(recipe.corpora, work, "all" if recipe.held_out else "training")
    held = open_corpora(recipe.held_out, work / "held_out") if recipe.held_out else []
    kept_out = {text for corpus in held for i in range(len(corpus)) for text in corpus.pair(i, 0)}
    pairs = list(pairs_of(corpora, head, kept_out))
    logger.info("%d texts of %d corpora; %d held out", len(pairs), len(corpora), len(kept_out))
    spoken = list(dict.fromkeys(english for _, english, _ in pairs))
    vectors = teacher.encode(spoken)[head].pooled
    assert vectors is not None  # the head is of unit length
    targets = dict(zip(spoken, vectors, strict=True))
    texts, wanted = [read for read, _, _ in pairs], np.stack([targets[english] for _, english, _ in pairs])
    weights = np.array([weight for _, _, weight in pairs], np.float32)
    if grams:
        keys, counted = gram_bags(tokenizer, texts, grams)
        student = _with_words(student, head, rank, len(keys), BITS)
        words, meanings = in_bits(*fit_words(counted, wanted, rank, sizes_of(keys), weights), BITS)
        student.head(head).word_keys.copy_(torch.from_numpy(keys))
        student.head(head).word_syllables[: tokenizer.vocab_size] = spell_tokens(tokenizer)
    else:
        student = _with_words(student, head, rank)
        words, meanings = fit_words(bags(tokenizer, texts, student.config.vocab_size), wanted, rank, weights=weights)
    student.head(head).words.copy_(torch.from_numpy(words))
    student.head(head).word_meanings.copy_(torch.from_numpy(meanings))
    card = encoder / "README.md"
    save_encoder(student, tokenizer, encoder, card.read_text("utf-8") if card.is_file() else "")


def _teacher(recipe: Recipe, head: str) -> Teacher:
    if head not in recipe.heads:
        raise ValueError(f"the recipe has no head {head!r}: it has {', '.join(recipe.heads)}")
    from ko_clip.teachers import open_teachers

    return next(iter(open_teachers({head: recipe.heads[head]}).values()))


def _with_words(student: KoClipModel, head: str, rank: int, grams: int = 0, bits: int = 8) -> KoClipModel:
    """The same student with room for words in one head."""
    from ko_clip.model import KoClipConfig, KoClipModel

    specs = student.config.head_specs()
    specs[head] = replace(specs[head], words=rank, grams=grams, word_bits=bits)
    student.config.heads = {name: vars(spec) for name, spec in specs.items()}
    config = student.config
    assert isinstance(config, KoClipConfig)
    roomy = KoClipModel(config)
    had = {k: v for k, v in student.state_dict().items() if not k.startswith(f"heads.{head}.word")}
    roomy.load_state_dict(had, strict=False)
    return roomy


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m ko_clip.lexical", description=__doc__)
    parser.add_argument("--config", required=True, help="the recipe: its corpora, and the teacher of the head")
    parser.add_argument("--encoder", required=True, type=Path, help="folder of the encoder, written anew")
    parser.add_argument("--head", default="search", help="a head of unit length (default %(default)s)")
    parser.add_argument("--rank", type=int, default=RANK, help="dimensions of the words (default %(default)s)")
    parser.add_argument("--grams", type=int, default=GRAMS,
                        help="tokens, syllables and pairs at most; 0: tokens alone (default %(default)s)")  # fmt: skip
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s", datefmt="%H:%M:%S")
    quiet_libraries()
    return run_command(lambda: fit(load_recipe(args.config), args.encoder, args.head, args.rank, args.grams))


if __name__ == "__main__":
    sys.exit(main())
