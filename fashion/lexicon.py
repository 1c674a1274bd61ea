"""Every word of the drawn domain: its id, its Korean and English names, and what it may combine with.

This is the one place to add a word. The first name of each language is the standard one, the others are
synonyms that captions use and search understands. `tests/test_fashion_lexicon.py` checks that every word has
both languages and that every garment can be drawn with everything that its row allows.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Word:
    """A thing that can be named. `ko` are nouns; `ko_before` and `en_before` are forms that stand right before a garment.

    `loan` are English names in Korean letters, as code-mixing writes them: 레드, 스트라이프. `everyday` are Korean forms
    that only what people type has (`fashion.captions_everyday`), of colours and patterns those that stand before a
    garment; `everyday_en` are such English ones. They are read, and other captions do without them.
    """

    id: str
    ko: tuple[str, ...]
    en: tuple[str, ...]
    ko_before: tuple[str, ...] = ()
    en_before: tuple[str, ...] = field(default=(), kw_only=True)
    loan: tuple[str, ...] = field(default=(), kw_only=True)
    everyday: tuple[str, ...] = field(default=(), kw_only=True)
    everyday_en: tuple[str, ...] = field(default=(), kw_only=True)

    @property
    def modifiers(self) -> tuple[str, ...]:
        """Korean forms that may stand right before a noun: 빨간 (from 빨강), else the nouns themselves."""
        return self.ko_before or self.ko

    @property
    def en_modifiers(self) -> tuple[str, ...]:
        """English forms that may stand right before a noun: striped (not stripes), buttoned (not buttons)."""
        return self.en_before or self.en


@dataclass(frozen=True)
class Color(Word):
    rgb: tuple[int, int, int] = (0, 0, 0)


@dataclass(frozen=True)
class Background(Word):
    """`backdrop` is what follows 배경은: 배경은 흰색."""

    backdrop: str = field(default="", kw_only=True)


@dataclass(frozen=True)
class GarmentKind(Word):
    """A garment and what it may wear. An empty tuple means that the garment has no such attribute."""

    slot: str = "top"  # head, neck, top, outer, whole, bottom, feet, hand: one garment a slot in an outfit
    materials: tuple[str, ...] = ("cotton",)
    sleeves: tuple[str, ...] = ()
    hems: tuple[str, ...] = ()
    necklines: tuple[str, ...] = ()
    details: tuple[str, ...] = ()
    solid_only: bool = False
    hanbok: bool = False
    plural: bool = field(default=False, kw_only=True)  # English: trousers, a pair of boots


# fmt: off
COLORS: tuple[Color, ...] = (
    Color("red", ("빨강", "빨간색", "레드", "붉은색"), ("red", "scarlet", "crimson"), ("빨간", "붉은", "빨간색", "새빨간", "레드"), (206, 38, 42), loan=("레드",), everyday=("다홍", "다홍색", "진홍색")),
    Color("orange", ("주황", "주황색", "오렌지색", "주홍색"), ("orange", "tangerine"), ("주황", "주황색", "오렌지색"), (242, 125, 28), loan=("오렌지",)),
    Color("yellow", ("노랑", "노란색", "옐로", "개나리색"), ("yellow", "lemon yellow"), ("노란", "노란색", "샛노란", "옐로"), (247, 208, 48), loan=("옐로우",), everyday=("치자색", "병아리색")),
    Color("green", ("초록", "초록색", "녹색"), ("green", "emerald green"), ("초록", "초록색", "녹색"), (38, 138, 70), loan=("그린",)),
    Color("mint", ("민트", "민트색", "옥색", "박하색"), ("mint", "mint green"), ("민트", "민트색", "옥색"), (146, 220, 190), loan=("민트",), everyday=("옥빛", "비취색")),
    Color("sky_blue", ("하늘색", "스카이블루", "연파랑"), ("sky blue", "light blue", "baby blue"), ("하늘색", "연파랑", "연한 파란색", "스카이블루"), (126, 194, 238), loan=("스카이블루",)),
    Color("blue", ("파랑", "파란색", "블루", "푸른색"), ("blue", "cobalt blue"), ("파란", "푸른", "파란색", "새파란", "블루"), (36, 92, 206), loan=("블루",)),
    Color("navy", ("남색", "네이비", "감색", "짙은 남색"), ("navy", "navy blue", "dark blue"), ("남색", "네이비", "짙은 남색", "네이비색"), (28, 38, 88), loan=("네이비",), everyday=("곤색", "쪽빛")),
    Color("purple", ("보라", "보라색", "퍼플"), ("purple", "violet"), ("보라", "보라색", "퍼플"), (128, 62, 168), loan=("퍼플",), everyday=("연보라", "보랏빛")),
    Color("pink", ("분홍", "분홍색", "핑크", "핑크색"), ("pink", "rose pink"), ("분홍", "분홍색", "핑크", "핑크색"), (244, 138, 178), loan=("핑크",), everyday=("연분홍", "연핑크")),
    Color("burgundy", ("자주", "자주색", "버건디", "와인색"), ("burgundy", "wine red", "maroon"), ("자주색", "버건디", "와인색", "검붉은"), (116, 22, 56), loan=("버건디", "와인")),
    Color("brown", ("갈색", "밤색", "브라운", "고동색"), ("brown", "chestnut brown", "chocolate brown"), ("갈색", "밤색", "고동색", "브라운"), (122, 78, 46), loan=("브라운",), everyday=("초코색", "커피색")),
    Color("beige", ("베이지", "베이지색", "모래색"), ("beige", "tan", "sandy beige"), ("베이지", "베이지색", "모래색"), (222, 198, 160), loan=("베이지",), everyday=("카멜색", "카멜")),
    Color("white", ("하양", "흰색", "화이트", "하얀색"), ("white", "off-white"), ("흰", "하얀", "흰색", "새하얀", "화이트"), (246, 246, 243), loan=("화이트",)),
    Color("gray", ("회색", "그레이", "잿빛", "쥐색"), ("gray", "grey"), ("회색", "그레이", "잿빛"), (146, 149, 154), loan=("그레이",)),
    Color("black", ("검정", "검은색", "블랙", "까만색"), ("black", "jet black"), ("검은", "까만", "검정", "검은색", "블랙"), (34, 34, 38), loan=("블랙",)),
)

PATTERNS: tuple[Word, ...] = (
    Word("solid", ("무지", "민무늬", "단색"), ("solid", "plain"), loan=("솔리드",)),
    Word("stripes", ("줄무늬", "스트라이프", "스트라이프 무늬", "줄 패턴"), ("stripes", "a striped pattern"), en_before=("striped", "stripy"), loan=("스트라이프",), everyday=("색동",)),
    Word("checkered", ("체크무늬", "체크", "격자무늬", "바둑판무늬"), ("checks", "a plaid pattern"), en_before=("checkered", "plaid", "checked"), loan=("체크", "플래드")),
    Word("dots", ("물방울무늬", "땡땡이 무늬", "도트 무늬", "도트"), ("polka dots", "dots"), en_before=("polka dot", "dotted"), loan=("도트", "폴카도트"), everyday=("땡땡이", "물방울")),
    Word("floral", ("꽃무늬", "플로럴", "꽃 패턴", "플라워 패턴"), ("flowers", "a floral pattern"), en_before=("floral", "flowered"), loan=("플로럴", "플라워"), everyday=("꽃",)),
    Word("leaves", ("나뭇잎무늬", "잎사귀 무늬", "리프 패턴", "나뭇잎 패턴"), ("leaves", "a leaf pattern"), en_before=("leaf-print", "leafy"), loan=("리프",), everyday=("나뭇잎",)),
    Word("paisley", ("페이즐리", "페이즐리 무늬", "페이즐리 패턴"), ("paisley", "a paisley pattern"), en_before=("paisley", "paisley-print"), loan=("페이즐리",)),
    Word("zigzag", ("지그재그", "지그재그 무늬", "셰브런 무늬", "셰브런"), ("zigzags", "a chevron pattern"), en_before=("zigzag", "chevron"), loan=("지그재그", "셰브런")),
    Word("cheetah", ("치타무늬", "표범무늬", "호피무늬", "레오파드"), ("cheetah print", "leopard print"), en_before=("cheetah-print", "leopard-print"), loan=("레오파드",), everyday=("호피",)),
    Word("cartoon", ("만화무늬", "캐릭터 무늬", "카툰 무늬", "카툰"), ("a cartoon print", "cartoon characters"), en_before=("cartoon", "cartoon-print"), loan=("카툰", "캐릭터")),
    Word("camouflage", ("위장무늬", "카무플라주", "군복무늬", "밀리터리 무늬"), ("camouflage", "a camo pattern"), en_before=("camouflage", "camo"), loan=("카모", "카무플라주"), everyday=("밀리터리",)),
    Word("dancheong", ("단청무늬", "단청", "단청 문양"), ("dancheong", "a dancheong pattern"), en_before=("dancheong", "dancheong-pattern")),
    Word("cloud", ("구름무늬", "구름", "구름 문양"), ("clouds", "a cloud pattern"), ("구름무늬", "구름 문양", "구름 패턴"), en_before=("cloud-print", "cloud-pattern"), loan=("클라우드",)),
)

MATERIALS: tuple[Word, ...] = (
    Word("cotton", ("면", "코튼"), ("cotton",), ("면", "코튼", "면 소재", "면으로 된"), loan=("코튼",)),
    Word("knit", ("니트", "뜨개"), ("knit",), ("니트", "뜨개", "니트 소재", "뜨개질한"), en_before=("knit", "knitted"), loan=("니트",)),
    Word("denim", ("데님",), ("denim",), ("데님", "청", "데님 소재", "데님으로 된"), loan=("데님",)),
    Word("satin", ("새틴", "공단"), ("satin",), ("새틴", "공단", "새틴 소재", "윤기 나는 새틴"), en_before=("satin", "silky satin"), loan=("새틴",)),
    Word("leather", ("가죽", "레더"), ("leather",), ("가죽", "레더", "가죽 소재", "가죽으로 된"), loan=("레더",)),
    Word("fur", ("퍼", "털", "모피"), ("fur",), ("퍼", "털", "퍼 소재", "복슬복슬한 털"), en_before=("fur", "furry"), loan=("퍼",)),
)

SLEEVES: tuple[Word, ...] = (
    Word("sleeveless", ("민소매", "슬리브리스", "나시"), ("no sleeves",), ("민소매", "슬리브리스", "소매 없는"), en_before=("sleeveless",), loan=("슬리브리스",)),
    Word("short", ("반팔", "짧은 소매", "반소매"), ("short sleeves",), ("반팔", "짧은 소매", "반소매", "소매가 짧은"), en_before=("short-sleeved", "short-sleeve"), loan=("숏슬리브",)),
    Word("long", ("긴팔", "긴 소매", "긴소매"), ("long sleeves",), ("긴팔", "긴 소매", "긴소매", "소매가 긴"), en_before=("long-sleeved", "long-sleeve"), loan=("롱슬리브",)),
)

HEMS: tuple[Word, ...] = (
    Word("mini", ("미니", "짧은 기장", "미니 기장"), ("a mini length", "a short hem"), ("미니", "짧은", "짧은 기장의", "기장이 짧은"), en_before=("mini", "short-length"), loan=("미니",), everyday_en=("short",)),
    Word("knee", ("미디", "무릎길이", "무릎 기장"), ("a knee length", "a midi hem"), ("미디", "무릎길이", "무릎까지 오는", "무릎 기장의"), en_before=("knee-length", "midi"), loan=("미디",)),
    Word("maxi", ("롱", "맥시", "긴 기장", "발목 기장"), ("a maxi length", "a long hem"), ("롱", "맥시", "긴", "긴 기장의", "기장이 긴"), en_before=("maxi", "full-length"), loan=("롱", "맥시"), everyday_en=("long",)),
)

NECKLINES: tuple[Word, ...] = (
    Word("round", ("라운드넥", "둥근 목선", "둥근 넥"), ("a round neck", "a crew neck"), en_before=("round-neck", "crew-neck"), loan=("라운드넥",)),
    Word("v", ("브이넥", "V넥", "브이 목선"), ("a v-neck",), en_before=("v-neck",), loan=("브이넥",)),
    Word("square", ("스퀘어넥", "네모 목선", "사각 넥"), ("a square neck",), en_before=("square-neck",), loan=("스퀘어넥",)),
    Word("turtleneck", ("터틀넥", "목폴라", "폴라넥"), ("a turtleneck", "a roll neck"), en_before=("turtleneck", "roll-neck"), loan=("터틀넥",)),
)

DETAILS: tuple[Word, ...] = (
    Word("buttons", ("단추", "버튼"), ("buttons",), ("단추가 달린", "단추 달린", "버튼이 있는"), en_before=("buttoned",), loan=("버튼",)),
    Word("pockets", ("주머니", "포켓", "호주머니"), ("pockets",), ("주머니가 달린", "주머니 달린", "포켓이 있는"), en_before=("pocketed",), loan=("포켓",)),
    Word("ribbon", ("리본", "나비매듭"), ("a ribbon", "a bow"), ("리본이 달린", "리본 달린", "리본을 단"), en_before=("ribboned", "ribbon-trimmed"), loan=("리본",)),
    Word("sash", ("허리띠", "허리끈", "벨트"), ("a sash", "a waist tie"), ("허리띠를 두른", "허리끈이 달린", "허리띠가 있는"), en_before=("belted", "sashed"), loan=("벨트",)),
    Word("asymmetric_hem", ("비대칭 밑단", "언밸런스 밑단", "사선 밑단"), ("an asymmetric hem", "an uneven hem"), ("밑단이 비대칭인", "언밸런스", "밑단이 사선인"), en_before=("asymmetric-hem", "asymmetric"), loan=("언밸런스",)),
    Word("one_shoulder", ("원숄더", "한쪽 어깨"), ("one shoulder", "a one-shoulder cut"), ("원숄더", "한쪽 어깨를 드러낸", "한쪽 어깨만 있는"), en_before=("one-shoulder",), loan=("원숄더",)),
)

_ALL_SLEEVES = ("sleeveless", "short", "long")
_ALL_HEMS = ("mini", "knee", "maxi")

GARMENTS: tuple[GarmentKind, ...] = (
    GarmentKind("jeogori", ("저고리", "한복 저고리"), ("jeogori", "hanbok jacket"), slot="top", materials=("cotton", "satin"), hanbok=True),
    GarmentKind("hanbok_skirt", ("한복 치마", "한복치마", "풀치마"), ("hanbok skirt", "chima"), slot="bottom", materials=("cotton", "satin"), hems=("knee", "maxi"), hanbok=True),
    GarmentKind("durumagi", ("두루마기", "한복 두루마기", "한복 외투"), ("durumagi", "hanbok overcoat"), slot="outer", materials=("cotton", "satin"), hanbok=True),
    GarmentKind("baeja", ("배자", "한복 조끼"), ("baeja", "hanbok vest"), slot="outer", materials=("cotton", "satin", "fur"), hanbok=True),
    GarmentKind("gat", ("갓", "한국 전통 갓", "선비 갓"), ("gat", "Korean gat hat"), slot="head", materials=(), solid_only=True, hanbok=True),
    GarmentKind("kkotsin", ("꽃신", "한복 꽃신", "한복 신발"), ("kkotsin", "hanbok flower shoes"), slot="feet", materials=("satin",), solid_only=True, hanbok=True, plural=True),
    GarmentKind("bucket_hat", ("버킷햇", "벙거지 모자", "버킷 모자", "벙거지"), ("bucket hat",), slot="head", materials=("cotton", "denim", "fur"), loan=("버킷햇",)),
    GarmentKind("cap", ("야구모자", "볼캡", "캡 모자", "야구 모자"), ("cap", "baseball cap"), slot="head", materials=("cotton", "denim", "leather"), loan=("볼캡",)),
    GarmentKind("beanie", ("비니", "털모자", "니트 모자"), ("beanie", "knit hat"), slot="head", materials=("knit",), details=(), loan=("비니",)),
    GarmentKind("t_shirt", ("티셔츠", "티", "면티"), ("t-shirt", "tee"), slot="top", sleeves=_ALL_SLEEVES, necklines=("round", "v"), details=("pockets",), loan=("티셔츠",)),
    GarmentKind("shirt", ("셔츠", "남방", "와이셔츠"), ("shirt", "button-up shirt"), slot="top", materials=("cotton", "denim"), sleeves=("short", "long"), details=("pockets",), loan=("셔츠",), everyday_en=("button up",)),
    GarmentKind("blouse", ("블라우스",), ("blouse",), slot="top", materials=("cotton", "satin"), sleeves=_ALL_SLEEVES, necklines=("round", "v", "square"), details=("ribbon", "one_shoulder"), loan=("블라우스",)),
    GarmentKind("knit", ("스웨터", "니트 스웨터", "풀오버"), ("sweater", "jumper"), slot="top", materials=("knit",), sleeves=("short", "long"), necklines=("round", "v", "turtleneck"), loan=("스웨터",), everyday_en=("pullover",)),
    GarmentKind("hoodie", ("후드티", "후디", "후드 티"), ("hoodie", "hooded sweatshirt"), slot="top", sleeves=("short", "long"), details=("pockets",), loan=("후디",), everyday=("후드",)),
    GarmentKind("vest", ("조끼", "베스트"), ("vest", "waistcoat"), slot="outer", materials=("cotton", "knit", "denim", "leather", "fur"), details=("buttons", "pockets"), loan=("베스트",)),
    GarmentKind("cardigan", ("가디건", "카디건"), ("cardigan",), slot="outer", materials=("knit", "cotton"), sleeves=("short", "long"), details=("pockets",), loan=("카디건",)),
    GarmentKind("jacket", ("재킷", "자켓", "점퍼"), ("jacket",), slot="outer", materials=("cotton", "denim", "leather", "satin"), details=("buttons", "pockets"), loan=("재킷",)),
    GarmentKind("coat", ("코트", "외투", "오버코트"), ("coat", "overcoat"), slot="outer", materials=("cotton", "leather", "fur"), hems=("knee", "maxi"), details=("buttons", "pockets", "sash"), loan=("코트",)),
    GarmentKind("padding", ("패딩", "패딩 점퍼", "패딩 재킷"), ("padded jacket", "puffer jacket"), slot="outer", materials=("cotton", "satin"), hems=("mini", "knee"), details=("pockets",), loan=("푸퍼",), everyday_en=("puffer",)),
    GarmentKind("dress", ("원피스", "드레스"), ("dress", "one-piece dress"), slot="whole", materials=("cotton", "knit", "denim", "satin", "leather"), sleeves=_ALL_SLEEVES, hems=_ALL_HEMS, necklines=("round", "v", "square"), details=("buttons", "ribbon", "sash", "asymmetric_hem", "one_shoulder"), loan=("드레스",)),
    GarmentKind("skirt", ("치마", "스커트"), ("skirt",), slot="bottom", materials=("cotton", "knit", "denim", "satin", "leather"), hems=_ALL_HEMS, details=("buttons", "pockets", "asymmetric_hem"), loan=("스커트",)),
    GarmentKind("trousers", ("바지", "슬랙스", "긴바지"), ("trousers", "pants"), slot="bottom", materials=("cotton", "leather", "satin"), details=("pockets",), plural=True, loan=("팬츠",)),
    GarmentKind("jeans", ("청바지", "데님 팬츠"), ("jeans", "denim pants"), slot="bottom", materials=("denim",), details=(), plural=True, loan=("진",)),
    GarmentKind("shorts", ("반바지", "쇼츠", "짧은 바지"), ("shorts", "short pants"), slot="bottom", materials=("cotton", "denim", "leather"), details=("pockets",), plural=True, loan=("쇼츠",)),
    GarmentKind("crop_top", ("크롭톱", "크롭티", "배꼽티"), ("crop top", "cropped top"), slot="top", materials=("cotton", "knit", "satin"), sleeves=_ALL_SLEEVES, necklines=("round", "v", "square"), details=("ribbon", "one_shoulder"), loan=("크롭탑",)),
    GarmentKind("scarf", ("목도리", "스카프", "머플러"), ("scarf", "muffler"), slot="neck", materials=("knit", "satin", "fur"), loan=("머플러",)),
    GarmentKind("bag", ("가방", "핸드백", "손가방"), ("bag", "handbag"), slot="hand", materials=("leather", "cotton", "fur"), details=("ribbon",), loan=("백",)),
    GarmentKind("sneakers", ("운동화", "스니커즈"), ("sneakers", "trainers"), slot="feet", materials=("cotton", "leather"), plural=True, loan=("스니커즈",)),
    GarmentKind("boots", ("부츠", "장화"), ("boots",), slot="feet", materials=("leather", "fur"), plural=True, loan=("부츠",)),
)

BACKGROUNDS: tuple[Background, ...] = (
    Background("white", ("흰 배경", "하얀 배경"), ("a white background",), backdrop="흰색"),
    Background("cream", ("크림색 배경", "아이보리색 배경"), ("a cream background",), backdrop="크림색", everyday=("크림색",), everyday_en=("cream",)),
    Background("pastel", ("파스텔 배경", "파스텔톤 배경"), ("a pastel background",), backdrop="파스텔톤", everyday=("파스텔", "파스텔톤"), everyday_en=("pastel",)),
    Background("hanji", ("한지 배경", "한지 종이 배경"), ("a hanji paper background",), backdrop="한지", everyday=("한지",), everyday_en=("hanji", "hanji paper")),
    Background("room", ("방 안", "실내", "방"), ("a room", "a living room"), backdrop="방 안", everyday=("집 안", "집에서"), everyday_en=("at home",)),
    Background("street", ("거리", "길거리", "거리 배경"), ("a street", "a city street"), backdrop="거리"),
    Background("park", ("공원", "공원 배경"), ("a park",), backdrop="공원"),
    Background("hanok", ("한옥 마당", "한옥", "한옥 앞마당"), ("a hanok courtyard",), backdrop="한옥 마당", everyday=("한옥 앞", "한옥마을"), everyday_en=("a hanok",)),
)

STYLES: tuple[Word, ...] = (
    Word("flat", ("플랫 일러스트", "일러스트", "평면 일러스트"), ("flat illustration",), everyday_en=("flat style", "illustration style")),
    Word("ink_wash", ("수묵화", "먹그림", "수묵 담채"), ("ink wash painting", "ink painting"), everyday=("수묵화풍", "수묵", "먹그림풍"), everyday_en=("ink wash", "ink wash style")),
    Word("watercolor", ("수채화", "물감 그림"), ("watercolour painting", "watercolor painting"), everyday=("수채화풍", "수채", "물감으로"), everyday_en=("watercolour", "watercolor", "watercolors")),
    Word("pencil", ("색연필화", "연필 그림"), ("pencil drawing", "coloured pencil drawing"), everyday=("색연필 그림", "색연필로", "연필로", "연필 스케치"), everyday_en=("pencil sketch", "pencil", "coloured pencils", "colored pencils", "coloured pencil", "colored pencil")),
    Word("pixel", ("픽셀아트", "픽셀 아트", "도트 그림"), ("pixel art",), everyday=("픽셀", "픽셀 그림"), everyday_en=("pixel", "pixel style")),
)

GARMENT_BY_ID = {kind.id: kind for kind in GARMENTS}
BACKGROUND_BY_ID = {background.id: background for background in BACKGROUNDS}
COLOR_BY_ID = {color.id: color for color in COLORS}
WORDS: dict[str, tuple[Word, ...]] = {
    "garment": GARMENTS, "color": COLORS, "pattern": PATTERNS, "material": MATERIALS, "sleeve": SLEEVES,
    "hem": HEMS, "neckline": NECKLINES, "detail": DETAILS, "background": BACKGROUNDS, "style": STYLES,
}  # fmt: skip
WORD_BY_ID: dict[str, dict[str, Word]] = {field: {word.id: word for word in words} for field, words in WORDS.items()}


def word(field: str, id: str) -> Word:
    """The word of one field, e.g. `word("color", "red")`. Raises ValueError that names what is allowed."""
    try:
        return WORD_BY_ID[field][id]
    except KeyError:
        allowed = ", ".join(WORD_BY_ID[field]) if field in WORD_BY_ID else ", ".join(WORD_BY_ID)
        raise ValueError(f"{field} {id!r} is not in the lexicon: use one of {allowed}") from None


def forms(word: Word, language: str) -> tuple[str, ...]:
    """Every form of a word in a language, the standard ones first, each once."""
    if language == "en":
        return tuple(dict.fromkeys((*word.en_before, *word.en, *word.everyday_en)))
    backdrop = (f"배경은 {word.backdrop}",) if isinstance(word, Background) else ()
    return tuple(dict.fromkeys((*word.ko_before, *word.ko, *word.loan, *word.everyday, *backdrop)))
