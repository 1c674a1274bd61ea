"""The files behind the styles: checked against the checkpoint before they are installed beside it, listed, removed."""

from __future__ import annotations

import shutil
import unicodedata
from pathlib import Path

from demo.store.settings import Settings
from demo.studio import prompts
from demo.studio.styles import KnownStyle
from diffusion.lora_card import StyleCard, read_card
from diffusion.lora_files import DIFFUSERS_NAME, PEFT_NAME, PEFT_SETTINGS, check_header, find_styles, sha256_style

FORBIDDEN = "<>:,/\\\0"  # in a name: they end a tag in a prompt, or a file's name


class StyleFolder:
    """The styles/ of the checkpoint in use. Raises what resolving that raises."""

    def __init__(self, settings: Settings) -> None:
        from diffusion.load import STYLES
        from diffusion.specs import resolve

        self._stage = resolve(settings.checkpoint).stages["base"]
        self.folder = self._stage.root / STYLES

    def cards(self) -> list[StyleCard]:
        """What is installed and can be drawn with."""
        from diffusion.lora import LoraShelf

        return LoraShelf(self.folder).cards()

    def add(self, path: Path, name: str | None = None, *, replace: bool = False, anyway: bool = False) -> StyleCard:
        """Check a file (or a folder as PEFT and diffusers write it) and copy it here.

        Raises ValueError for a style that this checkpoint cannot draw with, whose name is taken (unless `replace`), or
        whose own training found it no better than none (unless `anyway`); FileNotFoundError where there is none.
        """
        source = _file_of(path)
        name = _checked_name(
            name or (source.parent.name if source.name in (PEFT_NAME, DIFFUSERS_NAME) else source.stem)
        )
        card = self._checked(source, name)
        if not card.offered and not anyway:
            raise ValueError(f"{name} was no better than none on held-out pictures when it was trained: add --anyway")
        if name in find_styles(self.folder):
            if not replace:
                raise ValueError(f"a style {name} is installed: remove it first, give another --name, or --replace")
            self.remove(name)
        self._copy(source, name)
        return card

    def remove(self, name: str) -> str:
        """Delete a style's files; returns its name in NFC. Raises ValueError for one that is not installed."""
        name, found = unicodedata.normalize("NFC", name), find_styles(self.folder)
        if name not in found:
            raise ValueError(f"there is no style {name}: installed are {', '.join(found) or 'none'}")
        path = found[name]
        path.unlink()
        if path.parent != self.folder:
            path.with_name(PEFT_SETTINGS).unlink(missing_ok=True)
            if not any(path.parent.iterdir()):
                path.parent.rmdir()
        return name

    def _checked(self, source: Path, name: str) -> StyleCard:
        from diffusion.lora import match_layers
        from diffusion.lora_files import read_style
        from diffusion.parts import lay_out_unet

        card = read_card(name, check_header(source, name), sha256_style(source))
        match_layers(read_style(source, name), lay_out_unet(self._stage.folder("unet")))
        return card

    def _copy(self, source: Path, name: str) -> None:
        """Under a hidden name first: a worker that looks meanwhile finds all of it, or nothing."""
        self.folder.mkdir(parents=True, exist_ok=True)
        beside = source.with_name(PEFT_SETTINGS)
        if source.name in (PEFT_NAME, DIFFUSERS_NAME) and beside.is_file():
            hidden = self.folder / f".{name}"
            shutil.rmtree(hidden, ignore_errors=True)
            hidden.mkdir()
            for each in (source, beside):
                shutil.copyfile(each, hidden / each.name)
            hidden.replace(self.folder / name)
            return
        hidden = self.folder / f".{name}.writing"
        shutil.copyfile(source, hidden)
        hidden.replace(self.folder / f"{name}.safetensors")


def known(card: StyleCard) -> KnownStyle:
    """A card as the table of styles holds it."""
    return KnownStyle(card.name, card.sha256, card.trigger, card.example, card.base)


def _file_of(path: Path) -> Path:
    """The weights that a path names: itself, or what PEFT or diffusers wrote into a folder."""
    if path.is_dir():
        inside = [path / name for name in (PEFT_NAME, DIFFUSERS_NAME) if (path / name).is_file()]
        if not inside:
            raise FileNotFoundError(f"{path} has neither {PEFT_NAME} nor {DIFFUSERS_NAME}: name a .safetensors file")
        return inside[0]
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there: name a .safetensors file, or a folder as PEFT writes it")
    if path.suffix != ".safetensors":
        raise ValueError(f"{path.name} is no .safetensors file: nothing else is read, convert it first")
    return path


def _checked_name(name: str) -> str:
    name = unicodedata.normalize("NFC", name)
    if not 1 <= len(name) <= 100 or name.startswith(".") or any(mark in name for mark in FORBIDDEN):
        raise ValueError(f"name {name!r} cannot be asked for: 1 to 100 characters without {' '.join(FORBIDDEN[:-1])}")
    if name in prompts.prompt_styles():
        raise ValueError(f"{name} is a style of words already: give another --name")
    return name
