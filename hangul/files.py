"""Files as Korean desktops leave them: names in NFD, by-files of macOS and Excel, text in UTF-8, CP949 or UTF-16.

In: a folder, a name, or an open file. Out: the files meant, and their text.
"""

from __future__ import annotations

import io
import logging
import unicodedata
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

logger = logging.getLogger(__name__)

ENCODINGS = ("utf-8-sig", "cp949")
_BY_FILES = ("._", "~$", ".~lock.")  # AppleDouble, lock files of Excel and of LibreOffice
_BY_NAMES = frozenset({"__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini"})
_BEGINNING = 1 << 20  # bytes by which an encoding is chosen


def nfc(name: str) -> str:
    """A file's name as people type it: macOS takes Hangul apart."""
    return unicodedata.normalize("NFC", name)


def is_by_file(path: str) -> bool:
    """Whether a relative path names what a system or an office left beside the files that people mean."""
    return any(part in _BY_NAMES or part.startswith(_BY_FILES) for part in PurePosixPath(path).parts)


def files_under(folder: Path, suffixes: Collection[str]) -> list[Path]:
    """Files with one of the suffixes (lower case, with their dot), in the order of their names in NFC.

    Links to folders are followed; a folder that links lead to twice, or in a circle, is read once, by its own path
    where it has one. By-files are left out.
    """
    found, seen = list[Path](), set[tuple[int, int]]()
    real, linked = [folder], list[Path]()
    while real or linked:
        here = real.pop(0) if real else linked.pop(0)
        facts = here.stat()
        if (facts.st_dev, facts.st_ino) in seen:
            continue
        seen.add((facts.st_dev, facts.st_ino))
        for path in sorted(here.iterdir()):
            if is_by_file(path.name):
                continue
            if path.is_dir():
                (linked if path.is_symlink() else real).append(path)
            elif path.suffix.lower() in suffixes:
                if path.is_file():
                    found.append(path)
                else:
                    logger.warning("%s is a link that leads nowhere: left out", path)
    return sorted(found, key=lambda path: nfc(path.relative_to(folder).as_posix()))


def file_named(folder: Path, name: str) -> Path | None:
    """The file of that relative name, in whichever Unicode form the disk has it; None where there is none.

    The name itself decides if there is such a file. No part of it leaves the folder: ".." and absolute names find none.
    """
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if not parts or ".." in parts or PurePosixPath(*parts).is_absolute():
        return None
    if (path := folder.joinpath(*parts)).is_file():
        return path
    here = folder
    for part in parts:
        if not here.is_dir():
            return None
        alike = [entry for entry in sorted(here.iterdir()) if nfc(entry.name) == nfc(part)]
        if not alike:
            return None
        here = alike[0]
    return here if here.is_file() else None


def read_text(path: Path) -> str:
    """A whole file's text in the first of UTF-8 and CP949 that reads it, or UTF-16 with its mark.

    Raises ValueError that names the file and the cure.
    """
    with path.open("rb") as file:
        raw = file.read()
    encodings = ("utf-16",) if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else ENCODINGS
    for encoding in encodings:
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise ValueError(f"{path.name} is neither UTF-8 nor CP949: save it as UTF-8")


@contextmanager
def text_stream(name: str, file: BinaryIO, encoding: str | None = None) -> Iterator[io.TextIOWrapper]:
    """The file as text, line ends kept, in the encoding named or in the first that reads its beginning.

    Raises ValueError for a file that is empty or in none of them.
    """
    stream = io.TextIOWrapper(file, _encoding(name, file, encoding), newline="")
    try:
        yield stream
    finally:
        if not file.closed:
            stream.detach()  # the file is whoever opened it


def _encoding(name: str, file: BinaryIO, encoding: str | None) -> str:
    start = file.read(_BEGINNING)
    file.seek(0)
    if not start.removeprefix(b"\xef\xbb\xbf").strip():
        raise ValueError(f"{name} is empty: give a table with a row at least")
    likely = ("utf-16",) if start[:2] in (b"\xff\xfe", b"\xfe\xff") else ENCODINGS
    whole = start if len(start) < _BEGINNING else start[: start.rfind(b"\n") + 1 or None]
    for candidate in (encoding,) if encoding else likely:
        try:
            whole.decode(candidate)
        except (UnicodeDecodeError, LookupError):
            continue
        return candidate
    tried = encoding or ", ".join(likely)
    raise ValueError(f"{name} is not {tried}: name its encoding with `encoding:` or save it as UTF-8")
