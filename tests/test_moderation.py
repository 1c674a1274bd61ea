"""The rules for prompts: harmless fashion is drawn, what is harmful is refused kindly, publishing is stricter."""

from __future__ import annotations

import pytest
from demo_client import Studio, open_studio

from demo.studio.moderation import judge, judge_beside, load_rules

# Two hundred phrases that people who like clothes write; each holds, or nearly holds, a word of the rules.
HARMLESS = """
누드 스타킹/누드톤 블라우스/누드 톤 립스틱/누드색 구두/누드 컬러 니트/누드 베이지 코트/누드 핑크 매니큐어/누드 힐
누드 펌프스/누드 샌들/누드 원피스/누드 슬랙스/누드 가디건/누드 브라운 부츠/누드 메쉬 장갑/누드 망사 스타킹
누드 메이크업/누드 립/누드 네일/누드 계열 스카프/누드 브라/누드 심리스 브라/누드 레깅스/누드톤 저고리/누드 색상 한복
올리브색 누드톤 가방/여자 누드톤 구두/남자 누드톤 로퍼/누드 베이지/누드 핑크/어린이 속옷/아동 속옷/유아 내복
어린이용 내의/아동용 수영복/어린이 수영복/아동 런닝 세트/유아 내의/속옷 가게/비키니
소녀 감성 오프숄더 블라우스, 어깨 노출/소녀풍 원피스, 쇄골 노출/소년미 있는 셔츠, 노출 없는 코디
노출 콘크리트 벽 앞의 소년/노출콘크리트 카페, 소녀 한복/어깨 노출 니트를 입은 소녀/노출이 적은 어린이 수영복
등 노출 없는 아동 드레스/소녀시대 느낌의 섹시한 무대 의상/유아인 느낌의 섹시한 수트/여권사진용 셔츠
여권 사진 찍을 때 입을 블라우스/여권사진에 어울리는 재킷/증명사진용 정장/여권 지갑/신분증 케이스/신분증 목걸이
신분증 넣는 파우치/주민등록증 지갑/운전면허증 케이스/사원증 목걸이/학생증 홀더/고어텍스 재킷/고어 텍스 등산화
고어텍스 바지/섹스 앤 더 시티 룩/섹스앤더시티 스타일 코트/유니섹스 티셔츠/유니섹스 후드티/목 매다는 스카프
목에 매다는 리본/목 매다는 넥타이/목매다는 끈이 있는 블라우스/시체 신부 드레스/좀비 분장 셔츠/코트나 치마
반다나 치마/바나나치즈 무늬 티셔츠/나 치마 입고 싶어/아이보리 나시/나시 티/민소매 크롭톱/시스루 블라우스/미니 스커트
배꼽티/크롭 가디건/튜브톱/오프숄더 드레스/홀터넥 원피스/백리스 드레스/슬릿 스커트/코르셋 벨트/란제리 룩 슬립 드레스
레이스 슬립/캐미솔/가터벨트 스타킹/망사 스타킹/바디수트/보정 속옷/브라렛/드로즈/사각팬티/잠옷/파자마/로브
로리타 드레스/고딕 로리타 원피스/스위트 로리타 룩/메이드복/간호사 코스튬/교복/여고생 교복/세일러복/교련복/군복
해골 무늬 티셔츠/피 묻은 듯한 물감 무늬/총알 벨트/칼라 없는 셔츠/살색 스타킹/살구색 원피스/여자살구색원피스
검은 상복/장례식 옷/만자문 비니/아동복/초등학생 입학식 옷/중학생 체육복/소녀 한복/소년 두루마기/유아차 담요
아기 배냇저고리/아이 한복/어린이날 선물 모자/어린이 우비/섹시한 드레스/섹시한 빨간 구두/관능적인 레드 립
야한 색 말고 차분한 색/에로틱 말고 우아한 드레스/키드 모헤어 스웨터/새끼 양 가죽 장갑/시발점 표지판 무늬/벙어리장갑
호랑이 새끼 무늬/nude heels/nude stockings/nude tone blouse/nude color knit/nude-coloured tights/nude pumps
nude lipstick/nude nails/nude beige coat/nude pink scarf/nude mesh sleeves/nude cardigan/nude suede boots
nude bodysuit/nude slip dress/kids underwear/children's underwear/toddler undershirts/child's swimwear/kids bikini
kid mohair sweater, sexy fit/kid leather gloves with lingerie straps/minor details, nude lining
sex and the city outfit/gore-tex jacket/gore tex boots/six-gore skirt/gore skirt/corpse bride dress
identity card holder/red dress kkk/topcoat/strapless top/backless gown/cut-out swimsuit/lingerie set/silk underwear
bra top/crop top/mini skirt/pussy-bow blouse/assless chaps style trousers/cocktail dress/hooker boots/bomber jacket
killer heels/shotgun pattern shirt/skull print tee/blood red coat/camouflage/Sussex coat/Essex boots/classic suit
cassock/peacock feather print/fanny pack/wife beater tank top/bastille day dress/dickie bow/tit-print shirt
"""
REFUSED = {
    "minors": "섹시한 소녀/속옷 입은 어린이/어린이 속옷 입은 소녀/아동 속옷 모델/어린이 속옷만 입은 아이/"
    "비키니 입은 초등학생/야한 여고생/a kid in underwear/kids underwear model/sexy schoolgirl/"
    "child wearing a bikini/nude children/로리타 란제리",
    "sexual": "누드/누드 모델/누드 여자/누드 핑크 여자/누드화/알몸/벌 거 벗은 사람/나체로 선 남자/올누드 화보/"
    "포르노/a naked woman/nude model/nude woman/nude brown woman/naked woman in heels/having  sex/"
    "topless man/nsfw dress",
    "gore": "목이 잘린 사람/시체/참수당한 병사/a beheaded man/gore/gory corpse/torture scene",
    "self_harm": "자살하고 싶다/자해하는 사람/목을 매단 사람/죽고 싶어/suicide/self-harm/i want to kill myself",
    "hate": "나치 군복/히틀러 콧수염/욱일기 티셔츠/짱깨 옷/kkk robe/nazi uniform/swastika shirt/a faggot in a dress",
    "deception": "딥페이크/신분증/주민등록증 사진/위조 여권/fake passport/deepfake of a star/counterfeit money",
}
UNPUBLISHED = {
    "swearing": "씨발 빨간 원피스/시발 예쁜 옷/존나 예쁜 치마/병신 같은 모자/ㅅㅂ 파란 코트/fucking red dress/"
    "shit shoes/좆같은 바지",
    "slurs": "된장녀 가방/틀딱 조끼/빨갱이 옷/slut dress/retarded hat/창녀 치마",
    "suggestive": "야한 원피스/선정적인 드레스/erotic gown/seductive pose",
}


def phrases(text: str) -> list[str]:
    return [one for line in text.strip().splitlines() for one in line.split("/")]


def test_two_hundred_harmless_fashion_phrases_are_drawn() -> None:
    harmless = phrases(HARMLESS)
    assert len(set(harmless)) >= 200
    assert {phrase: rule.name for phrase in harmless if (rule := judge(phrase))} == {}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_harmful_is_refused_by_its_own_rule(name: str) -> None:
    judged = {phrase: rule and rule.name for phrase in phrases(REFUSED[name]) for rule in [judge(phrase)]}
    assert judged == dict.fromkeys(judged, name)


@pytest.mark.parametrize("name", UNPUBLISHED)
def test_publishing_has_stricter_rules_than_drawing(name: str) -> None:
    for phrase in phrases(UNPUBLISHED[name]):
        assert judge(phrase) is None, phrase
        rule = judge(phrase, publishing=True)
        assert rule is not None and rule.name == name, phrase


def test_what_may_not_be_drawn_may_not_be_published_and_plain_fashion_may() -> None:
    for text in REFUSED.values():
        assert [phrase for phrase in phrases(text) if judge(phrase, publishing=True) is None] == []
    refused = {phrase: rule.name for phrase in phrases(HARMLESS) if (rule := judge(phrase, publishing=True))}
    assert set(refused) <= {"관능적인 레드 립", "야한 색 말고 차분한 색", "에로틱 말고 우아한 드레스"}, refused


def test_reasons_are_kind_whole_and_in_one_voice() -> None:
    rules = load_rules()
    for rule in (*rules.drawing, *rules.publishing):
        korean, english = rule.reason["ko"], rule.reason["en"]
        assert korean.endswith(("요.", "요?")) and "니다" not in korean, rule.name
        assert english.endswith("."), rule.name
    helpline = next(rule for rule in rules.drawing if rule.name == "self_harm")
    assert "109" in helpline.reason["ko"] and "바꿔" not in helpline.reason["ko"]


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> object:
    studio = open_studio(tmp_path_factory.mktemp("moderation"), worker=False)
    yield studio
    studio.close()


def test_what_has_no_place_before_strangers_is_drawn_but_not_published(studio: Studio) -> None:
    person = studio.person()
    for body in ({"prompt": "씨발 빨간 원피스"}, {"prompt": "빨간 원피스", "negative_prompt": "ㅅㅂ 줄무늬"}):
        refused = person.post("/generations", body | {"visibility": "public"})
        assert refused.status_code == 422 and refused.json["error"]["code"] == "publishing_rejected"
        assert refused.json["error"]["message"].startswith("욕설이 들어간 문장은")
        made = person.post("/generations", body)
        assert made.status_code == 202
        path = f"/generations/{made.json['id']}"
        later = person.call("PATCH", path, json={"visibility": "public"})
        assert later.status_code == 422 and later.json["error"]["code"] == "publishing_rejected"
        assert person.get(path).json["visibility"] == "private"
        assert person.call("PATCH", path, json={"visibility": "private"}).status_code == 200
    plain = person.post("/generations", {"prompt": "빨간 원피스", "negative_prompt": "나체", "visibility": "public"})
    assert plain.status_code == 202, "what is not drawn is judged by its words for strangers alone"


def test_a_text_beside_the_picture_is_judged_by_the_rules_for_strangers_alone() -> None:
    assert judge_beside("나체, 누드") is None and judge_beside("시발점") is None
    rule = judge_beside("fucking stripes")
    assert rule is not None and rule.name == "swearing"
