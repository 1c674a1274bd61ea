"""Every sentence that the service says to people, in Korean and English: one table, by code.

A table, not gettext catalogues: there are two languages, each sentence is short, and a test holds every code to both;
catalogues would add a compile step and a second file a language. The page's own words are the like
(demo/web/templates/words.json).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Sentence:
    """What a person reads; `retry_after`: of a refusal, seconds after which asking again makes sense."""

    ko: str
    en: str
    retry_after: int | None = None

    def text(self, language: str) -> str:
        return self.en if language == "en" else self.ko


# in place of `unknown_style` where there is no style to name
NO_STYLES = Sentence(
    "‘{style}’ 그림체는 없어요. 설치된 그림체 파일(LoRA)이 아직 없어요. 서버에서 ‘python -m demo styles add 파일’ "
    "명령으로 더할 수 있어요.",
    "There is no style ‘{style}’: no style file (LoRA) is installed. Add one on the server: "
    "python -m demo styles add FILE",
)
NOTICE = Sentence(
    "그림은 생성형 AI가 그려요. 그림 파일마다 AI가 만들었다는 표시가 들어가요.",
    "The pictures of this service are drawn by generative AI. Every picture file is marked as made by AI.",
)

# what a request is refused for, or a job ends with
REFUSALS: dict[str, Sentence] = {
    "bad_request": Sentence(
        "요청을 읽을 수 없어요. 형식을 확인해 주세요.", "The request cannot be read. Check its form."
    ),
    "bad_cursor": Sentence(
        "목록의 다음 쪽을 찾을 수 없어요. 처음부터 다시 열어 주세요.",
        "The cursor is not one of ours. Start the list again.",
    ),
    "bad_token": Sentence("토큰이 맞지 않아요. 다시 확인해 주세요.", "The token is not valid. Please check it."),
    "token_required": Sentence(
        "초대받은 사람만 쓸 수 있어요. 받은 코드나 토큰을 입력해 주세요.",
        "This server is by invitation: it needs a code or a token.",
    ),
    "cross_site": Sentence("다른 사이트에서 보낸 요청은 받지 않아요.", "Requests from other sites are refused."),
    "bad_host": Sentence("이 주소로는 접속할 수 없어요.", "The server does not answer to this host name."),
    "admin_only": Sentence("관리자 토큰이 필요해요.", "This needs the admin token."),
    "not_found": Sentence("찾을 수 없어요.", "Not found."),
    "method_not_allowed": Sentence("이 주소에서는 쓸 수 없는 방법이에요.", "This method is not allowed here."),
    "already_finished": Sentence("이미 끝난 작업이에요.", "The job has already ended."),
    "code_used": Sentence(
        "이미 썼거나 기한이 지난 코드예요. 새 코드를 만들어 주세요.",
        "The code was used or has expired. Make a new one.",
    ),
    "too_large": Sentence("보낸 내용이 너무 커요.", "The request is too large."),
    "unsupported_media_type": Sentence("이 형식은 받을 수 없어요.", "This content type is not accepted."),
    "invalid_request": Sentence("요청 값을 확인해 주세요: {detail}", "The request is not valid: {detail}"),
    "prompt_empty": Sentence("무엇을 그릴지 적어 주세요.", "The prompt is empty. Say what to draw."),
    "cancelled": Sentence("취소한 작업이에요.", "The job was cancelled."),
    "drafts_off": Sentence("지금은 쓰는 동안 보여 주는 그림이 꺼져 있어요.", "Drafts are switched off here."),
    "prompt_too_long": Sentence(
        "문장은 {limit}자까지 쓸 수 있어요. 지금은 {got}자예요.", "A prompt has at most {limit} characters, not {got}."
    ),
    "prompt_rejected": Sentence("{reason}", "{reason}"),  # a whole sentence of moderation.yaml
    "publishing_rejected": Sentence("{reason}", "{reason}"),  # so is this
    "unknown_style": Sentence(
        "‘{style}’ 그림체는 없어요. 있는 그림체: {known}", "There is no style ‘{style}’. There are: {known}"
    ),
    "unknown_source_image": Sentence("시작할 그림을 찾을 수 없어요.", "The source image cannot be found."),
    "edit_nothing": Sentence(
        "무엇을 바꿀지 알려 주세요. 바꿀 말(replace), 새 문장(prompt), 항목(title, color, style) 중에서 골라 주세요.",
        "Say what to change, one of: words (replace), a new sentence (prompt), or title, color and style.",
    ),
    "edit_several": Sentence(
        "바꾸는 방법이 둘 이상 왔어요 ({given}). 하나만 보내 주세요.",
        "There are several ways to change in one request ({given}): give one of them.",
    ),
    "edit_unknown_word": Sentence(
        "‘{word}’: 이 그림의 문장에 없는 말이에요. 바꿀 수 있는 말: {known}",
        "“{word}” is not in this picture's prompt. Words that can be replaced: {known}",
    ),
    "edit_same_word": Sentence(
        "‘{word}’: 같은 말로는 그림이 달라지지 않아요. 다른 말을 골라 주세요.",
        "“{word}” is already there: choose another word, the picture would not change.",
    ),
    "edit_word_twice": Sentence(
        "‘{word}’: 한 말을 두 번 바꿀 수 없어요. 한 번만 적어 주세요.",
        "“{word}” is replaced twice: give each word once.",
    ),
    "edit_source_prompt": Sentence(
        "올린 그림이에요. 무엇이 보이는지 문장으로 알려 주세요 (source_prompt).",
        "The service did not draw this picture: say what it shows (source_prompt).",
    ),
    "edit_mask_size": Sentence(
        "마스크({got})와 그림({wanted})의 크기가 달라요. 그림과 같은 크기로 올려 주세요.",
        "The mask is {got}, its picture is {wanted}: upload a mask of the picture's size.",
    ),
    "size_square": Sentence(
        "{got} 크기로는 그릴 수 없어요. 이 모델은 {side}×{side} 정사각형만 그려요. 크기를 빼고 보내 주세요.",
        "{got} cannot be drawn: this checkpoint draws squares of {side}×{side} only. Leave width and height out.",
    ),
    "size_unfit": Sentence(
        "{got} 크기로는 그릴 수 없어요. 가로와 세로는 {unit}의 배수, 넓이는 {most}픽셀까지예요. 예: {offered}",
        "{got} cannot be drawn: width and height are multiples of {unit}, at most {most} pixels in all: {offered}.",
    ),
    "pattern_nothing": Sentence(
        "어떤 무늬인지 알려 주세요. 종류(category)를 고르거나 문장(prompt)으로 적어 주세요.",
        "Say which pattern: choose a category, or describe it (prompt).",
    ),
    "patterns_missing": Sentence(
        "지금은 무늬를 만들 수 없어요. 서버에 무늬 모델이 없어요. 가지고 있는 무늬 그림을 올려서 입혀 볼 수는 있어요.",
        "Patterns cannot be made here: the server has no pattern generator (TEXTILE). Upload a pattern to put it on.",
        30,
    ),
    "apply_target": Sentence(
        "무늬를 입힐 것을 하나만 골라 주세요. 기본 품목(item)이나 그림(source_image) 중 하나예요 ({given}).",
        "Choose one thing to put the pattern on: a default item (item) or a picture (source_image), not {given}.",
    ),
    "cloth_tiny": Sentence(
        "{got} 그림은 너무 작아요. 가로세로 {least}픽셀 이상인 그림을 써 주세요.",
        "The picture has {got} pixels, too few: take one of at least {least}×{least}.",
    ),
    "cloth_empty": Sentence(
        "그림이 비어 있어요 (투명하거나 한 가지 색이에요). 옷이 보이는 그림을 써 주세요.",
        "The picture is empty (transparent, or of one colour): take one that shows clothes.",
    ),
    "cloth_missing": Sentence(
        "그림에서 옷을 찾지 못했어요. 옷이 잘 보이는 그림을 쓰거나 옷을 붓으로 칠해 주세요.",
        "No garment is found in the picture: take one that shows clothes, or paint the garment.",
    ),
    "cloth_unfound": Sentence(
        "옷을 찾는 모델이 서버에 없어요. 무늬를 입힐 곳을 붓으로 칠해 주세요 (mask_image).",
        "The server has no model that finds garments: paint where the pattern is to go (mask_image).",
    ),
    "cloth_mask": Sentence(
        "칠한 곳이 없어요. 무늬를 입힐 곳을 흰색으로 칠해 주세요.",
        "The mask is empty: paint the garment white, the rest black.",
    ),
    "upload_private": Sentence(
        "올린 사진은 공개할 수 없어요. 여기서 그린 그림만 공개할 수 있어요.",
        "An uploaded photo cannot be published, only pictures that were drawn here.",
    ),
    "trash_off": Sentence(
        "휴지통을 쓰지 않는 서버예요. 지우려면 DELETE를 쓰세요.",
        "This server has no trash (TRASH_DAYS); delete instead.",
    ),
    "closet_full": Sentence("{limit}개까지 담을 수 있어요.", "The closet holds {limit} at most; take something out."),
    "idempotency_conflict": Sentence(
        "같은 Idempotency-Key로 다른 요청을 보냈어요. 새 키로 보내 주세요.",
        "This Idempotency-Key was used for another request. Send a new one.",
    ),
    "bad_image": Sentence(
        "그림으로 열 수 없는 파일이에요. PNG, JPEG, WebP를 보내 주세요.",
        "The picture cannot be read. Send PNG, JPEG or WebP.",
    ),
    "image_too_large": Sentence(
        "그림이 너무 커요. 2,500만 화소까지 받아요 (WebP는 800만, 프로그레시브 JPEG는 1,200만).",
        "The picture is too large (25 million pixels at most; as WebP 8 million, as progressive JPEG 12 million).",
    ),
    "rate_limited": Sentence(
        "요청이 너무 빨라요. 잠시 뒤에 다시 시도해 주세요.", "Too many requests; wait a little.", 10
    ),
    "queue_full": Sentence(
        "지금은 기다리는 그림이 많아요. 잠시 뒤에 다시 시도해 주세요.", "The queue is full; try again in a while.", 15
    ),
    "address_full": Sentence(
        "이 인터넷 주소에서 기다리는 그림이 많아요. 잠시 뒤에 다시 시도해 주세요.",
        "Many jobs from this address are waiting; try again in a while.",
        15,
    ),
    "too_many_jobs": Sentence(
        "그리고 있는 그림이 많아요. 하나가 끝난 뒤에 다시 시도해 주세요.",
        "You have too many jobs waiting; let some finish.",
        15,
    ),
    "internal": Sentence(
        "서버에 문제가 생겼어요. 잠시 뒤에 다시 시도해 주세요.",
        "Something went wrong on the server. Try again in a while.",
    ),
    "not_ready": Sentence(
        "서버가 준비하고 있어요. 잠시만 기다려 주세요.", "The server is starting; it takes seconds.", 2
    ),
    "checkpoint_missing": Sentence("그림 모델이 없어요: {detail}", "There is no checkpoint to draw with: {detail}", 30),
    "encoder_missing": Sentence("한국어 인코더가 없어요: {detail}", "There is no Korean text encoder: {detail}", 30),
    "too_many_streams": Sentence(
        "실시간 연결이 많아요. 그림의 상태를 다시 물어봐 주세요.",
        "Too many event streams; poll the generation instead.",
        5,
    ),
    "database_busy": Sentence("서버가 잠시 바빠요. 다시 시도해 주세요.", "The database is busy; try again.", 2),
    "database_damaged": Sentence(
        "서버의 저장 기록을 읽을 수 없어요 ({detail}). 운영자가 백업을 되돌려야 해요.",
        "The database is damaged ({detail}). Stop the server and run `python -m demo restore BACKUP`.",
        30,
    ),
    "storage_unavailable": Sentence(
        "지금은 저장할 수 없어요. 잠시 뒤에 다시 시도해 주세요.",
        "Storage is unavailable at the moment; try again in a while.",
        10,
    ),
    "disk_full": Sentence(
        "서버의 저장 공간이 가득 찼어요. 그림을 몇 장 지우거나 나중에 다시 시도해 주세요.",
        "The disk space for pictures is used up. Delete some, or try again later.",
        60,
    ),
    # what only a job ends with
    "worker_died": Sentence(
        "그리는 프로그램이 세 번 멈춰서 그만뒀어요. 다시 시도해 주세요.",
        "The worker died three times while drawing this. Try again.",
    ),
    "draw_failed": Sentence("그리다가 문제가 생겼어요. 다시 시도해 주세요.", "Drawing failed. Try again."),
    "bad_settings": Sentence(
        "이 설정으로는 그릴 수 없어요: {detail}", "It cannot be drawn with these settings: {detail}"
    ),
    "content_flagged": Sentence(
        "안전 검사를 통과하지 못해서 그림을 보여 드릴 수 없어요. 문장을 바꿔서 다시 그려 보세요.",
        "The safety checker held a picture back. Try another prompt.",
    ),
    "source_gone": Sentence(
        "시작할 그림이 지워졌어요. 다른 그림으로 시작해 주세요.",
        "The source image has been deleted. Start from another one.",
    ),
}

# what of a request did not count
WARNINGS: dict[str, Sentence] = {
    "prompt_cut": Sentence(
        "문장은 {max_tokens}토큰까지 읽어요. 뒷부분은 그림에 반영되지 않아요 ({tokens}토큰).",
        "The encoder reads {max_tokens} tokens; what comes after is not drawn ({tokens} tokens).",
    ),
    "negative_prompt_cut": Sentence(
        "빼고 싶은 것은 {max_tokens}토큰까지 읽어요. 뒷부분은 반영되지 않아요 ({tokens}토큰).",
        "The encoder reads {max_tokens} tokens; the rest of the negative prompt does not count ({tokens} tokens).",
    ),
    "negative_prompt_unused": Sentence(
        "문장 반영 강도가 1이면 빼고 싶은 것이 반영되지 않아요.", "At guidance 1 a negative prompt does nothing."
    ),
    "scheduler_replaced": Sentence(
        "이 체크포인트는 {named} 스케줄러로 그릴 수 없어서 {used}을(를) 써요.",
        "This checkpoint cannot be drawn with the scheduler {named}; {used} is used.",
    ),
    "outside": Sentence(
        "옷이나 한복이 없는 문장이라 어울리는 옷을 골라서 그려요.",
        "There are no clothes in this prompt, so some are chosen and drawn.",
    ),
    "unknown_words": Sentence("아직 못 그리는 말이 있어요: {words}.", "Words that cannot be drawn yet: {words}."),
    "read_as": Sentence("{said} 그릴게요.", "Read and drawn so: {words}"),
    "refiner_missing": Sentence(
        "이 체크포인트에는 다듬기 단계가 없어서 밑그림까지만 그려요.",
        "This checkpoint has no refiner; only its base stage is drawn.",
    ),
    "pattern_unread": Sentence(
        "무늬로 읽지 못한 말이 있어요: {words}.", "Words that say nothing about a pattern here: {words}."
    ),
    "pattern_unused": Sentence(
        "무늬에 쓰지 않은 말이 있어요: {words}.", "Words that have no place in the pattern: {words}."
    ),
    "style_weight_unused": Sentence("이 그림체는 강도를 바꿀 수 없어요.", "This style has no weight."),
}

# why a value was refused: Pydantic's error types, filled with their context, and our own reasons
REASONS: dict[str, Sentence] = {
    "not_text": Sentence(
        "글자로 읽을 수 없는 문자(NUL, 짝 없는 서로게이트)가 있어요", "NUL and lone surrogates are not text"
    ),
    "key_length": Sentence(
        "빈칸 없는 영문·숫자·기호 1~200자로 적어 주세요", "1 to 200 printable ASCII characters without spaces"
    ),
    "cannot_be_done": Sentence("여기서는 할 수 없어요. 이 항목을 빼 주세요", "cannot be done here: leave it out"),
    "square_only": Sentence(
        "auto나 16x16에서 2048x2048까지의 정사각형만 돼요", "Input should be auto, or a square from 16x16 to 2048x2048"
    ),
    "size_range": Sentence("auto나 16x16에서 2048x2048까지만 돼요", "Input should be auto, or from 16x16 to 2048x2048"),
    "mask_alpha": Sentence("투명한 곳이 있는 PNG여야 해요", "Input should be a PNG with transparent pixels"),
    "four_at_most": Sentence("그림은 네 장까지예요", "Input should be at most four pictures"),
    "one_when_streamed": Sentence(
        "stream이면 그림 하나만 보내 주세요", "Input should be one picture where stream is true"
    ),
    "missing": Sentence("꼭 필요해요", "Field required"),
    "extra_forbidden": Sentence("모르는 항목이에요", "Extra inputs are not permitted"),
    "int_type": Sentence("정수로 적어 주세요", "Input should be a valid integer"),
    "float_type": Sentence("숫자로 적어 주세요", "Input should be a valid number"),
    "finite_number": Sentence("유한한 숫자로 적어 주세요", "Input should be a finite number"),
    "string_type": Sentence("글자로 적어 주세요", "Input should be a valid string"),
    "bool_type": Sentence("true나 false로 적어 주세요", "Input should be a valid boolean"),
    "model_type": Sentence("항목이 있는 객체로 보내 주세요", "Input should be a valid dictionary"),
    "less_than_equal": Sentence("{le} 이하로 적어 주세요", "Input should be less than or equal to {le}"),
    "greater_than_equal": Sentence("{ge} 이상으로 적어 주세요", "Input should be greater than or equal to {ge}"),
    "less_than": Sentence("{lt}보다 작게 적어 주세요", "Input should be less than {lt}"),
    "greater_than": Sentence("{gt}보다 크게 적어 주세요", "Input should be greater than {gt}"),
    "literal_error": Sentence("{expected} 중 하나로 적어 주세요", "Input should be {expected}"),
    "string_too_long": Sentence(
        "{max_length}자까지 쓸 수 있어요", "String should have at most {max_length} characters"
    ),
    "name_empty": Sentence("이름을 적어 주세요", "Give it a name"),
    "string_too_short": Sentence(
        "{min_length}자 이상 적어 주세요", "String should have at least {min_length} characters"
    ),
    "string_pattern_mismatch": Sentence("{pattern} 모양으로 적어 주세요", "String should match pattern {pattern}"),
}
SAME = {  # types that mean one of those to a person
    "int_parsing": "int_type", "int_parsing_size": "int_type", "int_from_float": "int_type",
    "float_parsing": "float_type", "bool_parsing": "bool_type", "string_unicode": "not_text", "dict_type": "model_type",
    "enum": "literal_error", "union_tag_invalid": "literal_error",
}  # fmt: skip


def reason_of(type: str, context: Mapping[str, object], language: str, otherwise: str = "") -> str:
    """The sentence of a Pydantic error type (or of a reason of ours); `otherwise`: that of a type not known here."""
    sentence = REASONS.get(SAME.get(type, type))
    if sentence is None:
        return otherwise or type
    filled = dict(context)
    if language == "ko" and "expected" in filled:
        filled["expected"] = str(filled["expected"]).replace(" or ", ", ")
    return sentence.text(language).format_map(filled)
