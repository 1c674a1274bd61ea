"""Korean prompts as people type them; see `fashion.captions_everyday`.

Words that only such prompts use (니트 for a sweater, 청치마, 색동저고리, 다홍) stand here or in `Word.everyday`.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from fashion.lexicon import BACKGROUND_BY_ID, GARMENT_BY_ID, word
from fashion.phrases_korean import SCENIC, Speech
from fashion.scene import Garment, goes_without_saying
from hangul.particles import attach

if TYPE_CHECKING:
    from fashion.captions_everyday import Prompt

_NOUNS = {  # what a kind is called as well; the first is commonest
    "knit": ("니트", "니트티", "스웨터"), "t_shirt": ("티셔츠", "티", "면티"), "hoodie": ("후드티", "후드", "후디"),
    "jacket": ("재킷", "자켓"), "padding": ("패딩", "패딩 점퍼"), "cap": ("볼캡", "야구모자", "캡모자"),
    "shirt": ("셔츠", "남방"), "skirt": ("치마", "스커트"), "trousers": ("바지", "슬랙스", "팬츠"),
    "sneakers": ("운동화", "스니커즈"), "scarf": ("목도리", "머플러", "스카프"), "jeans": ("청바지",),
    "hanbok_skirt": ("한복 치마", "한복치마"), "jeogori": ("저고리",), "cardigan": ("가디건", "카디건"),
}  # fmt: skip
_DENIM = {
    "jacket": ("청자켓", "청재킷"), "skirt": ("청치마", "청스커트"), "shorts": ("청반바지", "데님 반바지"),
    "shirt": ("청남방", "청셔츠"), "dress": ("청원피스", "데님 원피스"), "vest": ("청조끼", "데님 조끼"),
}  # fmt: skip
_LONG = {  # by hem
    ("skirt", "mini"): ("미니스커트", "미니 스커트", "짧은 치마"), ("skirt", "maxi"): ("롱스커트", "롱치마", "긴 치마"),
    ("skirt", "knee"): ("미디스커트", "미디 스커트", "무릎치마"), ("dress", "mini"): ("미니원피스", "짧은 원피스"),
    ("dress", "maxi"): ("롱원피스", "롱 원피스", "긴 원피스"), ("coat", "maxi"): ("롱코트", "긴 코트"),
    ("padding", "mini"): ("숏패딩", "짧은 패딩"), ("padding", "knee"): ("롱패딩", "긴 패딩"),
}  # fmt: skip
_SLEEVED = {
    "short": ("반팔티", "반팔 티셔츠", "반팔"), "long": ("긴팔티", "긴팔 티셔츠"), "sleeveless": ("민소매 티", "나시티", "민소매"),
}  # fmt: skip
_TURTLENECKS = ("목폴라", "폴라티", "터틀넥", "목폴라 니트", "폴라 니트")
_SETS = ("한복", "치마저고리", "개량한복", "생활한복", "한복 한 벌", "개량 한복")
_ENDS = (
    "", "", "", "", "", "", "", "", " 코디", " 조합", " 차림", " 입은 모습", " 그려줘", " 그려 주세요", " 부탁해요", " 입혀줘",
    " 매치", " 룩", " 입은 사람 그려줘", " 보여줘", " 입고 있는 모습", " 스타일링",
)  # fmt: skip
_LOOKS = ("", "", "", "", "", " 코디", " 입은 사람", " 입은 모습", " 차림")
_ENDS_ALONE = (
    "",
    "",
    "",
    "",
    "",
    "",
    " 하나",
    " 그려줘",
    " 그려 주세요",
    " 부탁해요",
    " 그림",
    " 보여줘",
    " 하나만 그려줘",
    " 사진",
)
_WORN = (" 입은 사람", " 입은 모습", ", 착용샷", " 입은 모델", " 착용한 사람", " 입고 있는 사람", " 착용샷")
_STYLES = {
    "ink_wash": ("수묵화로", "수묵화 느낌으로", "수묵화풍으로", "수묵화 스타일", "먹그림으로", "수묵화", "수묵으로"),
    "watercolor": ("수채화로", "수채화 느낌으로", "수채화 스타일", "수채화풍", "물감으로", "수채화"),
    "pencil": ("색연필화로", "색연필로", "연필 그림으로", "색연필 그림", "연필로 그린 느낌", "색연필화", "연필 스케치"),
    "pixel": ("픽셀아트로", "픽셀아트", "픽셀 느낌으로", "도트 그림으로", "픽셀 그림", "픽셀로", "도트 그림"),
    "flat": ("일러스트로", "플랫 일러스트", "일러스트 느낌으로", "일러스트"),
}  # fmt: skip


def say(prompt: Prompt, rng: random.Random) -> str:
    """The text of one prompt."""
    talk = _Talk(prompt, rng)
    text = talk.line()
    if "wearer" in prompt.added:
        text += talk.pick((", 착용샷", ", 입은 사람"))
    return text + talk.setting()


class _Talk(Speech):
    """One prompt in the making."""

    def __init__(self, prompt: Prompt, rng: random.Random) -> None:
        super().__init__(prompt.content, rng)
        given = zip(prompt.content.scene.garments, prompt.named, strict=True)
        self.named_fields = {garment.kind: fields for garment, fields in given}
        self.added, self.kinds = prompt.added, set(self.named_fields)
        self.later: list[str] = []  # what is said of a garment behind it

    def line(self) -> str:
        """The garments, joined as people join them, with how the line ends."""
        if one := self._set():
            return one + self.pick(_ENDS)
        items = [self.item(garment, fields) for garment, fields in self.garments]
        text, rest = self._joined(items), "".join(self.later)
        if self.figure and len(items) == 1 and "wearer" not in self.added:
            return text + self.pick(_WORN) + rest
        if len(items) > 1 and self.maybe(0.1):
            return f"{text} {self.verbs(len(items) - 1)[0]}{rest}"
        asking = not (self.background or self.style) or self.added  # else it is asked for at the very end
        ends = (_ENDS if asking else _LOOKS) if len(items) > 1 else (_ENDS_ALONE if asking else ("",))
        return text + self.pick(ends) + rest

    def _joined(self, items: list[str]) -> str:
        if len(items) == 1:
            return items[0]
        if self.maybe(0.45) or len(items) == 2:
            way = self.pick(("에", "에", "에", "과", "이랑", "하고", ",", "", "에다가", "+", "이랑"))
            if way in (",", "+", ""):
                return {",": ", ", "+": " + ", "": " "}[way].join(items)
            text = items[0]
            for item in items[1:]:
                text = f"{attach(text, way) if way in ('과', '이랑') else text + way} {item}"
            return text
        first, second, *others = items
        start = self.pick((f"{first}에 {second}", f"{attach(first, '이랑')} {second}", f"{first}, {second}"))
        return start + "".join(f"{self.pick((',', '에', ' 그리고', ','))} {other}" for other in others)

    def item(self, garment: Garment, fields: tuple[str, ...]) -> str:
        """One garment with what the person says of it and what was added right before its noun."""
        given = [f for f in fields if f in self.named_fields[garment.kind]]
        added = [f for f in fields if f not in given]
        if "color" in given and goes_without_saying(garment, tuple(given)) and self.maybe(0.75):
            given.remove("color")
        noun = self._noun(garment, given)
        if "color" in given and self.maybe(0.08):
            given.remove("color")
            phrase = attach(self.value(garment, "color"), "으로")
            self.later.append(self._of(noun, phrase))
        words = [self._word(garment, f) for f in self._ordered(given)] + [self._plain(garment, f) for f in added]
        clauses = [w for w in words if w.endswith(("달린", "있는", "두른", "없는", "된", "나는"))]
        words = clauses + [w for w in words if w not in clauses]
        glued = given and not added and len(words) == 1 and " " not in noun and self.maybe(0.12)
        return ("" if glued else " ").join([*words, noun])

    def _of(self, noun: str, phrase: str) -> str:
        """, 바지는 검은색으로; of one garment alone: 검은색으로."""
        if len(self.kinds) == 1:
            return self.pick((f" {phrase}", f", {phrase}"))
        name = noun.split()[-1]
        bare = phrase.removesuffix("으로").removesuffix("로")
        return self.pick((f", {attach(name, '은')} {phrase}", f", {phrase} {name}", f", {attach(name, '은')} {bare}"))

    def _ordered(self, given: list[str]) -> list[str]:
        order = ["color", "pattern", "material", "sleeve", "neckline", "hem", "details"]
        if self.maybe(0.25):
            order[0], order[1] = order[1], order[0]
        elif self.maybe(0.15):
            order = ["sleeve", "hem", *(f for f in order if f not in ("sleeve", "hem"))]
        return [field for field in order if field in given]

    def _word(self, garment: Garment, field: str) -> str:
        """An attribute as a person says it."""
        hanbok = GARMENT_BY_ID[garment.kind].hanbok
        if field == "pattern":
            if garment.pattern == "stripes" and garment.kind in ("jeogori", "hanbok_skirt") and self.maybe(0.6):
                return "색동"
            if self.maybe(0.25):
                return self.pick(_PATTERNS.get(garment.pattern, word("pattern", garment.pattern).ko))
        if field == "color":
            others = word("color", garment.color).everyday
            if others and self.maybe(0.45 if hanbok else 0.15):
                return self.pick(others)
        return self.modifier(garment, field)

    def _plain(self, garment: Garment, field: str) -> str:
        """An attribute as `fashion.completion` adds it: by its first name."""
        return word(field, getattr(garment, field)).modifiers[0]

    def _noun(self, garment: Garment, given: list[str]) -> str:
        """A name for the kind; what it says by itself is taken off `given`."""
        kind = garment.kind
        ways = [("material", _DENIM.get(kind, ()) if garment.material == "denim" else ()),
                ("hem", _LONG.get((kind, garment.hem or ""), ())),
                ("sleeve", _SLEEVED.get(garment.sleeve or "", ()) if kind == "t_shirt" else ()),
                ("neckline", _TURTLENECKS if garment.neckline == "turtleneck" else ())]  # fmt: skip
        for field, names in ways:
            if names and field in given and self.maybe(0.6):
                given.remove(field)
                return self.pick(names)
        if kind == "hanbok_skirt" and "jeogori" in self.kinds and self.maybe(0.6):
            return "치마"
        if kind in _NOUNS and self.maybe(0.6):
            return self.pick(_NOUNS[kind])
        return self.noun(garment)

    def _set(self) -> str | None:
        """한복 for a jeogori and a skirt of one colour, where nothing else is told of them."""
        pairs = self.garments
        if self.kinds != {"jeogori", "hanbok_skirt"} or not self.maybe(0.6):
            return None
        if any(set(fields) != {"color"} for _, fields in pairs) or len({g.color for g, _ in pairs}) > 1:
            return None
        return f"{self._word(pairs[0][0], 'color')} {self.pick(_SETS)}"

    def setting(self) -> str:
        """Background and style, last; where they were added, by their first names behind commas."""
        parts = []
        if self.background:
            parts.append(self._added("background") or self._place())
        if self.style:
            parts.append(self._added("style") or self.pick((", ", " ")) + self.pick(_STYLES[self.style]))
        if len(parts) == 2 and not self.added and self.maybe(0.3):
            parts.reverse()
        text = "".join(parts)
        if text and not self.added and self.maybe(0.2):
            text += self.pick((" 그려줘", " 그려 주세요", " 부탁해요", " 해줘", " 그려줄래?"))
        return text

    def _added(self, part: str) -> str | None:
        return f", {word(part, getattr(self, part)).ko[0]}" if part in self.added else None

    def _place(self) -> str:
        id = self.background or ""
        names, backdrop = word("background", id).ko, BACKGROUND_BY_ID[id].backdrop
        name = self.pick(tuple(n for n in names if not n.endswith("배경")) or names)
        ways = [f", 배경은 {backdrop}", f", 배경은 {attach(backdrop, '으로')}", f"인데 배경은 {attach(backdrop, '으로')}",
                f" 배경 {backdrop}", f", 배경은 {attach(backdrop, '으로')} 해줘", f", 배경 {backdrop}"]  # fmt: skip
        if id in SCENIC:
            short = name.removesuffix(" 안").removesuffix(" 마당")
            ways += [
                f", {name}에서",
                f" {name}에서",
                f" {short} 배경",
                f", {short} 배경으로",
                f" {short} 배경으로",
                f", {name}",
            ]
            ways += [f" {short} 앞에서"] if id in ("hanok", "street") else [f" {short}에 있는"]
        else:
            ways += [f", {name}", f" {name}", f" {name}에", f", {name}으로", f" {name}으로", f" {name} 위에"]
        return self.pick(tuple(ways))


_PATTERNS = {
    "checkered": ("체크", "체크무늬가 들어간", "체크무늬"), "dots": ("땡땡이", "도트", "물방울"), "stripes": ("줄무늬", "스트라이프", "줄무늬가 있는"),
    "floral": ("꽃무늬", "꽃", "플라워", "꽃무늬가 있는"), "cheetah": ("호피", "호피무늬", "레오파드", "표범무늬"), "cloud": ("구름무늬",),
    "camouflage": ("밀리터리", "카모", "군복무늬"), "dancheong": ("단청", "단청무늬"), "leaves": ("나뭇잎무늬", "나뭇잎"),
}  # fmt: skip
