"""What requests are made of besides words of the lexicon (그려 주세요, 입은 사람): neither known nor worth a remark.

Words, particles and negations, which `fashion.segmentation` cuts a prompt into.
"""

from __future__ import annotations

from hangul.particles import PAIRS

_KOREAN = """
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
_ENGLISH = """
    a an the of in on with and or as at for to from by me my you your i i'd like want show draw drawn please pls plz
    make paint see can could would give picture drawing image sketch illustration photo art style person model
    figure someone man woman girl boy people wearing wears worn dressed carrying carries holding holds pair pairs
    outfit look day styled together background against front is are has have this that these those there it its one
    clothes clothing garment garments hanbok hat hats shoes headwear footwear top tops bottoms
    over under plus out tucked into full both but rainbow sketch
    nice pretty beautiful cute new some color colour colored coloured pattern patterned made fabric
"""
# what says that a word is not wanted, behind it or in front of it (fashion.negation)
_AFTER = """
    없이 없는 없고 없게 말고 말구 빼고 빼줘 빼주세요 아닌 아니고 제외하고 제외한 제외 대신 대신에 싫어 싫어요 싫고
"""
NEGATIONS_AFTER = tuple(_AFTER.split())
NEGATIONS_BEFORE = ("without", "no", "not", "except", "excluding", "minus")
PLAIN = frozenset((*_KOREAN.split(), *_ENGLISH.split(), *NEGATIONS_AFTER, *NEGATIONS_BEFORE))
_MORE = "의 에 에다가 에서 도 만 하고 에게 까지 부터 처럼 보다 서 같은 들 입니다 이에요 예요 인 이고 인데 이야 야"
_DRAWN = "을그린 를그린 로그린 으로그린"  # drawn, where 그린 could be green
_ALONE = ("아", "이고", "이에요")  # pairs that are not particles of a garment, or stand in the list above
PARTICLES = frozenset(f"{_MORE} {_DRAWN}".split()) | {
    form for pair in PAIRS if pair[0] not in _ALONE for form in pair[:2]
}
PAIRED = frozenset(form for pair in PAIRS for form in pair[:2])
