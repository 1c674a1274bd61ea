"""Korean particles that agree with the word before them: 코트를, 재킷을, 서울로, 3을, PDF를, 원피스(빨강)를.

In: a word in any Unicode form and one of fourteen pairs. Out: the form that the last significant character asks for.
A Hangul syllable decides by its final consonant (ㄹ takes 로), digits by their Sino-Korean reading, Latin letters by
their Korean names, and what is not read (emoji, quotes, bracketed remarks) is looked through. Where nothing decides,
the written both-forms spelling is given: 을(를).
Ref: National Institute of Korean Language, 한글 맞춤법 and its answers on particles after brackets and digits.
"""

from __future__ import annotations

import re
import unicodedata

# after a final consonant, after a vowel, where nobody can know
PAIRS: tuple[tuple[str, str, str], ...] = (
    ("은", "는", "은(는)"), ("이", "가", "이(가)"), ("을", "를", "을(를)"), ("과", "와", "과(와)"),
    ("으로", "로", "(으)로"), ("아", "야", "아(야)"), ("이랑", "랑", "(이)랑"), ("이나", "나", "(이)나"),
    ("이란", "란", "(이)란"), ("이라고", "라고", "(이)라고"), ("이며", "며", "(이)며"), ("이든", "든", "(이)든"),
    ("이에요", "예요", "이에요/예요"), ("이고", "고", "(이)고"),
)  # fmt: skip
_PAIR_OF = {name: pair for pair in PAIRS for name in (*pair, f"{pair[0]}/{pair[1]}", f"{pair[1]}/{pair[0]}")}
_VOWEL, _RIEUL, _CONSONANT = "vowel", "rieul", "consonant"

_DIGIT_ENDING = dict(zip("0123456789", "CRVCVVCRRV", strict=True))  # 영 일 이 삼 사 오 육 칠 팔 구
_LATIN_FINALS = {"l": "R", "r": "R", "m": "C", "n": "C"}  # 엘 알 엠 엔, all other letter names end in a vowel
_SIGN_ENDING = {"%": "V", "℃": "V", "°": "V", "$": "V", "€": "V", "₩": "C", "+": "V", "&": "V", "=": "V"}
_ENDINGS = {"V": _VOWEL, "R": _RIEUL, "C": _CONSONANT}
_REMARK = re.compile(r"[(\[][^()\[\]]*[)\]]$")  # a remark that is not read: 원피스(빨강)를
_NUMBER = re.compile(r"(?:(?P<decimal>\d\.)|(?<![\d.]))(?P<digits>\d[\d,]*)$")


def attach(word: str, particle: str) -> str:
    """Return the word with the fitting form of the particle: attach("재킷", "를") is 재킷을.

    `particle` names the pair by either form or both: "을", "를", "을/를". Raises ValueError for an unknown one.
    """
    return word + fitting(word, particle)


def fitting(word: str, particle: str) -> str:
    """Return only the form of the particle that fits the word. Raises ValueError for an unknown particle."""
    try:
        consonant, vowel, unknown = _PAIR_OF[particle]
    except KeyError:
        known = ", ".join(f"{pair[0]}/{pair[1]}" for pair in PAIRS)
        raise ValueError(f"{particle!r} is not a particle with two forms: use one of {known}") from None
    code = ord(word[-1]) - 0xAC00 if word else -1
    if 0 <= code < 11172:  # the common case first: a whole syllable
        final = code % 28
        return vowel if final == 0 or (final == 8 and vowel == "로") else consonant
    ending = ending_of(word)
    if ending is None:
        return unknown
    return vowel if ending == _VOWEL or (ending == _RIEUL and vowel == "로") else consonant


def ending_of(word: str) -> str | None:
    """How the word sounds at its end: "vowel", "rieul", "consonant", or None where nobody can know."""
    text = _significant(unicodedata.normalize("NFKC", word))
    if not text:
        return None
    last = text[-1].lower()
    if "가" <= last <= "힣":
        final = (ord(last) - 0xAC00) % 28
        return _VOWEL if final == 0 else _RIEUL if final == 8 else _CONSONANT
    if last in _DIGIT_ENDING:
        return _number_ending(text)
    if "a" <= last <= "z":
        return _ENDINGS[_LATIN_FINALS.get(last, "V")]
    if last in _SIGN_ENDING:
        return _ENDINGS[_SIGN_ENDING[last]]
    return _jamo_ending(last)


def _jamo_ending(character: str) -> str | None:
    """The ending of a lone letter's name: ㄱ is 기역, ㄹ is 리을, ㅏ is 아."""
    name = unicodedata.name(character, "")
    if not name.startswith(("HANGUL LETTER", "HANGUL CHOSEONG", "HANGUL JUNGSEONG", "HANGUL JONGSEONG")):
        return None
    if "JUNGSEONG" in name or "ㅏ" <= character <= "ㅣ":
        return _VOWEL
    return _RIEUL if name.endswith(" RIEUL") else _CONSONANT


def _significant(text: str) -> str:
    """The text up to its last character that is read aloud; bracketed remarks count only if there is nothing else."""
    while text:
        text = _strip_silent(text)
        shorter = _REMARK.sub("", text)
        if shorter == text:
            return text.rstrip(")]")  # a stray closing bracket
        if not _strip_silent(shorter):
            return _significant(text[:-1].lstrip("(["))
        text = shorter
    return text


def _strip_silent(text: str) -> str:
    """Drop what nobody reads from the end: spaces, quotes, emoji, joiners, punctuation; brackets stay."""
    end = len(text)
    while end and text[end - 1] not in _SIGN_ENDING and text[end - 1] not in ")]":
        category = unicodedata.category(text[end - 1])
        if category[0] in "LN":
            break
        end -= 1
    return text[:end]


def _number_ending(text: str) -> str | None:
    """The ending of a number's Sino-Korean reading: 10 십, 100 백, 10,000 만, 1.50 점 오 영."""
    match = _NUMBER.search(text)
    digits = match["digits"].replace(",", "") if match else text[-1]
    zeros = len(digits) - len(digits.rstrip("0"))
    if zeros == 0 or zeros == len(digits) or (match and match["decimal"]):
        return _ENDINGS[_DIGIT_ENDING[digits[-1]]]
    if zeros >= 20:
        return None  # 해 and beyond: nobody reads it out
    return _VOWEL if 12 <= zeros < 16 else _CONSONANT  # 조 ends in a vowel; 십 백 천 만 억 경 do not
