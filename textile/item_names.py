"""The things that a pattern can be tried on without a photo, by id: nine of a shop window, and hanbok."""

from __future__ import annotations

from dataclasses import dataclass

from fashion.scene import Garment

ITEM_SIZE = 512  # pixels of an item's picture as masks of it are painted


@dataclass(frozen=True)
class DefaultItem:
    """`garments`: of the drawn scene; empty: drawn by textile/items.py itself."""

    id: str
    ko: str
    en: str
    garments: tuple[Garment, ...] = ()
    layout: str = "alone"


ITEMS: tuple[DefaultItem, ...] = (
    DefaultItem("shirt", "셔츠", "shirt", (Garment("shirt", "white", material="cotton", sleeve="long"),)),
    DefaultItem("trousers", "바지", "trousers", (Garment("trousers", "white", material="cotton"),)),
    DefaultItem("sweater", "스웨터", "sweater", (
        Garment("knit", "white", material="knit", sleeve="long", neckline="round"),)),
    DefaultItem("dress", "원피스", "dress", (
        Garment("dress", "white", material="cotton", sleeve="short", hem="knee", neckline="round"),)),
    DefaultItem("coat", "코트", "coat", (Garment("coat", "white", material="cotton", hem="knee"),)),
    DefaultItem("sandals", "샌들", "sandals"),
    DefaultItem("shoes", "신발", "shoes", (Garment("sneakers", "white", material="cotton"),)),
    DefaultItem("boots", "부츠", "boots", (Garment("boots", "white", material="leather"),)),
    DefaultItem("bag", "가방", "bag", (Garment("bag", "white", material="cotton"),)),
    DefaultItem("hanbok", "한복", "hanbok", (
        Garment("jeogori", "white", material="cotton"), Garment("hanbok_skirt", "white", material="cotton", hem="maxi"),
    ), "figure"),
)  # fmt: skip
ITEM_BY_ID = {item.id: item for item in ITEMS}


def item_named(id: str) -> DefaultItem:
    """The item of an id. Raises ValueError that names what there is."""
    if id not in ITEM_BY_ID:
        raise ValueError(f"no item is called {id!r}: there are {', '.join(ITEM_BY_ID)}")
    return ITEM_BY_ID[id]
