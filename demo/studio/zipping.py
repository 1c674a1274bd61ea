"""Zips that are sent while they are made: one file of them is in memory at a time."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from demo.store.database import Database
from demo.store.errors import ServiceError
from demo.store.tables import Image
from demo.studio.closet import seen_images
from demo.studio.uploads import Uploads
from demo.studio.visibility import Viewer

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class Zipping:
    """Pictures that one may see as one file."""

    def __init__(self, database: Database, uploads: Uploads) -> None:
        self._database, self._uploads = database, uploads

    def pictures(self, viewer: Viewer, image_ids: Sequence[str]) -> Iterator[bytes]:
        """A zip of pictures as one downloads them, numbered in the order asked for. Raises ServiceError not_found
        before anything is sent.
        """
        with self._database.read() as session:
            rows = seen_images(session, viewer, image_ids)
        return self._pieces(viewer, rows)

    def _pieces(self, viewer: Viewer, rows: Sequence[Image]) -> Iterator[bytes]:
        out = Pieces()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
            for number, row in enumerate(rows, 1):
                try:
                    file = self._uploads.read(row, viewer, "final", None, True, True)
                    archive.writestr(f"{number:03} {file.title}", file.data)
                except ServiceError as error:  # a damaged file must not keep the others
                    archive.writestr(f"{number:03} missing.txt", error.code)
                yield out.take()
        yield out.take()


class Pieces(io.RawIOBase):
    """What a zip writes, taken away as it comes."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: ReadableBuffer) -> int:
        piece = bytes(data)
        self._pieces.append(piece)
        return len(piece)

    def take(self) -> bytes:
        data = b"".join(self._pieces)
        self._pieces.clear()
        return data
