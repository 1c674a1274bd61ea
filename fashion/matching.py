"""Which picture shows which product: exact paths first, exact names next, what only looks alike last and if unique.

In: records and the pictures of a folder. Out: pairs, and everything that found no partner or more than one. Names are
compared in NFC; an address counts by its path, without its query and with %20 read. A picture that two different
products claim with equal right belongs to neither.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from urllib.parse import unquote, urlsplit

from fashion.catalogue import Product

_SEPARATORS = "_-. ("  # between a product's id and the number of its picture: 123_2.jpg, 123 (2).jpg
_Claims = Iterator[tuple[int, str]]  # (place of a record, picture)


@dataclass
class Matches:
    """Pairs in the order of the records; what has no partner by name; what is unclear, and why."""

    pairs: list[tuple[Product, Path]] = field(default_factory=list)
    pictures_without_product: list[str] = field(default_factory=list)
    products_without_picture: list[str] = field(default_factory=list)
    unclear: list[str] = field(default_factory=list)


def match(
    records: Sequence[Product], pictures: Sequence[Path], folder: Path, says: Callable[[Product], object] = lambda r: r
) -> Matches:
    """Pair records with pictures of the folder; only these are ever opened.

    `says`: what of a record counts: products that say the same may claim one picture, and the first has it.
    """
    found = _Matching(records, {nfc_path(path, folder): path for path in pictures}, says)
    for stage in (found.by_path, found.by_tail, found.by_name_alone, found.by_id, found.by_id_in_any_case):
        found.settle(stage())
    pairs = [(place, name) for name, place in found.owner.items() if place is not None]
    owners = {place for place, _ in pairs}
    return Matches(
        [(records[place], found.pictures[name]) for place, name in sorted(pairs)],
        [name for name in found.pictures if name not in found.owner],
        [label(record) for place, record in enumerate(records) if place not in owners],
        found.unclear,
    )


def nfc_path(path: Path, folder: Path) -> str:
    """A picture's path inside the folder as catalogues write it."""
    return unicodedata.normalize("NFC", path.relative_to(folder).as_posix())


def label(record: Product) -> str:
    return record.id or record.image or record.title


@dataclass
class _Matching:
    records: Sequence[Product]
    pictures: Mapping[str, Path]  # by their path in NFC
    says: Callable[[Product], object]
    owner: dict[str, int | None] = field(default_factory=dict)  # None: claimed by several
    unclear: list[str] = field(default_factory=list)
    unclear_records: set[int] = field(default_factory=set)  # records that something unclear was said of
    open_names: dict[int, list[str]] = field(init=False)  # names of each record that no picture was found for

    def __post_init__(self) -> None:
        self.open_names = {place: names for place, r in enumerate(self.records) if (names := self._names(r))}

    def settle(self, claims: _Claims) -> None:
        """Give every free picture to the one record that claims it in this stage."""
        claimants: dict[str, list[int]] = defaultdict(list)
        for place, name in claims:
            if name not in self.owner and place not in claimants[name]:
                claimants[name].append(place)
        for name, places in claimants.items():
            first = self.records[places[0]]
            alike = all(self.says(self.records[place]) == self.says(first) for place in places[1:])
            self.owner[name] = places[0] if alike else None
            if not alike:
                self.unclear_records.update(places)
                several = ", ".join(label(self.records[place]) for place in places)
                self.unclear.append(f"{name} is claimed by {several}")

    # --- the stages, each over what the ones before left open ---

    def by_path(self) -> _Claims:
        for place, name in self._open():
            for written in _spellings(name):
                if written in self.pictures:
                    yield self._found(place, name, written)
                    break

    def by_tail(self) -> _Claims:
        """photos/1001/front.jpg for 1001/front.jpg; a bare name for the only file of that name, or the id's."""
        for place, name in self._open():
            for tail, whole in _tails(name):
                if there := self._by_tail.get(tail, ()):
                    own = self._in_folder_of(self.records[place], there) if len(there) > 1 else there
                    if len(own) == 1 and (whole or "/" in tail or len(there) > 1):
                        yield self._found(place, name, own[0])
                    elif len(there) > 1:
                        self._say_several(place, name, there)
                    break

    def by_name_alone(self) -> _Claims:
        """A name in other letters, or without its suffix, if no other file and no product has it."""
        named = Counter(_bare(name) for _, names in self.open_names.items() for name in set(names))
        free: dict[str, list[str]] = defaultdict(list)
        for picture in self.pictures:
            bare = picture.rsplit("/", 1)[-1].casefold()
            for called in (bare, bare.rsplit(".", 1)[0]):
                free[called].append(picture)
        for place, name in self._open():
            there = free.get(_bare(name), ())
            if len(there) == 1 and named[_bare(name)] == 1 and _folders_agree(name, there[0]):
                yield self._found(place, name, there[0])
            elif there:
                self._say_several(place, name, there)

    def by_id(self) -> _Claims:
        """Pictures called by a product's id: 123.jpg, 123_2.jpg, 123/front.jpg."""
        yield from self._by_key(str)

    def by_id_in_any_case(self) -> _Claims:
        yield from self._by_key(str.casefold)

    # --- what they ask ---

    def _by_key(self, key: Callable[[str], str]) -> _Claims:
        every: dict[str, list[int]] = defaultdict(list)
        for place, record in enumerate(self.records):
            every[key(record.id)].append(place)
        every.pop("", None)
        begun = {id[: place + 1] for id in every for place, sign in enumerate(id) if sign in _SEPARATORS}
        with_picture = {place for place in self.owner.values() if place is not None} | self.unclear_records
        for picture in self.pictures:
            *folders, name = key(picture).split("/")
            stem = name.rsplit(".", 1)[0]
            for called in (stem, _numbered(stem, every, begun), *reversed(folders)):
                if called in every:  # the first that is a product's decides, whether that has its picture or not
                    yield from ((place, picture) for place in every[called] if place not in with_picture)
                    break

    def _names(self, record: Product) -> list[str]:
        """The files that a record names: the whole cell where that is one, else what commas or blanks part."""
        cell = record.image.strip()
        if not cell or any(written in self.pictures for written in _spellings(cell)):
            return [cell] if cell else []
        parts = re.split(r"\s*[;|,]\s*|\s+(?=https?://)", cell)
        return [part for part in parts if part]

    def _open(self) -> Iterator[tuple[int, str]]:
        for place, names in list(self.open_names.items()):
            for name in list(names):
                yield place, name

    def _found(self, place: int, name: str, picture: str) -> tuple[int, str]:
        self.open_names[place].remove(name)
        return place, picture

    def _say_several(self, place: int, name: str, there: Iterable[str]) -> None:
        self.open_names[place].remove(name)
        self.unclear_records.add(place)
        self.unclear.append(f"{label(self.records[place])}: {name} may be {', '.join(sorted(there)[:4])}")

    def _in_folder_of(self, record: Product, there: Sequence[str]) -> Sequence[str]:
        return [picture for picture in there if record.id and record.id in picture.split("/")[:-1]]

    @cached_property
    def _by_tail(self) -> dict[str, list[str]]:
        tails: dict[str, list[str]] = defaultdict(list)
        for picture in self.pictures:
            parts = picture.split("/")
            for start in range(len(parts)):
                tails["/".join(parts[start:])].append(picture)
        return tails


def _numbered(stem: str, ids: Collection[str], begun: Collection[str]) -> str:
    """The longest id that a stem begins with, before a separator: 123 of 123_2.

    None ("") where ids themselves go on that way (`begun`): beside AB-12, AB-99 is rather a product than a picture of
    AB.
    """
    for end in range(len(stem) - 1, 0, -1):
        if stem[end] in _SEPARATORS and stem[:end] in ids:
            return "" if stem[: end + 1] in begun else stem[:end]
    return ""


def _spellings(name: str) -> Iterator[str]:
    """A name as it may stand on disk: as written, without an address's host and query, with its escapes read."""
    name = unicodedata.normalize("NFC", name.replace("\\", "/"))
    yield name
    path = urlsplit(name).path if "://" in name or name.startswith("//") else re.split(r"[?#]", name)[0]
    for spelled in dict.fromkeys((path, unquote(path))):
        spelled = unicodedata.normalize("NFC", spelled)
        yield "/".join(part for part in spelled.split("/") if part not in ("", "."))


def _tails(name: str) -> Iterator[tuple[str, bool]]:
    """(tail of the path, whether it is all that was written), the longest first, of each spelling."""
    for spelled in dict.fromkeys(_spellings(name)):
        parts = spelled.split("/")
        for start in range(len(parts)):
            yield "/".join(parts[start:]), start == 0


def _folders_agree(name: str, picture: str) -> bool:
    """Whether a name's folder does not contradict a picture's: 1001/front.jpg is not 1003/front.jpg."""
    written, there = (list(_spellings(path))[-1].casefold().split("/")[-2:-1] for path in (name, picture))
    return not written or not there or written == there


def _bare(name: str) -> str:
    return list(_spellings(name))[-1].rsplit("/", 1)[-1].casefold()
