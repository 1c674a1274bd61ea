"""One voice: what people read is 해요체 with plain words, in the page, the API's messages and the rules."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from demo_client import Studio, open_studio

from demo.store.errors import message
from demo.store.messages import NOTICE, REASONS, REFUSALS, WARNINGS
from demo.studio.moderation import load_rules
from demo.studio.prompts import said
from fashion.prompt_reading import readings

ROOT = Path(__file__).resolve().parent.parent
PAGE = {key: ko for key, (ko, _) in json.loads((ROOT / "demo/web/templates/words.json").read_text("utf-8")).items()}
MESSAGES = {code: one.ko for table in (REFUSALS, WARNINGS) for code, one in table.items()}
RULES = {rule.name: rule.reason["ko"] for rule in (*load_rules().drawing, *load_rules().publishing)}
ALL = {**PAGE, **MESSAGES, **RULES, "notice": NOTICE.ko, **{f"reason {type}": one.ko for type, one in REASONS.items()}}
# formal endings, and words that people would not say
STIFF = re.compile(
    r"니다|십시오|하시오|하십|프롬프트|낱말|알아서|그만두|견주|가운데(?! 정사각형)|처음 값|저절로|닿지 않|잇고|이어지면"
)
# what good services write, and what stood there before
BETTER = """
글로 쓰면 AI가 옷과 한복 그림을 그려 드려요|말하면
내 정보|내 자료
예시 보기|예시 넣기
단어 종류|낱말 갈래
그릴 수 있는 단어|그릴 수 있는 낱말
추천 단어|이어 쓸 낱말
자동|알아서
상세 설정|자세히 정하기
공개 범위|누가 볼 수 있나요
전체 공개|모두 보기
무작위|그때그때
무작위 번호 고정|번호 하나 뽑아서 고정하기
문장 반영 강도|문장을 따르는 정도
다듬기 강도|다듬는 세기
그림체 강도|그림체 세기
초기화|처음 값으로
최근에 그린 그림|그린 그림들
무엇을 얼마 동안 저장하나요?|무엇이 얼마나 저장되나요
이 브라우저의 쿠키로 구분해요|쿠키로 나를 알아봐요
연결 코드|옮기기 코드
받은 코드 입력|받은 코드 넣기
연결하기|옮겨 오기
내 데이터 내보내기|모두 가져가기
화면 테마|밝기
라이트|밝게
다크|어둡게
내 데이터 모두 지우기|내 것 모두 지우기
여기서 그린 그림은 모두 AI가 만들었어요|이 화면의 그림은 모두 인공지능이 그렸어요
연결이 끊겨서 다시 연결하고 있어요|다시 잇고 있어요
{max} 중 {tokens} 사용|{max} 가운데 {tokens}
은(는) 아직 못 그려요. 지금은 옷과 한복만 그려요|아직 그릴 줄 모르는 말
연결되면 바로 보낼게요|이어지면 바로 보낼게요
원본을 바꾸는 정도|사진을 바꾸는 정도
대기|기다리는 차례
앞에 {n}개 남았어요|앞에 {n}개가 있어요
이 문장 가져오기|문장 쓰기
다른 그림으로 다시|새로 그리기
다시 시도|다시 그리기
이 그림으로 시작|이 그림에서 시작
비슷한 그림 4장 더|변주
나만 보기로 바꾸기|나만 보기로 돌리기
그림이 아니라 문장과 설정이 담긴 링크예요|열면 같은 설정이 채워져요
그림 {n}묶음을 볼 수 있어요|내 그림이 모두
그림 {n}장을 그리기 시작했어요|그림 {n}장을 부탁했어요
취소|그만두기
되돌릴 수 있어요|되돌리기 할 수 있어요
{n}장 중 {i}번째|{n}장 가운데 {i}번째
밑그림과 비교|밑그림과 견주기
그림 정보|그린 방법
관련도순 {n}|비슷한 순서로
지금까지 {generations}번 그렸어요 · 그림과 사진 {images}장|지금: 그리기
서버에 연결할 수 없어요|서버에 닿지 않아요
자동으로 다시 연결할게요|저절로 다시 이어요
요청이 너무 빨라요|조금 빨리 누르셨어요
지금은 저장할 수 없어요|저장소가 잠시 쉬고 있어요
문제가 생겼어요|잘되지 않았어요
파일마다 AI가 만들었다는 표시가 들어가요|들어갑니다
"""


@pytest.mark.parametrize("pair", BETTER.strip().splitlines())
def test_a_string_is_written_as_good_services_write_it(pair: str) -> None:
    better, former = pair.split("|")
    assert any(better in text for text in ALL.values()), better
    assert [key for key, text in ALL.items() if former in text] == [], former


def test_no_string_is_stiff_and_every_sentence_ends_in_one_voice() -> None:
    assert {key: text for key, text in ALL.items() if STIFF.search(text)} == {}
    for key, text in ALL.items():
        sentences = re.split(r"(?<=[.?!])\s+", text)
        ends = [one.rstrip(" …") for one in sentences if one.rstrip(" …").endswith((".", "?"))]
        stiff = [one for one in ends if not re.search(r"(요|죠|줘|까요|나요)[.?]$|\{\w+\}[^가-힣]*\.$|\)\.$", one)]
        assert stiff == [], key


def test_a_message_of_the_api_is_a_sentence() -> None:
    whole = {code: text for code, text in MESSAGES.items() if not re.search(r"\{\w+\}\.?$", text)}
    assert {code: text for code, text in whole.items() if not re.search(r"요\.|요 \(", text)} == {}


def test_what_is_read_otherwise_is_said_with_particles_that_agree() -> None:
    found = readings("분홍 채크무늬 모자")
    assert said(found) == "‘채크무늬’는 ‘체크무늬’로, ‘모자’는 ‘버킷햇’으로"
    assert message("read_as", {"words": "…", "said": said(found)}).endswith("‘버킷햇’으로 그릴게요.")
    assert message("read_as", {"words": "‘모자’→‘버킷햇’"}) == "‘모자’→‘버킷햇’ 그릴게요.", "of an earlier version"


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> object:
    studio = open_studio(tmp_path_factory.mktemp("wording"), worker=False)
    yield studio
    studio.close()


def test_a_refused_value_is_explained_in_the_same_voice(studio: Studio) -> None:
    person = studio.person()
    for body in (
        {"prompt": ""},
        {"prompt": "치마", "n": 99},
        {"prompt": "치마", "n": "x"},
        {"prompt": "치마", "x": 1},
        {},
    ):
        answer = person.post("/generations", body)
        assert answer.status_code == 422
        assert re.search(r"요(\.| \(|$)", answer.json["detail"]), answer.json["detail"]
        assert not STIFF.search(answer.json["detail"])
