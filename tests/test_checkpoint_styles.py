"""The styles that ship: each fits the base that ships, is small, says what it is, and has its name and its picture."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from demo.studio.about import ENGLISH
from diffusion.lora import LoraShelf, match_layers
from diffusion.lora_files import find_styles, read_style
from diffusion.parts import lay_out_unet
from fashion.look_words import LOOK_WORDS, LookWords
from fashion.looks import LOOKS
from fashion.prompt_reading import read_prompt

ROOT = Path(__file__).resolve().parents[1]
CHECKPOINTS, STATIC = ROOT / "checkpoints", ROOT / "demo" / "web" / "static"
NAMES = {words.ko for words in LOOK_WORDS.values()}
# an added one is somebody's own
SHIPPED = {
    name: path for name, path in find_styles(CHECKPOINTS / "styles").items() if name in NAMES
}  # and no added one
MOST_BYTES = 400_000


def test_styles_ship() -> None:
    assert SHIPPED and set(SHIPPED) <= NAMES
    assert set(SHIPPED) == NAMES
    assert set(LOOKS) == set(LOOK_WORDS)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_style_that_ships_is_small_and_fits_the_base(name: str) -> None:
    assert SHIPPED[name].stat().st_size <= MOST_BYTES
    match_layers(read_style(SHIPPED[name], name), lay_out_unet(CHECKPOINTS / "base"))


@pytest.mark.parametrize("name", SHIPPED)
def test_a_style_that_ships_says_what_it_is(name: str) -> None:
    card = next(card for card in LoraShelf(CHECKPOINTS / "styles").cards() if card.name == name)
    words = next(words for words in LOOK_WORDS.values() if words.ko == name)
    assert (card.trigger, card.license, card.offered) == (words.trigger, "Apache-2.0", True)
    assert card.example.startswith(f"{card.trigger}, ") and card.base and card.rank
    assert ENGLISH[name] == words.en


def test_every_look_has_its_picture_on_the_sheet_of_styles() -> None:
    cells = json.loads((STATIC / "style_pictures.json").read_text(encoding="utf-8"))
    assert {words.ko for words in LOOK_WORDS.values()} <= set(cells), (
        "looks and their sheet differ: python -m fashion word-pictures demo/web/static"
    )


@pytest.mark.parametrize("words", LOOK_WORDS.values(), ids=list(LOOK_WORDS))
def test_the_word_that_calls_a_look_is_no_garment_to_the_prompt_reader(words: LookWords) -> None:
    prompt = f"{words.trigger}, 빨간 저고리에 남색 한복 치마"
    assert read_prompt(prompt) == prompt


def test_the_manifest_leaves_styles_to_people() -> None:
    manifest = json.loads((CHECKPOINTS / "manifest.json").read_text(encoding="utf-8"))
    assert not [file for file in manifest["files"] if file.startswith("styles/")]
