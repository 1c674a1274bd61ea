"""Who is asking: a signed cookie for a browser, a token for a program, a code to move, the admin's token.

A person is a random id; nothing else is known. Cookies are signed with a key of this installation; tokens and codes
are kept as SHA-256 only.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path

from itsdangerous import BadSignature, Signer, TimestampSigner
from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from demo.store.database import Database
from demo.store.errors import ServiceError
from demo.store.settings import Settings
from demo.store.tables import AbuseReport, Code, Generation, Idempotency, Image, Owner, Token, new_id
from demo.studio.closet_rows import move_closet
from demo.studio.visibility import Viewer, ensure_owner

COOKIE = "geuryeojwo"
LINK_SECONDS = 3600  # of a link to a picture
COOKIE_SECONDS = 400 * 86400  # as long as browsers keep one
CODE_DAYS = 30
REMEMBERED_SECONDS, MOST_REMEMBERED = 5.0, 10_000  # of a page that polls
ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"  # no letter that is mistaken for another


class Owners:
    """Recognise people, let them in, and move them between browsers."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings, self._database = settings, database
        key = settings.secret_key or _kept_secret(settings.data_dir / "secret_key")
        self._address_key = hashlib.sha256(b"address " + key.encode()).digest()
        self.counting_key = hashlib.sha256(b"rates " + key.encode()).digest()
        self._links = TimestampSigner(key, salt="picture-link", digest_method=hashlib.sha256)
        self.local_id = hmac.new(key.encode(), b"programs of this machine", hashlib.sha256).hexdigest()[:32]
        self._signer = Signer(key, salt="owner-cookie", digest_method=hashlib.sha256)
        self._known: dict[str, tuple[Viewer, float]] = {}  # owner id of a cookie -> who that is, until when
        self._admin = settings.admin_token or _kept_secret(settings.data_dir / "admin_token")

    def from_cookie(self, value: str) -> Viewer:
        """The browser of a cookie; anonymous when the cookie is not ours (or its owner not let in)."""
        try:
            owner_id = self._signer.unsign(value).decode()
        except BadSignature:
            return Viewer()
        if (viewer := self._remembered(owner_id)) is not None:
            return viewer
        with self._database.look() as session:
            row = session.get(Owner, owner_id)
        if self._settings.token_access and not (row and (row.member or row.moved_to)):
            return Viewer()
        viewer = Viewer(owner_id, "browser")
        if row is not None:
            viewer = Viewer(row.moved_to or owner_id, "browser")  # whoever gives out a code is a member
            self._remember(owner_id, viewer)
        return viewer

    def is_known(self, owner_id: str) -> bool:
        """Whether this person has made anything before."""
        if self._remembered(owner_id) is not None:
            return True
        with self._database.look() as session:
            return session.get(Owner, owner_id) is not None

    def _remembered(self, owner_id: str) -> Viewer | None:
        viewer, until = self._known.get(owner_id, (None, 0.0))
        return viewer if until > time.monotonic() else None

    def _remember(self, owner_id: str, viewer: Viewer) -> None:
        if len(self._known) >= MOST_REMEMBERED:
            self._known.clear()
        self._known[owner_id] = viewer, time.monotonic() + REMEMBERED_SECONDS

    def from_token(self, token: str) -> Viewer:
        """The owner of an API token, or the admin. Raises ServiceError bad_token."""
        if hmac.compare_digest(token.encode(), self._admin.encode()):
            return Viewer(None, "admin")
        with self._database.look() as session:
            owner_id = session.scalar(select(Token.owner_id).where(Token.digest == _digest(token)))
        if owner_id is None:
            raise ServiceError("bad_token")
        return Viewer(owner_id, "token")

    def cookie(self, owner_id: str) -> str:
        return self._signer.sign(owner_id.encode()).decode()

    def link(self, owner_id: str, what: str) -> str:
        """A text that lets whoever has it see `what` of this owner for an hour."""
        return self._links.sign(f"{owner_id}.{what}").decode()

    def from_link(self, link: str) -> tuple[Viewer, str]:
        """Whose and what a link shows. Raises ServiceError not_found where it has run out, too."""
        try:
            owner_id, _, what = self._links.unsign(link, max_age=LINK_SECONDS).decode().partition(".")
        except BadSignature as error:
            raise ServiceError("not_found") from error
        return Viewer(owner_id, "token"), what

    def address_of(self, client: str | None) -> str | None:
        """A client's address (IPv6: its network of 64 bits) as a keyed hash: no address can be read from it."""
        try:
            parsed = ipaddress.ip_address((client or "").partition("%")[0])
        except ValueError:
            return None
        parsed = getattr(parsed, "ipv4_mapped", None) or parsed
        network = ipaddress.ip_network((parsed, 64 if parsed.version == 6 else 32), strict=False)
        return hmac.new(self._address_key, network.network_address.packed, hashlib.sha256).hexdigest()[:32]

    @staticmethod
    def newcomer() -> Viewer:
        """Someone never seen before; their row is written with the first thing they make."""
        return Viewer(new_id(), "browser")

    def make_token(self, owner_id: str, name: str) -> tuple[Token, str]:
        """A new API token: its row, and the token itself, shown this once."""
        secret = "gr_" + secrets.token_urlsafe(32)
        row = Token(id=new_id(), owner_id=owner_id, name=name, digest=_digest(secret), created_at=time.time())
        with self._database.write() as session:
            row.owner_id = ensure_owner(session, owner_id, member=True)
            session.add(row)
        return row, secret

    def tokens(self, owner_id: str) -> list[Token]:
        with self._database.read() as session:
            query = select(Token).where(Token.owner_id == owner_id).order_by(Token.created_at)
            return list(session.scalars(query))

    def drop_token(self, owner_id: str, token_id: str) -> None:
        with self._database.write() as session:
            row = session.get(Token, token_id)
            if row is None or row.owner_id != owner_id:
                raise ServiceError("not_found")
            session.delete(row)

    def make_code(self, owner_id: str) -> tuple[str, float]:
        """A code that makes one other browser this owner, and when it expires; older codes stop working."""
        letters = "".join(secrets.choice(ALPHABET) for _ in range(16))
        code = "-".join(letters[i : i + 4] for i in range(0, 16, 4))
        expires_at = time.time() + CODE_DAYS * 86400
        with self._database.write() as session:
            owner_id = ensure_owner(session, owner_id, member=True)
            session.execute(update(Code).where(Code.owner_id == owner_id).values(used=True))
            session.add(Code(digest=_digest(letters), owner_id=owner_id, expires_at=expires_at))
        return code, expires_at

    def claim(self, code: str, viewer: Viewer, move: Callable[[Session, Generation], None]) -> tuple[str, int]:
        """Use a code: the owner it leads to, and how many generations the viewer brought along.

        `move(session, generation)` re-files a generation that changes hands. Raises not_found, code_used.
        """
        letters = "".join(c for c in code.upper() if c in ALPHABET)
        with self._database.write() as session:
            row = session.get(Code, _digest(letters))
            if row is None:
                raise ServiceError("not_found", "code")
            if row.used or row.expires_at < time.time():
                raise ServiceError("code_used", "code")
            row.used = True
            moved = 0
            if viewer.owner_id and viewer.owner_id != row.owner_id:
                moved = _bring(session, viewer.owner_id, row.owner_id, move)
        self._known.clear()  # after the commit: cookies of the old owner lead to the new one from now on
        return row.owner_id, moved


def _bring(session: Session, old: str, new: str, move: Callable[[Session, Generation], None]) -> int:
    """Give all of one owner to another; the old one's other browsers, codes and tokens lead there from now on."""
    generations = list(session.scalars(select(Generation).where(Generation.owner_id == old)))
    for generation in generations:
        generation.owner_id = new
        move(session, generation)
    session.execute(update(Image).where(Image.owner_id == old).values(owner_id=new))
    for table in (Token, Code):
        session.execute(update(table).where(table.owner_id == old).values(owner_id=new))
    move_closet(session, old, new)
    session.execute(update(AbuseReport).where(AbuseReport.reporter == old).values(reporter=new))
    session.execute(delete(Idempotency).where(Idempotency.owner_id == old))
    session.execute(update(Owner).where(or_(Owner.id == old, Owner.moved_to == old)).values(moved_to=new))
    return len(generations)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _kept_secret(path: Path) -> str:
    """A secret in a file that only this user reads, made at first use; processes agree on one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_urlsafe(32))
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        pass
    for _ in range(100):
        if text := path.read_text().strip():
            return text
        time.sleep(0.02)  # another process has made the file and is about to write it
    raise ValueError(f"{path} is empty: delete it, and it is made again")
