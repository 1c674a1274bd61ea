"""`python -m demo styles`: add a LoRA style after checking it, list those that are installed, remove one."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from demo.store.settings import Settings

if TYPE_CHECKING:
    from demo.studio.styles import Styles


def add_style_commands(command: Callable[..., argparse.ArgumentParser]) -> None:
    """Add `styles` with its three actions; `command(run, name, help)` makes its parser."""
    parser = command(list_styles, "styles", "Add, list or remove LoRA styles of the checkpoint in use.")
    actions = parser.add_subparsers(metavar="action", required=True)
    adding = actions.add_parser("add", help="check a .safetensors file (or a PEFT folder) and install it")
    adding.add_argument("file", type=Path)
    adding.add_argument("--name", help="by which it is asked for (default: the file's)")
    adding.add_argument("--replace", action="store_true", help="take the place of the one of this name")
    adding.add_argument("--anyway", action="store_true", help="though its training found it no better than none")
    removing = actions.add_parser("remove", help="delete a style's files")
    removing.add_argument("name")
    for action, run in ((adding, add), (actions.add_parser("list", help="what is installed"), list_styles),
                        (removing, remove)):  # fmt: skip
        action.set_defaults(run=run)


def add(settings: Settings, arguments: argparse.Namespace) -> int:
    from demo.worker.styles import StyleFolder, known

    card = StyleFolder(settings).add(arguments.file, arguments.name, replace=arguments.replace, anyway=arguments.anyway)
    _table(settings, arguments).add(known(card))
    print(f"{card.name} is installed: ask for it with <lora:{card.name}:1>")
    if card.trigger:
        print(f"the word that calls it: {card.trigger}")
    return 0


def list_styles(settings: Settings, arguments: argparse.Namespace) -> int:
    from demo.worker.styles import StyleFolder, known

    cards = StyleFolder(settings).cards()
    _table(settings, arguments).replace(map(known, cards))
    for card in cards:
        facts = {"trigger": card.trigger, "rank": card.rank, "licence": card.license, "base": card.base}
        listed = ", ".join(f"{name} {value}" for name, value in facts.items() if value)
        print(f"{card.name}  sha256 {card.sha256[:12]}" + (f"  {listed}" if listed else ""))
    print(f"{len(cards)} styles")
    return 0


def remove(settings: Settings, arguments: argparse.Namespace) -> int:
    from demo.worker.styles import StyleFolder

    name = StyleFolder(settings).remove(arguments.name)
    _table(settings, arguments).remove(name)
    print(f"{name} is removed")
    return 0


def _table(settings: Settings, arguments: argparse.Namespace) -> Styles:
    from demo.store.database import open_database
    from demo.studio.styles import Styles

    database = open_database(settings)
    arguments.closing.callback(database.close)
    return Styles(database)
