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


NOTICE = Sentence(
    "그림은 생성형 AI가 그려요. 그림 파일마다 AI가 만들었다는 표시가 들어가요.",
    "The pictures of this service are drawn by generative AI. Every picture file is marked as made by AI.",
)

# what a request is refused for, or a job ends with
REFUSALS: dict[str, Sentence] = {
    "bad_request": Sentence("요청을 읽을 수 없습니다.", "The request cannot be read."),
    "bad_cursor": Sentence("알 수 없는 쪽 표시입니다.", "The cursor is not one of ours."),
    "bad_token": Sentence("토큰이 올바르지 않습니다.", "The token is not valid."),
    "token_required": Sentence(
        "이 서버는 코드나 토큰이 있어야 쓸 수 있습니다.", "This server needs a code or a token."
    ),
    "cross_site": Sentence("다른 사이트에서 온 요청은 받지 않습니다.", "Requests from other sites are refused."),
    "bad_host": Sentence("이 이름으로는 접속할 수 없습니다.", "The server does not answer to this host name."),
    "admin_only": Sentence("관리자 토큰이 필요합니다.", "This needs the admin token."),
    "not_found": Sentence("찾을 수 없습니다.", "Not found."),
    "method_not_allowed": Sentence("이 주소에서 쓸 수 없는 방법입니다.", "This method is not allowed here."),
    "already_finished": Sentence("이미 끝난 작업입니다.", "The job has already ended."),
    "code_used": Sentence("이미 썼거나 기한이 지난 코드입니다.", "The code was used or has expired."),
    "too_large": Sentence("보낸 내용이 너무 큽니다.", "The request is too large."),
    "unsupported_media_type": Sentence("이 형식은 받지 않습니다.", "This content type is not accepted."),
    "invalid_request": Sentence("요청 값이 올바르지 않습니다: {detail}", "The request is not valid: {detail}"),
    "prompt_empty": Sentence("프롬프트가 비어 있습니다.", "The prompt is empty."),
    "prompt_too_long": Sentence(
        "프롬프트는 {limit}자까지 쓸 수 있습니다 ({got}자).", "A prompt has at most {limit} characters, not {got}."
    ),
    "prompt_rejected": Sentence("{reason}", "{reason}"),  # a whole sentence of moderation.yaml
    "publishing_rejected": Sentence("{reason}", "{reason}"),  # so is this
    "unknown_style": Sentence(
        "‘{style}’ 그림체는 없어요. 있는 그림체: {known}", "There is no style ‘{style}’. There are: {known}"
    ),
    "unknown_source_image": Sentence("시작할 그림을 찾을 수 없습니다.", "The source image cannot be found."),
    "edit_nothing": Sentence(
        "무엇을 바꿀지 알려 주세요: 바꿀 말(replace), 새 문장(prompt), 이름·색·스타일(title, color, style) 중 하나.",
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
        "마스크는 {got}인데 그림은 {wanted}이에요. 그림과 같은 크기로 올려 주세요.",
        "The mask is {got}, its picture is {wanted}: upload a mask of the picture's size.",
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
        "같은 Idempotency-Key로 다른 요청을 보냈습니다.", "This Idempotency-Key was used for another request."
    ),
    "bad_image": Sentence(
        "읽을 수 없는 그림입니다 (PNG, JPEG, WebP).", "The picture cannot be read (PNG, JPEG, WebP)."
    ),
    "image_too_large": Sentence(
        "그림이 너무 큽니다 (2,500만 화소까지, WebP는 800만, 프로그레시브 JPEG는 1,200만 화소까지).",
        "The picture is too large (25 million pixels at most; as WebP 8 million, as progressive JPEG 12 million).",
    ),
    "rate_limited": Sentence("요청이 너무 잦습니다. 잠시 뒤에 다시 하세요.", "Too many requests; wait a little.", 10),
    "queue_full": Sentence(
        "기다리는 사람이 많습니다. 잠시 뒤에 다시 하세요.", "The queue is full; try again in a while.", 15
    ),
    "address_full": Sentence(
        "이 주소에서 기다리는 작업이 많아요. 잠시 뒤에 다시 해 주세요.",
        "Many jobs from this address are waiting; try again in a while.",
        15,
    ),
    "too_many_jobs": Sentence(
        "기다리는 내 작업이 너무 많습니다.", "You have too many jobs waiting; let some finish.", 15
    ),
    "internal": Sentence("서버에 문제가 생겼습니다.", "Something went wrong on the server."),
    "not_ready": Sentence("준비하는 중입니다. 곧 됩니다.", "The server is starting; it takes seconds.", 2),
    "checkpoint_missing": Sentence(
        "그림 모델이 없습니다: {detail}", "There is no checkpoint to draw with: {detail}", 30
    ),
    "encoder_missing": Sentence("한국어 인코더가 없습니다: {detail}", "There is no Korean text encoder: {detail}", 30),
    "too_many_streams": Sentence(
        "열린 연결이 많습니다. 상태를 물어봐 주세요.", "Too many event streams; poll the generation instead.", 5
    ),
    "database_busy": Sentence("데이터베이스가 바쁩니다.", "The database is busy.", 2),
    "database_damaged": Sentence(
        "데이터베이스를 읽을 수 없어요 ({detail}). 서버를 운영하는 사람이 백업을 되돌려야 해요.",
        "The database is damaged ({detail}). Stop the server and run `python -m demo restore BACKUP`.",
        30,
    ),
    "storage_unavailable": Sentence("지금은 저장할 수 없습니다.", "Storage is unavailable at the moment.", 10),
    "disk_full": Sentence("저장 공간이 가득 찼습니다.", "The disk space for pictures is used up.", 60),
    # what only a job ends with
    "worker_died": Sentence(
        "그리는 프로그램이 세 번 멈춰 그만두었습니다.", "The worker died three times while drawing this."
    ),
    "draw_failed": Sentence("그리지 못했습니다.", "Drawing failed."),
    "bad_settings": Sentence(
        "이 설정으로는 그릴 수 없습니다: {detail}", "It cannot be drawn with these settings: {detail}"
    ),
    "content_flagged": Sentence(
        "안전 검사에서 걸린 그림이 있어 보여 드리지 않습니다.", "The safety checker flagged a picture."
    ),
    "source_gone": Sentence("시작할 그림이 지워졌습니다.", "The source image has been deleted."),
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
        "옷이나 한복이 없는 문장이라 엉뚱한 그림이 나올 수 있어요.",
        "There are no clothes in this prompt, so the pictures may not fit it.",
    ),
    "unknown_words": Sentence("아직 못 그리는 말이 있어요: {words}", "Words that cannot be drawn yet: {words}"),
    "read_as": Sentence("이렇게 읽고 그려요: {words}", "Read and drawn so: {words}"),
    "refiner_missing": Sentence(
        "이 체크포인트에는 다듬기 단계가 없어서 밑그림까지만 그려요.",
        "This checkpoint has no refiner; only its base stage is drawn.",
    ),
    "style_weight_unused": Sentence("이 그림체는 강도를 바꿀 수 없어요.", "This style has no weight."),
}

# why a value was refused: Pydantic's error types, filled with their context, and our own reasons
REASONS: dict[str, Sentence] = {
    "not_text": Sentence("NUL이나 짝 없는 서로게이트는 글자가 아닙니다", "NUL and lone surrogates are not text"),
    "key_length": Sentence(
        "빈칸 없는 영문·숫자·기호 1자에서 200자까지입니다", "1 to 200 printable ASCII characters without spaces"
    ),
    "name_empty": Sentence("이름을 적어 주세요", "Give it a name"),
    "missing": Sentence("꼭 있어야 합니다", "Field required"),
    "extra_forbidden": Sentence("모르는 항목입니다", "Extra inputs are not permitted"),
    "int_type": Sentence("정수여야 합니다", "Input should be a valid integer"),
    "float_type": Sentence("수여야 합니다", "Input should be a valid number"),
    "finite_number": Sentence("유한한 수여야 합니다", "Input should be a finite number"),
    "string_type": Sentence("글자여야 합니다", "Input should be a valid string"),
    "bool_type": Sentence("true 아니면 false여야 합니다", "Input should be a valid boolean"),
    "model_type": Sentence("항목이 있는 객체여야 합니다", "Input should be a valid dictionary"),
    "less_than_equal": Sentence("{le} 이하여야 합니다", "Input should be less than or equal to {le}"),
    "greater_than_equal": Sentence("{ge} 이상이어야 합니다", "Input should be greater than or equal to {ge}"),
    "less_than": Sentence("{lt}보다 작아야 합니다", "Input should be less than {lt}"),
    "greater_than": Sentence("{gt}보다 커야 합니다", "Input should be greater than {gt}"),
    "literal_error": Sentence("{expected} 가운데 하나여야 합니다", "Input should be {expected}"),
    "string_too_long": Sentence("{max_length}자 이하여야 합니다", "String should have at most {max_length} characters"),
    "string_too_short": Sentence(
        "{min_length}자 이상이어야 합니다", "String should have at least {min_length} characters"
    ),
    "string_pattern_mismatch": Sentence("모양이 {pattern} 에 맞아야 합니다", "String should match pattern {pattern}"),
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
