"""Files of a data set that come in password-protected zip archives.

In: a folder and a file's name. Out: the file itself, or one unpacked from an archive there. The password is what the data
set's owners give; it is read from the environment variable DEEPFASHION_PASSWORD and written nowhere.
"""

from __future__ import annotations

import os
import shutil
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from hangul.files import files_under

PASSWORD = "DEEPFASHION_PASSWORD"
_COPIED = 1 << 20  # bytes at once


def find_file(folder: Path, name: str, unpacked: Path) -> Path:
    """The file `name` of a folder or of one below it; one in a zip archive there is unpacked into `unpacked`.

    Raises FileNotFoundError where there is none, ValueError for a password that is missing or wrong.
    """
    here = folder / name
    if here.is_file():
        return here
    if below := [path for path in files_under(folder, (Path(name).suffix.lower(),)) if path.name == name]:
        return min(below, key=lambda path: len(path.parts))
    for archive in files_under(folder, (".zip",)):
        if member := _member(archive, name):
            return _unpack(archive, member, unpacked / name)
    raise FileNotFoundError(
        f"{here} is not there, nor in a zip archive of {folder}: copy it from the data set (docs/how-to/deepfashion.md "
        "says where its owners give it)"
    )


def _member(archive: Path, name: str) -> zipfile.ZipInfo | None:
    try:
        with zipfile.ZipFile(archive) as opened:
            return next((each for each in opened.infolist() if PurePosixPath(each.filename).name == name), None)
    except zipfile.BadZipFile as error:
        raise ValueError(f"{archive} is damaged or no zip archive ({error}): copy it again") from error


def _unpack(archive: Path, member: zipfile.ZipInfo, target: Path) -> Path:
    """Write one member to `target`, a piece at a time."""
    password = os.environ.get(PASSWORD, "")
    if member.flag_bits & 1 and not password:
        raise ValueError(f"{archive} is encrypted: put the password that the data set's owners gave you into the "
                         f"environment variable {PASSWORD}")  # fmt: skip
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with zipfile.ZipFile(archive) as opened, opened.open(member, pwd=password.encode() or None) as source:
            with target.open("wb") as file:
                shutil.copyfileobj(source, file, _COPIED)
    except NotImplementedError as error:
        raise ValueError(f"{archive} is packed or encrypted in a way that is not read here ({error}): unpack it with "
                         f"7-Zip and put {target.name} beside it") from error  # fmt: skip
    except RuntimeError as error:  # zipfile's word for a wrong password
        raise ValueError(f"{archive}: {PASSWORD} is not its password") from error
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        target.unlink(missing_ok=True)
        raise ValueError(f"{archive} is damaged, or {PASSWORD} is not its password ({error})") from error
    return target
