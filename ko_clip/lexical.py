"""What the words of a text say by themselves: a linear map from its tokens to a sentence teacher's vectors.

In: the encoder, the corpora of the recipe. Out: the encoder with `words` and `word_meanings` in its search head. Fitted
in closed form in minutes, most of them the teacher's, beside a network that takes hours: a bag of tokens, weighted by
how rare each is, and ridge regression to the teacher's vectors, cut down to the directions in which its answers vary
most (reduced rank). From ten thousand sentences a small network learns their wordings by heart; the map has only the
words to go by, and so reads the next sentence nearly as well. Words that swap their places are the same to it: those
the network tells apart.

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

    from ko_clip.model import KoClipModel
    from ko_clip.teachers import Teacher

logger = logging.getLogger(__name__)
RANK = 104  # what the encoder that ships has room for
PENALTY = 0.3  # of the ridge; from 0.03 to 1 little changes
_MOST = 20_000  # pairs of a corpus


def bags(tokenizer: PromptTokenizer, texts: Sequence[str], vocabulary: int) -> sparse.csr_matrix:
    """How often each token stands in each text: (texts, vocabulary) float32. Begin and end do not count."""
    from scipy import sparse

    special = {tokenizer.pad_id, tokenizer.bos_id, tokenizer.eos_id}
    found = [[i for i in each.ids if i not in special] for each in tokenizer.encode_all(texts)]
    rows = np.repeat(np.arange(len(texts)), [len(ids) for ids in found])
    columns = np.array([i for ids in found for i in ids], np.int64)
    return sparse.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), (len(texts), vocabulary))


def fit_words(counted: sparse.csr_matrix, targets: np.ndarray, rank: int = RANK) -> tuple[np.ndarray, np.ndarray]:
    """`words` (vocabulary, rank) and `word_meanings` (rank, d): the sum of a text's words, through the meanings, lies
    in the direction of what the teacher said of it. In: n bags and their n vectors (n, d).
    """
    from sklearn.feature_extraction.text import TfidfTransformer
    from sklearn.linear_model import Ridge

    if not 1 <= rank <= targets.shape[1]:
        raise ValueError(f"rank is {rank}: the teacher's vectors have {targets.shape[1]} dimensions, give 1 to as many")
    weigh = TfidfTransformer()
    weighted = weigh.fit_transform(counted)
    found = Ridge(alpha=PENALTY, fit_intercept=False, solver="cholesky").fit(weighted, targets).coef_.T
    answers = weighted @ found
    _, directions = np.linalg.eigh(answers.T @ answers)
    meanings = directions[:, : -rank - 1 : -1].T  # the largest last
    words = weigh.idf_[:, None] * (found @ meanings.T)
    return (words / words.std()).astype(np.float32), meanings.astype(np.float32)


def pairs_of(corpora: Sequence[Corpus], head: str, kept_out: set[str]) -> Iterator[tuple[str, str]]:
    """(read, English) of the head's corpora; the English reads itself too. No text that is held out."""
    for corpus in corpora:
        if corpus.heads and head not in corpus.heads:
            continue
        for i in range(min(len(corpus), _MOST)):
            read, english = corpus.texts(i) if isinstance(corpus, StoredCorpus) else corpus.pair(i, 0)
            if kept_out.isdisjoint((read, english)):
                yield from {read: english, english: english}.items()


def fit(recipe: Recipe, encoder: Path, head: str = "search", rank: int = RANK) -> None:
    """Put the words into the head of an encoder's folder; raises ValueError where it has no such unit head."""
    import torch

    from ko_clip.opening import open_student
    from ko_clip.student import save_encoder

    teacher = _teacher(recipe, head)
    tokenizer = PromptTokenizer.load(encoder)
    student = _with_words(open_student(encoder), head, rank)
    work = Path(recipe.run) / "corpora"
    corpora = open_corpora(recipe.corpora, work, "all" if recipe.held_out else "training")
    held = open_corpora(recipe.held_out, work / "held_out") if recipe.held_out else []
    kept_out = {text for corpus in held for i in range(len(corpus)) for text in corpus.pair(i, 0)}
    pairs = list(pairs_of(corpora, head, kept_out))
    logger.info("%d texts of %d corpora; %d held out", len(pairs), len(corpora), len(kept_out))
    spoken = list(dict.fromkeys(english for _, english in pairs))
    vectors = teacher.encode(spoken)[head].pooled
    assert vectors is not None  # the head is of unit length
    targets = dict(zip(spoken, vectors, strict=True))
    counted = bags(tokenizer, [read for read, _ in pairs], student.config.vocab_size)
    words, meanings = fit_words(counted, np.stack([targets[english] for _, english in pairs]), rank)
    student.head(head).words.copy_(torch.from_numpy(words))
    student.head(head).word_meanings.copy_(torch.from_numpy(meanings))
    card = encoder / "README.md"
    save_encoder(student, tokenizer, encoder, card.read_text("utf-8") if card.is_file() else "")


def _teacher(recipe: Recipe, head: str) -> Teacher:
    if head not in recipe.heads:
        raise ValueError(f"the recipe has no head {head!r}: it has {', '.join(recipe.heads)}")
    from ko_clip.teachers import open_teachers

    return next(iter(open_teachers({head: recipe.heads[head]}).values()))


def _with_words(student: KoClipModel, head: str, rank: int) -> KoClipModel:
    """The same student with room for words in one head."""
    from ko_clip.model import KoClipConfig, KoClipModel

    specs = student.config.head_specs()
    if head not in specs:
        raise ValueError(f"the encoder has no head {head!r}: it has {', '.join(specs)}")
    specs[head] = replace(specs[head], words=rank)
    student.config.heads = {name: vars(spec) for name, spec in specs.items()}
    config = student.config
    assert isinstance(config, KoClipConfig)
    roomy = KoClipModel(config)
    had = {k: v for k, v in student.state_dict().items() if k.rpartition(".")[2] not in ("words", "word_meanings")}
    roomy.load_state_dict(had, strict=False)
    return roomy


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m ko_clip.lexical", description=__doc__)
    parser.add_argument("--config", required=True, help="the recipe: its corpora, and the teacher of the head")
    parser.add_argument("--encoder", required=True, type=Path, help="folder of the encoder, written anew")
    parser.add_argument("--head", default="search", help="a head of unit length (default %(default)s)")
    parser.add_argument("--rank", type=int, default=RANK, help="dimensions of the words (default %(default)s)")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s", datefmt="%H:%M:%S")
    quiet_libraries()
    return run_command(lambda: fit(load_recipe(args.config), args.encoder, args.head, args.rank))


if __name__ == "__main__":
    sys.exit(main())
