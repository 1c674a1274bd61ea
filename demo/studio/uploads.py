"""Pictures that people bring: decoded under limits, stripped, kept small; and any picture's bytes as asked for."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from sqlalchemy import select

from demo.store.database import Database
from demo.store.errors import ServiceError
from demo.store.settings import Settings
from demo.store.space import Space
from demo.store.storage import DamagedFile, Storage
from demo.store.tables import Image, new_id
from demo.studio import pictures
from demo.studio.generations import read_page
from demo.studio.views import Page
from demo.studio.visibility import Viewer, ensure_owner, owned_by

LINK_SECONDS = 300  # for which a link into the store works


@dataclass(frozen=True)
class File:
    """Bytes to send, with their type, their identity and two names for downloading: `name` in ASCII, `title` as people
    would call the picture.
    """

    data: bytes
    media_type: str
    etag: str
    name: str
    title: str


class Uploads:
    """Store an upload; read any picture in the form asked for."""

    def __init__(self, settings: Settings, database: Database, storage: Storage, space: Space) -> None:
        self._settings, self._database, self._storage = settings, database, storage
        self._space = space

    def add(self, viewer: Viewer, data: bytes) -> Image:
        """Keep a person's picture: files first, row last. Raises ServiceError bad_image, image_too_large, disk_full."""
        picture = pictures.read_upload(data)
        full, small = pictures.encode(picture, "image/png"), pictures.thumbnail(picture, None)
        self._space.require(len(full) + len(small))
        id = new_id()
        try:
            files = {
                "final": self._storage.write(id, "final", "image/png", full),
                "thumbnail": self._storage.write(id, "thumbnail", "image/webp", small),
            }
            row = Image(
                id=id, owner_id=viewer.owner_id, generation_id=None, kind="upload", created_at=time.time(),
                width=picture.width, height=picture.height, seed=None, media_type="image/png", recipe=None,
                source_type=None, files=files, bytes=sum(file["bytes"] for file in files.values()), position=0,
            )  # fmt: skip
            with self._database.write() as session:
                row.owner_id = ensure_owner(session, viewer.known_id)
                session.add(row)
                self._space.require_kept(session)
        except Exception:
            for stage, suffix in (("final", "png"), ("thumbnail", "webp")):
                self._storage.remove(f"{id[:2]}/{id}.{stage}.{suffix}")
            raise
        return row

    def page(self, viewer: Viewer, cursor: str | None, limit: int) -> Page[Image]:
        """Own uploads, newest first."""
        query = select(Image).where(owned_by(viewer, Image), Image.kind == "upload")
        with self._database.read() as session:
            return Page(*read_page(session, query, Image, cursor, limit))

    def link(self, row: Image, viewer: Viewer, stage: str, as_stored: bool, program: bool) -> str | None:
        """Where a picture can be read from the store itself (STORAGE_READS=presigned), for LINK_SECONDS; None: here.

        A thumbnail, whoever asks; a whole picture only for its owner, since its file holds the recipe, and only for
        programs: a page draws into canvases, which take nothing from other places. `as_stored`: nothing is converted.
        """
        if self._settings.storage_reads != "presigned" or not as_stored or stage not in row.files:
            return None
        if stage != "thumbnail" and not (program and viewer.owns(row.owner_id)):
            return None
        return self._storage.signed_url(row.files[stage], LINK_SECONDS)

    def link_source(self) -> str:
        """The place that `link` leads to, for the page's content security policy; empty: none."""
        if self._settings.storage_reads != "presigned":
            return ""
        url = self._storage.signed_url({"key": f"00/{'0' * 32}.thumbnail.webp"}, LINK_SECONDS)
        parts = urlsplit(url or "")
        return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""

    def read(
        self, row: Image, viewer: Viewer, stage: str, format: str | None, metadata: bool, download: bool,
        scale: int = 1, sheet: int | None = None,
    ) -> File:  # fmt: skip
        """A picture's bytes, with its whole recipe for its owner only.

        `stage`: final, base, thumbnail. `scale`: so many times as wide and high. `sheet`: of a pattern, its tile
        repeated to so many pixels a side. Raises ServiceError not_found, storage_unavailable, invalid_request.
        """
        tile = (row.recipe or {}).get("tile")
        if sheet is not None and not tile:
            raise ServiceError("invalid_request", "sheet", name="sheet", reason="cannot_be_done")
        if stage not in row.files:
            raise ServiceError("not_found")
        try:
            data = self._storage.read(row.files[stage])
        except (FileNotFoundError, DamagedFile) as error:
            raise ServiceError("storage_unavailable") from error
        stored = "image/webp" if stage == "thumbnail" else row.media_type
        wanted = pictures.FORMATS[format] if format else stored
        mark = download and self._settings.visible_mark and row.kind == "generation"
        recipe = row.recipe if viewer.owns(row.owner_id) else pictures.recipe_for_others(row.recipe)
        if wanted != stored or not metadata or mark or scale > 1 or sheet:
            picture = pictures.enlarged(pictures.decode(data), scale)
            picture = pictures.repeated(picture, tile * scale, sheet) if tile and sheet else picture
            recipe = recipe if metadata and stage != "thumbnail" else None
            shown = pictures.with_visible_mark(picture) if mark else picture
            data = pictures.encode(shown, wanted, row.source_type, recipe)
        elif recipe and wanted == "image/png" and (recipe != row.recipe or not pictures.has_parameters(data)):
            data = pictures.with_other_recipe(data, row.source_type, recipe)
        suffix = wanted.removeprefix("image/")
        name = f"geuryeojwo-{row.seed if row.seed is not None else row.id[:8]}-{row.id[:8]}.{suffix}"
        said = pictures.file_title(row.recipe, row.position) if metadata else ""
        title = f"{said}.{suffix}" if said else name
        return File(data, wanted, hashlib.sha256(data).hexdigest()[:32], name, title)
