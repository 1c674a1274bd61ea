"""One tokenizer for Korean and English, trained from text; counts tokens without loading torch.

In: lines of text in both languages. Out: a `tokenizers` Unigram model, saved as `tokenizer.json`, that
`PromptTokenizer` and transformers' `PreTrainedTokenizerFast` both open.

- Hangul pieces carry no mark of the space before them, so a prompt typed without spaces keeps nearly the same
  tokens; Latin words do ("▁shirt"), as English needs it.
- Text is NFC and lower case inside the tokenizer itself, so NFD input gives the very same ids.
- Korean pieces come from a Unigram model (Kudo 2018, arXiv:1804.10959), English ones from BPE over the corpus and,
  where given, over a word list in order of frequency (a teacher's vocabulary): the scripts never meet inside one
  word, so each gets its own share of the vocabulary.
- What no piece covers becomes UTF-8 bytes: nothing is lost, nothing is unknown.
"""

from __future__ import annotations

import json
import logging
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

logger = logging.getLogger(__name__)

PAD, BOS, EOS, UNK = "<pad>", "<s>", "</s>", "<unk>"
SPECIAL = (PAD, BOS, EOS, UNK)
_NAMES = (SPECIAL, ("[PAD]", "[CLS]", "[SEP]", "[UNK]"))  # ours and RoBERTa's; BERT's, as klue/roberta has them
_WORD_START = "▁"
_CONTROLS = "[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]"
_SPLIT = r"▁?[a-z]+|[가-힣]+|\p{N}|[^\p{N}a-z가-힣▁\s]+|."
_USUAL_LIMIT = 128
_BYTE = re.compile("<0x[0-9A-F]{2}>")
_PUNCTUATION = ".,!?'\"-():;%&/~+#@*"


@dataclass(frozen=True)
class TokenizerRecipe:
    """How many pieces each script gets. `word_list`: words by falling frequency, one a line or a vocab.txt."""

    korean_pieces: int = 4500
    english_pieces: int = 6500
    word_list: str | None = None
    word_list_share: float = 0.5

    def __post_init__(self) -> None:
        if min(self.korean_pieces, self.english_pieces) < 64:
            raise ValueError("korean_pieces and english_pieces must be at least 64")
        if not 0 <= self.word_list_share < 1:
            raise ValueError(f"word_list_share is {self.word_list_share}: give a share from 0 to below 1")


@dataclass(frozen=True)
class Encoded:
    """Ids of one text with begin and end tokens, and the spans of the NFC text that they came from.

    A span holds the token's own characters: no blank before a word, and of a syllable that became bytes that alone.
    """

    ids: tuple[int, ...]
    offsets: tuple[tuple[int, int], ...]
    dropped: str = ""

    @property
    def begins(self) -> list[bool]:
        """Which tokens begin a word: those after a gap, the first one and the end."""
        last = len(self.ids) - 1
        ends = (0, *(end for _, end in self.offsets))
        return [0 < i <= last and (i in (1, last) or start > ends[i]) for i, (start, _) in enumerate(self.offsets)]


class PromptTokenizer:
    """Text to ids. Opens `tokenizer.json` in a folder; imports no torch."""

    def __init__(self, tokenizer: Tokenizer, max_tokens: int = 128) -> None:
        self.tokenizer = tokenizer
        self.tokenizer.no_truncation()  # a hub's file may cut by itself, and would not say so
        self.tokenizer.no_padding()
        self.max_tokens = max_tokens
        known = [names for names in _NAMES if None not in map(tokenizer.token_to_id, names)]
        if not known:
            names = " nor ".join(", ".join(each) for each in _NAMES)
            raise ValueError(f"the tokenizer has neither {names}: train one with ko_clip.tokenizer")
        self.special = known[0]
        self.pad_id, self.bos_id, self.eos_id, _ = (_known_id(tokenizer, token) for token in self.special)

    @classmethod
    def load(cls, folder: str | Path) -> PromptTokenizer:
        """Open a folder written by `save`. Raises FileNotFoundError naming the file that is missing."""
        path = Path(folder) / "tokenizer.json"
        if not path.is_file():
            raise FileNotFoundError(f"{path} is missing: give the folder of a trained ko_clip encoder")
        settings, limit = Path(folder) / "tokenizer_config.json", _USUAL_LIMIT
        if settings.is_file():
            try:
                limit = int(json.loads(settings.read_text("utf-8")).get("max_tokens", _USUAL_LIMIT))
            except (ValueError, TypeError, AttributeError) as error:
                raise ValueError(f"{settings} cannot be read ({error}): copy it again") from error
        try:
            return cls(Tokenizer.from_file(str(path)), limit)
        except Exception as error:  # tokenizers raises bare ones
            raise ValueError(f"{path} cannot be opened ({error}): copy it again") from error

    def save(self, folder: str | Path) -> None:
        """Write `tokenizer.json` and the `tokenizer_config.json` by which transformers opens it."""
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        self.tokenizer.save(str(target / "tokenizer.json"), pretty=False)
        pad, bos, eos, unk = self.special
        settings = {
            "tokenizer_class": "PreTrainedTokenizerFast", "pad_token": pad, "bos_token": bos, "eos_token": eos,
            "unk_token": unk, "model_max_length": self.max_tokens, "max_tokens": self.max_tokens,
            "padding_side": "right", "clean_up_tokenization_spaces": False,
        }  # fmt: skip
        (target / "tokenizer_config.json").write_text(json.dumps(settings, indent=1) + "\n", "utf-8")

    @property
    def vocab_size(self) -> int:
        return self.tokenizer.get_vocab_size()

    def count(self, text: str) -> int:
        """Tokens of the text itself, begin and end not counted."""
        return len(self.tokenizer.encode(unicodedata.normalize("NFC", text), add_special_tokens=False).ids)

    def encode(self, text: str) -> Encoded:
        """Ids of one text; what is over `max_tokens` is cut and named in `dropped` and in a warning."""
        return self.encode_all([text])[0]

    def encode_all(self, texts: Sequence[str]) -> list[Encoded]:
        """`encode` for many texts at once."""
        texts = [unicodedata.normalize("NFC", text) for text in texts]
        found = self.tokenizer.encode_batch(texts, add_special_tokens=False)
        spans = [_spans(text, each.tokens, each.offsets) for text, each in zip(texts, found, strict=True)]
        return [self._cut(text, each.ids, where) for text, each, where in zip(texts, found, spans, strict=True)]

    def dropped(self, text: str) -> str:
        """What `encode` would cut off a text, without a warning."""
        text = unicodedata.normalize("NFC", text)
        found = self.tokenizer.encode(text, add_special_tokens=False)
        spans = _spans(text, found.tokens, found.offsets)
        end = self._end(spans, 0)
        return text[spans[end][0] :] if end < len(spans) else ""

    def chunks(self, text: str) -> list[Encoded]:
        """Ids of one text in as many pieces of at most `max_tokens` as it takes; nothing is dropped."""
        text = unicodedata.normalize("NFC", text)
        found = self.tokenizer.encode(text, add_special_tokens=False)
        spans, ends = _spans(text, found.tokens, found.offsets), [0]
        while ends[-1] < len(spans) or len(ends) == 1:
            ends.append(self._end(spans, ends[-1]))
        return [self._framed(found.ids[i:j], spans[i:j]) for i, j in pairwise(ends)]

    def _cut(self, text: str, ids: list[int], spans: list[tuple[int, int]]) -> Encoded:
        end = self._end(spans, 0)
        if end == len(ids):
            return self._framed(ids, spans)
        dropped = text[spans[end][0] :]
        logger.warning("prompt has %d tokens, %d fit: dropped %r", len(ids), end, dropped)
        return self._framed(ids[:end], spans[:end], dropped)

    def _end(self, spans: list[tuple[int, int]], start: int) -> int:
        """Where the tokens from `start` that fit end: not between the bytes of one character."""
        end = min(start + self.max_tokens - 2, len(spans))
        whole = end
        while start < whole < len(spans) and spans[whole] == spans[whole - 1]:
            whole -= 1
        return whole if whole > start else end

    def _framed(self, ids: list[int], offsets: list[tuple[int, int]], dropped: str = "") -> Encoded:
        return Encoded((self.bos_id, *ids, self.eos_id), ((0, 0), *offsets, (0, 0)), dropped)


def _known_id(tokenizer: Tokenizer, token: str) -> int:
    found = tokenizer.token_to_id(token)
    assert found is not None
    return found


def _spans(text: str, tokens: Sequence[str], offsets: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The tokenizer's offsets, narrowed to what each token stands for.

    The mark of a word's start is counted to the character before it, and all bytes of neighbouring characters that no
    piece covers to all of these characters.
    """
    spans = [_own_part(text, token, *offset) for token, offset in zip(tokens, offsets, strict=True)]
    place = 0
    while place < len(spans):
        run = place
        while run < len(spans) and _BYTE.fullmatch(tokens[run]) and offsets[run] == offsets[place]:
            run += 1
        start, end = offsets[place]
        owners = [at for at in range(start, end) for _ in text[at].lower().encode("utf-8", "replace")]
        if run > place and len(owners) == run - place:
            spans[place:run] = [(at, at + 1) for at in owners]
        place = max(run, place + 1)
    return spans


def _own_part(text: str, token: str, start: int, end: int) -> tuple[int, int]:
    if re.match(f"{_WORD_START}[a-z]", token) and not re.match("[a-zA-Z]", text[start:end]):
        start += 1
    while start < end and text[start].isspace():
        start += 1
    return start, end


def count_tokens(folder: str | Path, text: str) -> int:
    """How many of an encoder's tokens a text takes, without torch."""
    return PromptTokenizer.load(folder).count(text)


def train_tokenizer(
    lines: Iterable[str], recipe: TokenizerRecipe = TokenizerRecipe(), max_tokens: int = 128
) -> PromptTokenizer:
    """Train on lines of either language. Raises ValueError where one of the two languages is missing."""
    korean, english, other = _count_words(lines)
    if not korean or not english:
        missing = "Korean" if not korean else "English"
        raise ValueError(f"no {missing} text among the lines: the tokenizer needs rows enough of both languages")
    if recipe.word_list:
        english = _mix_word_list(english, Path(recipe.word_list), recipe.word_list_share)
    pieces = _korean_pieces(korean, recipe.korean_pieces) + _english_pieces(english, recipe.english_pieces)
    pieces += [(str(digit), -5.0) for digit in range(10)]
    pieces += [(mark, -5.0) for mark in _PUNCTUATION] + [(mark, -7.0) for mark, _ in other.most_common(200)]
    return PromptTokenizer(_assemble(pieces), max_tokens)


def _assemble(pieces: list[tuple[str, float]]) -> Tokenizer:
    fallback = [(f"<0x{byte:02X}>", -15.0) for byte in range(256)]
    unique = dict(reversed([*((token, 0.0) for token in SPECIAL), *fallback, *pieces]))
    vocabulary = list(reversed(unique.items()))
    tokenizer = Tokenizer(models.Unigram(vocabulary, SPECIAL.index(UNK), byte_fallback=True))
    tokenizer.normalizer = _normalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Split(Regex(_SPLIT), behavior="isolated")]
    )
    tokenizer.decoder = decoders.Sequence(
        [decoders.ByteFallback(), decoders.Replace(_WORD_START, " "), decoders.Fuse()]
    )
    tokenizer.add_special_tokens(list(SPECIAL))
    ends = [(token, tokenizer.token_to_id(token)) for token in (BOS, EOS)]
    tokenizer.post_processor = processors.TemplateProcessing(f"{BOS} $A {EOS}", f"{BOS} $A {EOS} $B {EOS}", ends)
    return tokenizer


def _normalizer() -> normalizers.Normalizer:
    return normalizers.Sequence(
        [
            normalizers.NFC(),
            normalizers.Replace(Regex(_CONTROLS), ""),
            normalizers.Replace(Regex("[‘’`´]"), "'"),
            normalizers.Replace(Regex("[“”]"), '"'),
            normalizers.Lowercase(),
            normalizers.Replace(Regex("(?<![a-z])(?=[a-z])"), _WORD_START),
        ]
    )


def _count_words(lines: Iterable[str]) -> tuple[Counter[str], Counter[str], Counter[str]]:
    """Words by script: Hangul runs, Latin runs, anything else that is not a digit or a space."""
    korean, english, other = Counter[str](), Counter[str](), Counter[str]()
    for line in lines:
        text = unicodedata.normalize("NFC", line).lower()
        korean.update(re.findall("[가-힣]+", text))
        english.update(re.findall("[a-z]+", text))
        other.update(re.findall(r"[^\s\da-z가-힣]", text))
    return korean, english, other


def _mix_word_list(counts: Counter[str], path: Path, share: float) -> Counter[str]:
    """Corpus counts mixed with a Zipf law over a list of words in order of frequency, scaled to 10⁶ words."""
    if not path.is_file():
        raise FileNotFoundError(f"word list {path} is missing: leave word_list out or give one word a line")
    words = [word for word in path.read_text("utf-8").split() if re.fullmatch("[a-z]{2,}", word)][:20000]
    total, zipf = sum(counts.values()), sum(1 / (rank + 5) for rank in range(len(words)))
    mixed = Counter({word: count / total * (1 - share) * 1e6 for word, count in counts.items()})
    for rank, word in enumerate(words):
        mixed[word] += share * 1e6 / (rank + 5) / zipf  # type: ignore[assignment]
    return Counter({word: max(1, round(count)) for word, count in mixed.items()})


def _korean_pieces(words: Counter[str], size: int) -> list[tuple[str, float]]:
    tokenizer = Tokenizer(models.Unigram())
    trainer = trainers.UnigramTrainer(
        vocab_size=size, show_progress=False, unk_token=UNK, special_tokens=[UNK], max_piece_length=8
    )
    tokenizer.train_from_iterator(_repeated(words), trainer)
    learned = json.loads(tokenizer.to_str())["model"]["vocab"]
    scored = _settled({piece: score for piece, score in learned if piece != UNK}, words)
    lowest = min(scored.values()) - 1
    scored |= {syllable: lowest for syllable in _common_syllables() if syllable not in scored}
    return sorted(scored.items(), key=lambda item: (-item[1], item[0]))


def _settled(scores: dict[str, float], words: Counter[str]) -> dict[str, float]:
    """Scores from how often each piece is used. The trainer adds floats in no fixed order: this makes runs equal."""
    vocabulary = [(UNK, -99.0), *sorted((piece, round(score, 3)) for piece, score in scores.items())]
    tokenizer, used = Tokenizer(models.Unigram(vocabulary, 0)), Counter(scores.keys())
    for word, found in zip(words, tokenizer.encode_batch(list(words)), strict=True):
        for piece in found.tokens:
            if piece in scores:
                used[piece] += words[word]
    total = math.log(used.total())
    return {piece: math.log(count) - total for piece, count in used.items()}


def _english_pieces(words: Counter[str], size: int) -> list[tuple[str, float]]:
    """BPE pieces, scored so that the fewest pieces win and the more frequent one breaks a tie."""
    tokenizer = Tokenizer(models.BPE())
    trainer = trainers.BpeTrainer(vocab_size=size, show_progress=False, special_tokens=[])
    marked = Counter({_WORD_START + word: count for word, count in words.items()})
    tokenizer.train_from_iterator(_repeated(marked), trainer)
    ranks = tokenizer.get_vocab()
    return [(piece, -8.0 - ranks[piece] / len(ranks)) for piece in sorted(ranks, key=ranks.__getitem__)]


def _repeated(words: Counter[str], at_most: int = 3000) -> Iterable[str]:
    return (word for word, count in sorted(words.items()) for _ in range(min(count, at_most)))


def _common_syllables() -> list[str]:
    """The 2,350 Hangul syllables of KS X 1001, so that ordinary Korean seldom falls back to bytes."""
    return [bytes([0xB0 + row, 0xA1 + cell]).decode("euc-kr") for row in range(25) for cell in range(94)]
