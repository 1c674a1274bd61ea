"""Korean captions in twenty-two shapes: keywords, noun phrases, requests, descriptions, tags, shop copy.

Particles agree with the word before them (`hangul.particles`), clothes are put on with their own verbs
(모자를 쓰고, 신발을 신고, 가방을 들고), and attributes come in several orders right before their garment.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING

from fashion.lexicon import BACKGROUND_BY_ID, GARMENT_BY_ID
from fashion.phrases_korean import PEOPLE, SCENIC, Speech
from hangul.particles import attach

if TYPE_CHECKING:
    from fashion.captions import CaptionContent

_SLOT_NAMES = {
    "head": "모자", "neck": "목에는", "top": "상의", "outer": "겉옷", "whole": "옷", "bottom": "하의",
    "feet": "신발", "hand": "손에는",
}  # fmt: skip
_REQUESTS = ("그려줘", "그려 줘", "그려줘요", "그려 봐", "그려줄래?")
_POLITE_REQUESTS = ("그려 주세요", "그려주세요", "그려 주시겠어요?", "그려 주세요!", "그려 주시면 좋겠어요")
_QUESTIONS = ("그려 줄 수 있어?", "그려 주실 수 있나요?", "그려 줄 수 있을까요?", "그려 볼 수 있을까?")
_SHOP_LINES = (
    "매일 손이 가는 {np}입니다", "이번 시즌에 꼭 있어야 할 {np}입니다", "어디에나 잘 어울리는 {np}예요",
    "옷장에 하나쯤은 있어야 하는 {np}", "신상 {np}, 지금 만나 보세요",
)  # fmt: skip
_SHOP_LOOKS = ("데일리 룩입니다", "오늘의 추천 코디", "주말에 입기 좋은 코디예요")


def say(content: CaptionContent, rng: random.Random, shape: str | None) -> tuple[str, str]:
    """Return the text and the name of its shape. Raises ValueError for a shape that does not fit."""
    fitting = _FITTING[content.scene.layout == "figure", len(content.scene.garments) > 1]
    if shape is not None and shape not in fitting:
        raise ValueError(f"shape {shape!r} does not fit: use one of {', '.join(fitting)}")
    name = shape or fitting[int(rng.random() * len(fitting))]
    return SHAPES[name](Speech(content, rng)), name


def _keywords(s: Speech) -> str:
    sign = s.pick((", ", " "))
    items = s.all()
    if s.figure:
        items.append(s.pick((f"{s.verbs(0)[1]} 사람", "착용 모델", "착용샷")) if len(items) == 1 else "코디")
    if s.background:
        items.append(s.background_name())
    if s.style:
        items.append(s.style_name())
    return (", " if len(s.garments) > 1 else sign).join(items)


def _noun(s: Speech) -> str:
    return s.placed() + s.rest()


def _picture(s: Speech) -> str:
    medium = s.style_name() or s.pick(("그림", "이미지", "그림 한 장", "스케치"))
    subject = s.placed(1.0)
    return f"{attach(subject, '을')} 그린 {medium}" if s.maybe(0.4) else f"{subject} {medium}"


def _request(s: Speech, endings: tuple[str, ...] = _REQUESTS) -> str:
    before = ""
    if s.background and s.background not in SCENIC and s.maybe(0.3):
        before = f"{s.background_name()}으로 "
    elif s.background and s.maybe(0.15):
        before = f"배경은 {attach(BACKGROUND_BY_ID[s.background].backdrop, '으로')} 하고 "
        s.background = None
    subject = attach(s.placed(1.0), "을") if s.maybe(0.8) else s.placed(1.0)
    manner = s.manner()
    if s.maybe(0.2) and manner:
        return f"{manner}{before}{subject} {s.pick(endings)}"
    return f"{before}{subject} {manner}{s.pick(endings)}"


def _polite_request(s: Speech) -> str:
    return _request(s, _POLITE_REQUESTS)


def _question(s: Speech) -> str:
    return _request(s, _QUESTIONS)


def _one_picture(s: Speech) -> str:
    subject = s.placed(1.0)
    return f"{subject} {'한 명' if s.figure else '하나'} {s.manner()}{s.pick(_REQUESTS + _POLITE_REQUESTS)}"


def _wish(s: Speech) -> str:
    style = s.style_name() or "그림"
    picture = f"{s.placed(1.0)} {style}"
    subject, object = attach(picture, "이"), attach(picture, "을")
    return s.pick((
        f"{subject} 필요해요", f"{subject} 있으면 좋겠어요", f"{object} 갖고 싶어요", f"{object} 보고 싶어",
        f"{object} 부탁해요", f"{picture} 부탁드립니다",
    ))  # fmt: skip


def _tags(s: Speech) -> str:
    """원피스(빨강, 체크무늬, 면), 가방(검정): brackets bind."""
    items = []
    for garment, fields in s.garments:
        inside = ", ".join(s.value(garment, field) for field in fields)
        items.append(f"{s.noun(garment)}({inside})" if inside else s.noun(garment))
    return ", ".join(items) + (", 착용한 사람" if s.figure else "") + s.rest()


def _described(s: Speech) -> str:
    """원피스는 빨간색, 체크무늬, 반팔이에요. Every sentence ends as the first does, plainly or formally."""
    texts: list[str] = []
    formal = False
    for garment, fields in s.garments:
        values = [s.value(garment, field) for field in fields]
        if not values:
            texts.append(f"{attach(s.noun(garment), '이')} {'있습니다' if formal else '있어요'}")
            continue
        picked = s.pick(("이에요", "입니다"))
        formal = formal if texts else picked == "입니다"
        end = f"{values[-1]}입니다" if formal else attach(values[-1], "이에요")
        texts.append(f"{attach(s.noun(garment), '은')} {', '.join((*values[:-1], end))}")
    start = s.pick(("옷을 입은 사람, ", "사람이 입은 옷: ")) if s.figure else ""
    return start + ". ".join(texts) + s.rest()


def _statement(s: Speech) -> str:
    if s.figure:
        place = f"{s.background_name()}에서 " if s.background else ""
        end = f"{attach(s.pick(PEOPLE), '이')} {s.worn(2)}"
        return f"{place}{end}{s.rest()}"
    subject = s.placed()
    return f"{s.pick((attach(subject, '이에요'), f'{subject}입니다', f'{subject}야'))}{s.rest()}"


def _shop(s: Speech) -> str:
    if s.figure:
        line = f"{s.placed(1.0)}, {s.pick(_SHOP_LOOKS)}"
    else:
        line = s.pick(_SHOP_LINES).format(np=s.phrase(*s.garments[0]))
        if line.endswith("예요"):
            line = attach(line.removesuffix("예요"), "이에요")
    return line + s.rest()


def _style_first(s: Speech) -> str:
    style = s.style_name()
    if not style:
        return f"{s.pick(('패션 스케치', '의상 도안', '옷 그림'))}: {s.placed(1.0)}"
    before = s.pick((f"{attach(style, '으로')} 그린", f"{style} 스타일의", f"{style} 느낌의", f"{style}:"))
    return f"{before} {s.placed(1.0)}"


def _place_first(s: Speech) -> str:
    if not s.background:
        return _noun(s)
    id = s.background
    start = s.pick((f"배경은 {BACKGROUND_BY_ID[id].backdrop},", f"{s.background_name()},"))
    s.background = None
    return f"{start} {s.subject()}{s.rest()}"


def _hashtags(s: Speech) -> str:
    items = [phrase.replace(" ", "") for phrase in s.all()]
    items += ["착용샷" if len(items) == 1 else "코디"] if s.figure else []
    items += [s.background_name().replace(" ", "")] if s.background else []
    items += [s.style_name().replace(" ", "")] if s.style else []
    return " ".join(f"#{item}" for item in items)


def _slots(s: Speech) -> str:
    """모자는 분홍 버킷햇, 상의는 흰 티셔츠."""
    texts = []
    for garment, fields in s.garments:
        slot = _SLOT_NAMES[GARMENT_BY_ID[garment.kind].slot]
        texts.append(f"{slot if slot.endswith('는') else attach(slot, '은')} {s.phrase(garment, fields)}")
    return ", ".join(texts) + s.rest()


def _outfit(s: Speech) -> str:
    first, *others = s.all()
    if s.maybe(0.4):
        return f"{s.pick(('오늘의 룩: ', '코디: ', ''))}{' + '.join((first, *others))}{s.rest()}"
    joined = first
    for other in others:
        joined = f"{attach(joined, '과')} {other}"
    end = s.pick(("코디", "조합", "착장", "매치", "옷차림"))
    if len(others) == 1 and s.maybe(0.4):
        end = s.pick(("매치한 코디", "맞춘 착장", "더한 옷차림"))
        return f"{first}에 {attach(others[0], '을')} {end}{s.rest()}"
    return f"{joined} {end}{s.rest()}"


def _then_details(s: Speech) -> str:
    """원피스를 그려줘. 색은 빨강, 무늬는 체크무늬."""
    labels = {"color": "색은", "pattern": "무늬는", "material": "소재는", "sleeve": "소매는", "hem": "기장은",
              "neckline": "목선은", "details": "디테일은"}  # fmt: skip
    garment, fields = s.garments[0]
    listed = ", ".join(f"{labels[field]} {s.value(garment, field)}" for field in fields)
    noun = s.noun(garment)
    if s.figure:
        noun = f"{attach(noun, '을')} {s.verbs(0)[1]} 사람"
    start = f"{attach(noun, '을')} {s.pick(_REQUESTS + _POLITE_REQUESTS).rstrip('?!')}"
    return (f"{start}. {listed}" if listed else start) + s.rest()


def _casual(s: Speech) -> str:
    """원피스인데 빨간색에 체크무늬로."""
    garment, fields = s.garments[0]
    values = [s.value(garment, field) for field in fields]
    if not values:
        return _request(s)
    noun = f"사람이 {s.verbs(0)[1]} {s.noun(garment)}" if s.figure else s.noun(garment)
    joined = ", ".join(values[:-1])
    last = attach(values[-1], "으로")
    text = f"{noun}인데 {f'{joined}에 ' if joined else ''}{last}"
    return f"{text} {s.manner()}{s.pick(_REQUESTS)}{s.rest()}"


def _there_is(s: Speech) -> str:
    place = f"{s.background_name()}에 " if s.background else ""
    subject = attach(s.subject(), "이")
    if s.figure:
        end = s.pick(("서 있어요", "서 있습니다", "있다", "서 있는 모습"))
    else:
        end = s.pick(("놓여 있어요", "있습니다", "있어요", "놓여 있다"))
    return f"{place}{subject} {end}{s.rest()}"


def _only(s: Speech) -> str:
    request = f"{s.manner()}{s.pick(_REQUESTS + _POLITE_REQUESTS)}"
    return f"다른 건 없이 {s.phrase(*s.garments[0])}만 {request}{s.rest()}"


def _title(s: Speech) -> str:
    return f"제목: {s.placed(1.0)}{s.rest()}"


SHAPES: dict[str, Callable[[Speech], str]] = {
    "keywords": _keywords, "noun": _noun, "picture": _picture, "request": _request,
    "polite_request": _polite_request, "question": _question, "one_picture": _one_picture, "wish": _wish,
    "tags": _tags, "described": _described, "statement": _statement, "shop": _shop,
    "style_first": _style_first, "place_first": _place_first, "hashtags": _hashtags, "slots": _slots,
    "outfit": _outfit, "then_details": _then_details, "casual": _casual, "there_is": _there_is,
    "only": _only, "title": _title,
}  # fmt: skip
_ONE_ONLY, _MANY_ONLY, _ALONE_ONLY = {"then_details", "casual"}, {"slots", "outfit"}, {"only"}
_FITTING: dict[tuple[bool, bool], tuple[str, ...]] = {
    (figure, many): tuple(
        name for name in SHAPES
        if name not in (_ONE_ONLY if many else _MANY_ONLY) and not (figure and name in _ALONE_ONLY)
    )
    for figure in (False, True) for many in (False, True)
}  # fmt: skip
