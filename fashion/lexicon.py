"""Every word of the drawn domain: its id, its Korean and English names, and what it may combine with.

This is the one place to add a word. The first name of each language is the standard one, the others are
synonyms that captions use and search understands. `tests/test_fashion_lexicon.py` checks that every word has
both languages and that every garment can be drawn with everything that its row allows.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Word:
    """A thing that can be named. `ko` are nouns; `ko_before` are forms that stand right before a garment."""

    id: str
    ko: tuple[str, ...]
    en: tuple[str, ...]
    ko_before: tuple[str, ...] = ()

    @property
    def modifiers(self) -> tuple[str, ...]:
        """Korean forms that may stand right before a noun: 빨간 (from 빨강), else the nouns themselves."""
        return self.ko_before or self.ko


@dataclass(frozen=True)
class Color(Word):
    rgb: tuple[int, int, int] = (0, 0, 0)


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


COLORS: tuple[Color, ...] = (
    Color("red", ("빨강", "빨간색", "레드"), ("red", "scarlet", "crimson"), ("빨간", "붉은", "빨간색", "레드"), (206, 38, 42)),
    Color("orange", ("주황", "주황색", "오렌지색"), ("orange", "tangerine"), ("주황", "주황색", "오렌지색"), (242, 125, 28)),
    Color("yellow", ("노랑", "노란색", "옐로"), ("yellow", "lemon"), ("노란", "노란색", "옐로"), (247, 208, 48)),
    Color("green", ("초록", "초록색", "그린"), ("green", "emerald"), ("초록", "초록색", "그린"), (38, 138, 70)),
    Color("mint", ("민트", "민트색", "옥색"), ("mint", "mint green"), ("민트", "민트색", "옥색"), (146, 220, 190)),
    Color("sky_blue", ("하늘색", "스카이블루"), ("sky blue", "light blue"), ("하늘색", "연파랑", "스카이블루"), (126, 194, 238)),
    Color("blue", ("파랑", "파란색", "블루"), ("blue", "cobalt"), ("파란", "푸른", "파란색", "블루"), (36, 92, 206)),
    Color("navy", ("남색", "네이비"), ("navy", "navy blue"), ("남색", "네이비", "짙은 남색"), (28, 38, 88)),
    Color("purple", ("보라", "보라색", "퍼플"), ("purple", "violet"), ("보라", "보라색", "퍼플"), (128, 62, 168)),
    Color("pink", ("분홍", "분홍색", "핑크"), ("pink", "rose pink"), ("분홍", "분홍색", "핑크"), (244, 138, 178)),
    Color("burgundy", ("자주", "자주색", "버건디"), ("burgundy", "wine red"), ("자주색", "버건디", "와인색"), (116, 22, 56)),
    Color("brown", ("갈색", "밤색", "브라운"), ("brown", "chestnut"), ("갈색", "밤색", "브라운"), (122, 78, 46)),
    Color("beige", ("베이지", "베이지색", "모래색"), ("beige", "sand"), ("베이지", "베이지색", "모래색"), (222, 198, 160)),
    Color("white", ("하양", "흰색", "화이트"), ("white", "ivory white"), ("흰", "하얀", "흰색", "화이트"), (246, 246, 243)),
    Color("gray", ("회색", "그레이"), ("gray", "grey"), ("회색", "그레이", "잿빛"), (146, 149, 154)),
    Color("black", ("검정", "검은색", "블랙"), ("black", "jet black"), ("검은", "까만", "검정", "블랙"), (34, 34, 38)),
)

PATTERNS: tuple[Word, ...] = (
    Word("solid", ("무지", "민무늬", "단색"), ("solid", "plain")),
    Word("stripes", ("줄무늬", "스트라이프", "스트라이프 무늬"), ("striped", "stripes")),
    Word("checkered", ("체크", "체크무늬", "격자무늬"), ("checkered", "plaid", "checked")),
    Word("dots", ("물방울무늬", "도트", "땡땡이"), ("polka dot", "dotted")),
    Word("floral", ("꽃무늬", "플로럴", "꽃 패턴"), ("floral", "flowered")),
    Word("leaves", ("나뭇잎무늬", "잎사귀 무늬", "리프 패턴"), ("leaf-print", "leaves", "leafy")),
    Word("paisley", ("페이즐리", "페이즐리 무늬"), ("paisley", "paisley-print")),
    Word("zigzag", ("지그재그", "지그재그 무늬", "셰브런"), ("zigzag", "chevron")),
    Word("cheetah", ("치타무늬", "표범무늬", "호피무늬"), ("cheetah-print", "leopard-print")),
    Word("cartoon", ("만화무늬", "캐릭터 무늬", "카툰"), ("cartoon", "cartoon-print")),
    Word("camouflage", ("위장무늬", "카무플라주", "군복무늬"), ("camouflage", "camo")),
    Word("dancheong", ("단청", "단청무늬"), ("dancheong", "dancheong-pattern")),
    Word("cloud", ("구름", "구름무늬"), ("cloud", "cloud-pattern")),
)

MATERIALS: tuple[Word, ...] = (
    Word("cotton", ("면", "코튼"), ("cotton",)),
    Word("knit", ("니트", "뜨개"), ("knit", "knitted")),
    Word("denim", ("데님", "청"), ("denim",)),
    Word("satin", ("새틴", "공단"), ("satin", "silky satin")),
    Word("leather", ("가죽", "레더"), ("leather",)),
    Word("fur", ("퍼", "털"), ("fur", "furry")),
)

SLEEVES: tuple[Word, ...] = (
    Word("sleeveless", ("민소매", "슬리브리스"), ("sleeveless",)),
    Word("short", ("반팔", "짧은 소매", "반소매"), ("short-sleeved", "short-sleeve")),
    Word("long", ("긴팔", "긴 소매", "긴소매"), ("long-sleeved", "long-sleeve")),
)

HEMS: tuple[Word, ...] = (
    Word("mini", ("미니", "짧은 기장"), ("mini", "short-length"), ("미니", "짧은")),
    Word("knee", ("미디", "무릎길이", "무릎 기장"), ("knee-length", "midi")),
    Word("maxi", ("롱", "맥시", "긴 기장"), ("maxi", "long-length"), ("롱", "맥시", "긴")),
)

NECKLINES: tuple[Word, ...] = (
    Word("round", ("라운드넥", "둥근 목선"), ("round-neck", "crew-neck")),
    Word("v", ("브이넥", "V넥"), ("v-neck",)),
    Word("square", ("스퀘어넥", "네모 목선"), ("square-neck",)),
    Word("turtleneck", ("터틀넥", "목폴라"), ("turtleneck", "roll-neck")),
)

DETAILS: tuple[Word, ...] = (
    Word("buttons", ("단추", "버튼"), ("buttons",)),
    Word("pockets", ("주머니", "포켓"), ("pockets",)),
    Word("ribbon", ("리본",), ("a ribbon", "a bow")),
    Word("sash", ("허리띠", "허리끈"), ("a sash", "a waist tie")),
    Word("asymmetric_hem", ("비대칭 밑단", "언밸런스 밑단"), ("an asymmetric hem", "an uneven hem")),
    Word("one_shoulder", ("원숄더", "한쪽 어깨"), ("one shoulder", "a one-shoulder cut")),
)

_ALL_SLEEVES = ("sleeveless", "short", "long")
_ALL_HEMS = ("mini", "knee", "maxi")

GARMENTS: tuple[GarmentKind, ...] = (
    GarmentKind("jeogori", ("저고리", "한복 저고리"), ("jeogori", "hanbok jacket"), slot="top", materials=("cotton", "satin"), hanbok=True),
    GarmentKind("hanbok_skirt", ("한복 치마", "치마저고리 치마"), ("hanbok skirt", "chima"), slot="bottom", materials=("cotton", "satin"), hems=("knee", "maxi"), hanbok=True),
    GarmentKind("durumagi", ("두루마기", "한복 두루마기"), ("durumagi", "hanbok overcoat"), slot="outer", materials=("cotton", "satin"), hanbok=True),
    GarmentKind("baeja", ("배자", "한복 조끼"), ("baeja", "hanbok vest"), slot="outer", materials=("cotton", "satin", "fur"), hanbok=True),
    GarmentKind("gat", ("갓", "한국 전통 갓"), ("gat", "Korean gat hat"), slot="head", materials=(), solid_only=True, hanbok=True),
    GarmentKind("kkotsin", ("꽃신", "한복 신발"), ("kkotsin", "hanbok flower shoes"), slot="feet", materials=("satin",), hanbok=True),
    GarmentKind("bucket_hat", ("버킷햇", "벙거지 모자", "버킷 모자"), ("bucket hat",), slot="head", materials=("cotton", "denim", "fur")),
    GarmentKind("cap", ("야구모자", "캡", "볼캡"), ("cap", "baseball cap"), slot="head", materials=("cotton", "denim", "leather")),
    GarmentKind("beanie", ("비니", "털모자"), ("beanie", "knit hat"), slot="head", materials=("knit",), details=()),
    GarmentKind("t_shirt", ("티셔츠", "티"), ("t-shirt", "tee"), slot="top", sleeves=_ALL_SLEEVES, necklines=("round", "v"), details=("pockets",)),
    GarmentKind("shirt", ("셔츠", "남방"), ("shirt", "button-up shirt"), slot="top", materials=("cotton", "denim"), sleeves=("short", "long"), details=("pockets",)),
    GarmentKind("blouse", ("블라우스",), ("blouse",), slot="top", materials=("cotton", "satin"), sleeves=_ALL_SLEEVES, necklines=("round", "v", "square"), details=("ribbon", "one_shoulder")),
    GarmentKind("knit", ("스웨터", "니트 스웨터"), ("sweater", "jumper"), slot="top", materials=("knit",), sleeves=("short", "long"), necklines=("round", "v", "turtleneck")),
    GarmentKind("hoodie", ("후드티", "후디"), ("hoodie", "hooded sweatshirt"), slot="top", sleeves=("short", "long"), details=("pockets",)),
    GarmentKind("vest", ("조끼", "베스트"), ("vest", "waistcoat"), slot="outer", materials=("cotton", "knit", "denim", "leather", "fur"), details=("buttons", "pockets")),
    GarmentKind("cardigan", ("가디건", "카디건"), ("cardigan",), slot="outer", materials=("knit", "cotton"), sleeves=("short", "long"), details=("pockets",)),
    GarmentKind("jacket", ("재킷", "자켓"), ("jacket",), slot="outer", materials=("cotton", "denim", "leather", "satin"), details=("buttons", "pockets")),
    GarmentKind("coat", ("코트",), ("coat", "overcoat"), slot="outer", materials=("cotton", "leather", "fur"), hems=("knee", "maxi"), details=("buttons", "pockets", "sash")),
    GarmentKind("padding", ("패딩", "패딩 점퍼"), ("padded jacket", "puffer jacket"), slot="outer", materials=("cotton", "satin"), hems=("mini", "knee"), details=("pockets",)),
    GarmentKind("dress", ("원피스", "드레스"), ("dress", "one-piece dress"), slot="whole", materials=("cotton", "knit", "denim", "satin", "leather"), sleeves=_ALL_SLEEVES, hems=_ALL_HEMS, necklines=("round", "v", "square"), details=("buttons", "ribbon", "sash", "asymmetric_hem", "one_shoulder")),
    GarmentKind("skirt", ("치마", "스커트"), ("skirt",), slot="bottom", materials=("cotton", "knit", "denim", "satin", "leather"), hems=_ALL_HEMS, details=("buttons", "pockets", "asymmetric_hem")),
    GarmentKind("trousers", ("바지", "슬랙스"), ("trousers", "pants"), slot="bottom", materials=("cotton", "leather", "satin"), details=("pockets",)),
    GarmentKind("jeans", ("청바지", "데님 팬츠"), ("jeans", "denim pants"), slot="bottom", materials=("denim",), details=()),
    GarmentKind("shorts", ("반바지", "쇼츠"), ("shorts", "short pants"), slot="bottom", materials=("cotton", "denim", "leather"), details=("pockets",)),
    GarmentKind("crop_top", ("크롭톱", "크롭티"), ("crop top", "cropped top"), slot="top", materials=("cotton", "knit", "satin"), sleeves=_ALL_SLEEVES, necklines=("round", "v", "square"), details=("ribbon", "one_shoulder")),
    GarmentKind("scarf", ("목도리", "스카프", "머플러"), ("scarf", "muffler"), slot="neck", materials=("knit", "satin", "fur")),
    GarmentKind("bag", ("가방", "핸드백"), ("bag", "handbag"), slot="hand", materials=("leather", "cotton", "fur"), details=("ribbon",)),
    GarmentKind("sneakers", ("운동화", "스니커즈"), ("sneakers", "trainers"), slot="feet", materials=("cotton", "leather")),
    GarmentKind("boots", ("부츠", "장화"), ("boots",), slot="feet", materials=("leather", "fur")),
)

BACKGROUNDS: tuple[Word, ...] = (
    Word("white", ("흰 배경", "하얀 배경"), ("a white background",)),
    Word("cream", ("크림색 배경", "아이보리색 배경"), ("a cream background",)),
    Word("pastel", ("파스텔 배경", "파스텔톤 배경"), ("a pastel background",)),
    Word("hanji", ("한지 배경", "한지 종이 배경"), ("a hanji paper background",)),
    Word("room", ("방 안", "실내"), ("a room",)),
    Word("street", ("거리", "길거리"), ("a street",)),
    Word("park", ("공원",), ("a park",)),
    Word("hanok", ("한옥 마당", "한옥"), ("a hanok courtyard",)),
)

STYLES: tuple[Word, ...] = (
    Word("flat", ("플랫 일러스트", "일러스트"), ("flat illustration",)),
    Word("ink_wash", ("수묵화", "먹그림"), ("ink wash painting",)),
    Word("watercolor", ("수채화",), ("watercolour painting", "watercolor painting")),
    Word("pencil", ("색연필화", "연필 그림"), ("pencil drawing", "coloured pencil drawing")),
    Word("pixel", ("픽셀아트", "도트 그림"), ("pixel art",)),
)

GARMENT_BY_ID = {kind.id: kind for kind in GARMENTS}
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
