"""Which words of a free prompt the drawn domain knows, which it does not, and how a word that is being typed may go on.

In: a prompt as typed, Korean, English or mixed, with or without spaces. Out: spans of text[start:end] with the field
and id that they name. No analyser: a Hangul stretch is cut by the cheapest path over the lexicon's words, particles,
and the words that requests are made of (그려 주세요, 입은 사람); whatever remains is unknown.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from fashion.lexicon import WORDS, Background, Color, Word
from fashion.slips import typed_for
from hangul.jamo import INITIALS, initials, keys
from hangul.particles import PAIRS, fitting

# what requests are made of besides words of the lexicon: neither known nor worth a remark
_KOREAN_FILLING = """
    그려 그려줘 그려줄래 그려주세요 그려주라 그려봐 그려볼래 그려볼 그린 그리고 그림 그릴 그려진 이미지 사진 장 한장
    하나 하나만 한명 명 주세요 줘 줘요 주시겠어요 주시면 줄래 줄래요 줄수 수 있어 있어요 있을까 있을까요 있나요 있는
    있습니다 있다 있음 있으면 좋겠어요 좋겠어 좋은 부탁 부탁해 부탁해요 부탁드려요 부탁드립니다 해줘 해주세요 해
    하고 한 만들어 만들어줘 보여 보여줘 보고 싶어 싶어요 필요해요 필요해 갖고 원해요 입은 입고 입는 입어 걸친 걸치고
    쓴 쓰고 신은 신고 든 들고 두른 두르고 맨 메고 찬 착용 착용한 착용샷 사람 모델 인물 여자 남자 소녀 소년 아이 서
    선 놓인 놓여 앞 위 안 배경 스타일 느낌 풍 코디 착장 조합 매치 매치한 더한 옷차림 옷 의상 룩 데일리룩 오늘 상의 하의
    겉옷 신발 모자 목 손 색 무늬 소재 소매 기장 목선 디테일 다른 건 없이 만 제목 좀 더 아주 예쁜 예쁘게 멋진 멋있는
    귀여운 이 그 저 것 거 및 또는 달린 없는 된 패션 스케치 도안 신상 추천 탄 타고 앉은 앉아 뛰는 웃는 달리는 걷는
    춤추는 먹는 보는 나는 입을 입으면 입기 입혀 입혀줘 차림 한복 개량한복 생활한복 치마저고리 모습 들어간 찍은 듯한 말고
    그려줘요 스타일링 착장으로 하게 으로만 벌
    입니다 이에요 예요 이야 이고 인데 임 ㅋㅋ ㅎㅎ ㅠㅠ ㄱㄱ
"""
_ENGLISH_FILLING = """
    a an the of in on with and or as at for to from by me my you your i i'd like want show draw drawn please pls plz
    make paint see can could would give picture drawing image sketch illustration photo art style person model
    figure someone man woman girl boy people wearing wears worn dressed carrying carries holding holds pair pairs
    outfit look day styled together background against front is are has have this that these those there it its one
    clothes clothing garment garments hanbok hat hats shoes headwear footwear
    over under plus out tucked into full both rainbow sketch
    nice pretty beautiful cute new some color colour colored coloured pattern patterned made fabric
"""
# what says that a word is not wanted, behind it or in front of it (fashion.negation)
NEGATIONS_AFTER = ("없이", "없는", "말고", "빼고", "아닌", "아니고", "제외하고", "제외한")
NEGATIONS_BEFORE = ("without", "no", "not", "except", "excluding", "minus")
_MORE_PARTICLES = (
    "의 에 에다가 에서 도 만 하고 에게 까지 부터 처럼 보다 서 같은 들 입니다 이에요 예요 인 이고 인데 이야 야"
)
_DRAWN = "을그린 를그린 로그린 으로그린"  # drawn, where 그린 could be green
_ALONE = ("아", "이고", "이에요")  # pairs that are not particles of a garment, or stand in the list above
_PARTICLES = frozenset(f"{_MORE_PARTICLES} {_DRAWN}".split()) | {
    form for pair in PAIRS if pair[0] not in _ALONE for form in pair[:2]
}
_PAIRED = frozenset(form for pair in PAIRS for form in pair[:2])
# what may be taken off the end of an unknown word; 이 and 가 end too many nouns (고양이, 화가) for short words
_ENDING_LIST = "으로 에서 에게 까지 부터 처럼 이랑 을 를 은 는 과 와 로 에 의 도"
_ENDINGS = tuple(_ENDING_LIST.split())
_SHORT = "은는도에의로"  # particles that also end nouns and verbs
_FAMILY_NAMES = "김이박최정강조윤장임한오서신권황안송류홍"
_HANGUL = re.compile("[가-힣ㄱ-ㅣ]")
_PIECE = re.compile(r"[가-힣ㄱ-ㅣ]+|[A-Za-z][A-Za-z']*|[0-9]+")
_UNKNOWN_START, _UNKNOWN_EACH, _TORN_WORD = 4.0, 1.0, 8.0


@dataclass(frozen=True)
class Span:
    """text[start:end] names the word `id` of `field`; both are None where the domain does not know the word."""

    start: int
    end: int
    text: str
    field: str | None = None
    id: str | None = None


@dataclass(frozen=True)
class Piece:
    """text[start:end] is known, plain, particle, slip (`meant` is its right spelling) or unknown.

    `entry` is the (field, id) that it names, if any.
    """

    start: int
    end: int
    text: str
    kind: str
    entry: tuple[str, str] | None = None
    meant: str | None = None


@dataclass(frozen=True)
class WordOffer:
    """A word to offer: its text, what it names, its standard name, and for a colour its "#rrggbb"."""

    text: str
    field: str
    id: str
    name: str
    rgb: str | None = None


@dataclass(frozen=True, slots=True)
class _Step:
    """A piece of the squeezed text: known, plain, particle, slip (with what was meant) or unknown."""

    length: int
    kind: str
    entry: tuple[str, str] | None = None
    meant: str | None = None


def known_words(text: str) -> list[Span]:
    """The words of the prompt that can be drawn, from left to right. Places refer to the text in NFC."""
    return [span for span in _spans(unicodedata.normalize("NFC", text)) if span.field]


def unknown_words(text: str) -> list[Span]:
    """The words of the prompt that the domain does not know: 용 and 고양이 in 용을 탄 고양이, without particles."""
    return [span for span in _spans(unicodedata.normalize("NFC", text)) if not span.field]


def slip_targets() -> tuple[list[str], list[str]]:
    """The Korean words that a slip may have meant, squeezed, and every word that is none.

    Words of one syllable are left out: most that are one key away are words too (찐, beside 진). So are negations: a
    slip must not turn what is wanted into what is not.
    """
    lexicon, plain, _ = _tables()
    known, rest = [*lexicon, *plain], plain - frozenset(NEGATIONS_AFTER)
    long = (*(word for word in lexicon if len(word) > 1), *(word for word in rest if len(word) > 2))
    return sorted(word for word in long if _HANGUL.match(word)), known


def suggest(prefix: str, language: str = "ko", limit: int = 8) -> list[WordOffer]:
    """Words of the lexicon that can become of what is being typed, standard names first.

    Hangul in composition counts: 빨, 빨ㄱ, and the first letters ㅃㄱ suggest 빨간. In Korean, English letters find the
    Korean word (re: 빨간). Raises ValueError for a language that is neither "ko" nor "en".
    """
    if language not in ("ko", "en"):
        raise ValueError(f"language {language!r}: use ko or en")
    typed = unicodedata.normalize("NFC", prefix).strip().casefold()
    if not typed:
        return []
    found: dict[tuple[str, str], tuple[tuple[int, int, int], WordOffer]] = {}
    for rank, form, shown, field, word in _offers(language):
        if not _begins(typed, form):
            continue
        order = (0 if form.startswith(typed) else 1, rank, len(form))
        rgb = f"#{bytes(word.rgb).hex()}" if isinstance(word, Color) else None
        offer = (order, WordOffer(shown, field, word.id, (word.ko if language == "ko" else word.en)[0], rgb))
        if (field, word.id) not in found or order < found[field, word.id][0]:
            found[field, word.id] = offer
    return [suggestion for _, suggestion in sorted(found.values(), key=lambda offer: offer[0])][:limit]


def forms(word: Word, language: str) -> tuple[str, ...]:
    """Every form of a word in a language, the standard ones first, each once."""
    if language == "en":
        return tuple(dict.fromkeys((*word.en_before, *word.en, *word.everyday_en)))
    backdrop = (f"배경은 {word.backdrop}",) if isinstance(word, Background) else ()
    return tuple(dict.fromkeys((*word.ko_before, *word.ko, *word.loan, *word.everyday, *backdrop)))


def _begins(typed: str, form: str) -> bool:
    """As `hangul.jamo.is_prefix`, with the letters of every form taken apart once: people wait for it as they type."""
    if not _HANGUL.search(typed):
        return form.casefold().startswith(typed)
    form_keys, form_initials = _letters(form)
    abbreviated = all(letter in INITIALS or letter == " " for letter in typed)
    return form_keys.startswith(_letters(typed)[0]) or (abbreviated and form_initials.startswith(typed))


@lru_cache(maxsize=10_000)
def _letters(text: str) -> tuple[str, str]:
    return keys(text), initials(text)


@lru_cache(maxsize=2)
def _offers(language: str) -> tuple[tuple[int, str, str, str, Word], ...]:
    """(rank, what is compared with what is typed, what is shown, field, word) of every form."""
    offers = []
    for field, words in WORDS.items():
        for word in words:
            own = forms(word, language)
            offers += [(rank, form, form, field, word) for rank, form in enumerate(own)]
            if language == "ko":
                offers += [(20 + rank, form, own[0], field, word) for rank, form in enumerate(forms(word, "en"))]
    return tuple(offers)


def _spans(text: str) -> list[Span]:
    """Known and unknown words in order; blanks, particles and plain request words are left out."""
    spans: list[Span] = []
    for piece in pieces(text):
        if piece.entry:
            spans.append(Span(piece.start, piece.end, piece.text, *piece.entry))
        elif piece.kind == "unknown":
            spans += _unknown_pieces(text, piece.start, piece.end)
    return spans


@lru_cache(maxsize=8)  # one request asks for the same prompt several times
def pieces(text: str) -> tuple[Piece, ...]:
    """An NFC text cut into words, particles and what is unknown, in order; blanks and signs are left out."""
    squeezed, places, cuts = _squeeze(text)
    found, i = [], 0
    for step in _cheapest_path(squeezed, cuts):
        start, end = places[i], places[i + step.length - 1] + 1
        i += step.length
        typed = text[start:end]
        found.append(Piece(start, end, typed, step.kind, step.entry, _spelled(typed, step.meant)))
    return tuple(found)


def _spelled(typed: str, meant: str | None) -> str | None:
    """What was meant, with the blanks of what was typed."""
    if meant is None:
        return None
    letters = iter(meant)
    return "".join(next(letters) if _PIECE.match(letter) else letter for letter in typed)


def _squeeze(text: str) -> tuple[str, list[int], set[int]]:
    """The text in lower case without blanks and signs, the place of every character, and where words were cut."""
    letters: list[str] = []
    places: list[int] = []
    cuts = {0}
    for match in _PIECE.finditer(text):
        cuts.add(len(letters))
        letters += match[0].lower()
        places += range(match.start(), match.end())
        cuts.add(len(letters))
    return "".join(letters), places, cuts


def _cheapest_path(text: str, cuts: set[int]) -> list[_Step]:
    """Cut the squeezed text into steps at the least cost; what is cheapest here depends on the step before."""
    # at every place, per kind of the last step: (cost, the step, the kind before it)
    best: list[dict[str, tuple[float, _Step | None, str]]] = [{} for _ in range(len(text) + 1)]
    best[0]["start"] = (0.0, None, "")
    for i in range(len(text)):
        steps = list(_steps_from(text, i, cuts)) if best[i] else []
        for before, (cost, last, _) in list(best[i].items()):
            for step in steps:
                if step.kind == "particle" and before == "start":
                    continue
                price = cost + _price(step, last, i in cuts)
                at = best[i + step.length]
                if step.kind not in at or price < at[step.kind][0]:
                    at[step.kind] = (price, step, before)
    path, i = [], len(text)
    kind = min(best[i], key=lambda k: best[i][k][0])
    while i:
        _, taken, before = best[i][kind]
        assert taken is not None
        path.append(taken)
        i, kind = i - taken.length, before
    return _merge_unknown(path[::-1])


def _price(step: _Step, last: _Step | None, at_cut: bool) -> float:
    """Few long pieces beat many short ones; short words do not begin or end inside what is written as one word."""
    if step.kind == "unknown":
        if last is not None and last.kind == "unknown" and not at_cut:
            return _UNKNOWN_EACH
        torn = last is not None and last.kind in ("known", "plain") and last.length <= 2 and not at_cut
        return _UNKNOWN_EACH + _UNKNOWN_START + (_TORN_WORD if torn else 0)
    price = {"known": 1.0, "plain": 1.3, "particle": 1.1, "slip": 2.2}[step.kind]
    if step.kind == "particle" or at_cut:
        return price
    if step.length == 1:
        price += 1.5
    if last is not None and last.kind == "unknown":
        price += 3.0 if step.length <= 2 else 1.0
    return price


def _steps_from(text: str, i: int, cuts: set[int]) -> Iterator[_Step]:
    lexicon, plain, longest = _tables()
    latin = not _HANGUL.match(text[i])
    slips = _slips()
    for length in range(1, min(longest, len(text) - i) + 1):
        piece = text[i : i + length]
        whole = i in cuts and i + length in cuts
        torn = i not in cuts and not cuts.isdisjoint(range(i + 1, i + length))  # the end of a word and more: 더한 옷
        if not torn and (meant := slips.get(piece)):
            yield _Step(length, "slip", lexicon.get(meant), meant)
        if entry := lexicon.get(piece):
            if whole or not latin or (i in cuts and _HANGUL.match(piece[-1])):
                yield _Step(length, "known", entry)
        elif whole and latin and (entry := _singular(lexicon, piece)):
            yield _Step(length, "known", entry)
        if piece in plain and (whole or (not latin and (length > 1 or i in cuts))):
            yield _Step(length, "plain")
        if piece in _PARTICLES and (i not in cuts or text[i - 1] < "가"):
            yield _Step(length, "particle")
    yield _Step(1, "unknown")


def _singular(lexicon: dict[str, tuple[str, str]], piece: str) -> tuple[str, str] | None:
    """The entry of an English plural: shirts, dresses."""
    return lexicon.get(piece.removesuffix("s")) or lexicon.get(piece.removesuffix("es"))


def _merge_unknown(path: list[_Step]) -> list[_Step]:
    merged: list[_Step] = []
    for step in path:
        if step.kind == "unknown" and merged and merged[-1].kind == "unknown":
            merged[-1] = _Step(merged[-1].length + step.length, "unknown")
        else:
            merged.append(step)
    return merged


def _unknown_pieces(text: str, start: int, end: int) -> Iterator[Span]:
    """An unknown stretch as the words that were written; numbers and lone jamo are not worth a remark."""
    for match in _PIECE.finditer(text, start, end):
        if re.search("[가-힣A-Za-z]", match[0]):
            word = _without_particle(match[0])
            yield Span(match.start(), match.start() + len(word), word)


def _without_particle(word: str) -> str:
    """고양이를 without 를, as far as the particle fits what is before it."""
    for ending in _ENDINGS:
        stem = word.removesuffix(ending)
        if ending in _SHORT and (len(stem) < 2 or (ending == "은" and word[0] in _FAMILY_NAMES and len(word) == 3)):
            continue  # 독도, 닮은 and 김정은 are words as they are
        if ending == "는" and stem.endswith("하"):
            return word  # 산책하는: a verb, and no particle
        if stem not in ("", word) and (ending not in _PAIRED or fitting(stem, ending) == ending):
            return stem
    if len(word) > 3 and word[-1] in "이가" and fitting(word[:-1], "이") == word[-1]:
        return word[:-1]
    return word


@lru_cache(maxsize=1)
def _tables() -> tuple[dict[str, tuple[str, str]], frozenset[str], int]:
    """Squeezed form → (field, id), the plain words, and the longest length; the first field to have a form keeps it."""
    lexicon: dict[str, tuple[str, str]] = {}
    for field, words in WORDS.items():
        for word in words:
            for form in (*forms(word, "ko"), *forms(word, "en")):
                squeezed, _, _ = _squeeze(unicodedata.normalize("NFC", form))
                for variant in {squeezed, _without_article(form)}:
                    lexicon.setdefault(variant, (field, word.id))
    plain = frozenset((*_KOREAN_FILLING.split(), *_ENGLISH_FILLING.split(), *NEGATIONS_AFTER, *NEGATIONS_BEFORE))
    return lexicon, plain - lexicon.keys(), max(map(len, (*lexicon, *plain)))


@lru_cache(maxsize=1)
def _slips() -> dict[str, str]:
    return typed_for(*slip_targets())


def _without_article(form: str) -> str:
    return _squeeze(re.sub(r"^(?:a|an|the) ", "", form))[0]
