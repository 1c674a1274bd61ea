"""Every setting of the service, its default and its meaning. The only file that reads environment variables.

In: environment variables named like the fields in capitals (PORT=8080, MAX_DISK=20GB). Out: a frozen `Settings`.
`python -m demo settings` prints the table.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator
from sqlalchemy.engine import URL, make_url

REPOSITORY = Path(__file__).resolve().parent.parent.parent
NUMBER = re.compile(r"\s*(\d+)\s*([KMGT]?)B?\s*", re.IGNORECASE)
UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


class SettingsError(ValueError):
    """A setting that cannot be used; the message names it, what came and what is allowed."""


def _setting(default: object, help: str) -> Any:
    return Field(default, description=help)


class Settings(BaseModel):
    """Checked once, where it is made; handed down as an argument everywhere. Made by itself it reads no environment:
    `Settings.from_env()` does.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=False)

    host: str = _setting("127.0.0.1", "Address to listen on.")
    port: int = _setting(5000, "Port to listen on.")
    data_dir: Path = _setting(Path("data"), "Folder of the database, the pictures and the index.")
    checkpoint: str = _setting(str(REPOSITORY / "checkpoints"), "Checkpoint that draws: a folder or a hub id.")
    encoder: str = _setting(
        str(REPOSITORY / "checkpoints" / "korean"), "Folder of the text encoder: a student of ours, or a CLIP."
    )
    search_encoder: str = _setting(
        "", "Folder of another encoder for search alone: sentence-transformers or CLIP. Empty: ENCODER's own."
    )
    textile: str = _setting(
        str(REPOSITORY / "checkpoints" / "textile"), "Folder of the pattern generator and the garment segmenter."
    )
    engine: str = _setting("torch", "What the worker's networks run by: torch; openvino (CPU); auto: the faster one.")
    low_memory: bool = _setting(False, "Weights wait in CPU memory and visit the GPU layer by layer; tiles.")
    weight_bits: int = _setting(0, "Bits of a weight of U-Nets in memory: 8 or 4 (bitsandbytes); 0: as drawn with.")
    index_engine: str = _setting("annoy", "What finds similar prompts in a large index: annoy or hnswlib.")
    index_url: str = _setting("", "Where similar prompts are found: empty: by each web process; pgvector: there.")
    database_url: str = _setting("", "SQLAlchemy URL; empty: SQLite in DATA_DIR.")
    storage_url: str = _setting("", "fsspec URL of the pictures; empty: DATA_DIR/files.")
    storage_reads: str = _setting("proxied", "How pictures in S3 are read: proxied; presigned: by links into it.")
    starter: str = _setting(str(REPOSITORY / "demo" / "starter"), "Starter gallery; empty: none.")
    access: str = _setting("", "open or token; must be said when HOST is not loopback. Empty: open.")
    admin_token: str = _setting("", "Admin token; empty: made at first start in DATA_DIR/admin_token.")
    secret_key: str = _setting("", "Key that signs cookies; empty: made at first start in DATA_DIR/secret_key.")
    allowed_hosts: str = _setting("", "Host names answered, comma separated; empty: loopback names on loopback.")
    secure_cookies: bool = _setting(False, "Send cookies over TLS only (set it behind TLS).")
    proxies: int = _setting(0, "Trusted proxies in front (ProxyFix); 0: none.")
    retention_days: int = _setting(0, "Days after which generations and uploads are deleted; 0: kept.")
    trash_days: int = _setting(0, "Days for which what people delete on the page can be had back; 0: no trash.")
    max_disk: int = _setting(10 * 2**30, "Bytes of pictures kept; beyond it new ones are refused (507).")
    visible_mark: bool = _setting(False, "Write 'AI generated' into the corner of downloaded pictures.")
    address_share: float = _setting(0.5, "Share of the waiting places that jobs from one address may take.")
    drafts: str = _setting("auto", "Drafts while typing: on, off; auto: not for a public checkpoint without a GPU.")
    queue_url: str = _setting("", "How workers are woken: empty: they look ten times a second; redis://…: by Celery.")
    web_processes: int = _setting(1, "Processes that answer HTTP and that `serve` starts.")
    workers: int = _setting(1, "Worker processes that `serve` starts; 0: others draw (python -m demo worker).")
    queue: int = _setting(400, "Waiting jobs of everybody together; beyond it 429.")
    jobs_per_owner: int = _setting(100, "Waiting and running jobs of one person; beyond it 429.")
    first_page_likes: int = _setting(
        1, "Likes of other people that bring a public picture to everybody's first page; 0: every one, at once."
    )
    batch: int = _setting(8, "Pictures in one batch (jobs of the same shape); twice as many at one network row each.")
    streams: int = _setting(512, "Event streams at once; beyond it 503 and polling.")
    connections: int = _setting(1024, "Connections at once; beyond it those that wait for their client are closed.")
    connections_per_address: int = _setting(256, "The same for one address (not behind PROXIES); 0: not bounded.")
    lease_seconds: float = _setting(30.0, "A job whose worker is silent for so long is drawn again.")
    rate_writes: str = _setting("240/minute", "Writing requests of one person.")
    rate_reads: str = _setting("3000/minute", "Reading requests of one person.")
    rate_storage: str = _setting("", "Where rates are counted; empty: QUEUE_URL, else DATABASE_URL, else this process.")
    rate_newcomers: str = _setting("600/hour", "New anonymous people from one address.")
    rate_address: str = _setting("12000/minute", "Requests of one address, whoever they are for.")
    a1111: str = _setting("", "A1111's API at /sdapi/v1: empty: off; loopback: programs of this machine; token.")
    studio_token: str = _setting("", "Token by which `python -m demo mcp` acts; over HTTP callers may send their own.")
    metrics_open: bool = _setting(False, "Answer /metrics to whoever asks from this machine, without the admin token.")
    log_level: str = _setting("INFO", "DEBUG, INFO, WARNING or ERROR.")
    log_format: str = _setting("text", "How processes log: text; json: one object a line.")

    def __init__(self, **values: object) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise SettingsError("; ".join(_reason(one) for one in error.errors())) from error

    @field_validator("*", mode="before")
    @classmethod
    def _parse(cls, value: object, info: ValidationInfo) -> object:
        """Text from the environment: `10GB` for bytes and counts, 1/0/yes/no for switches."""
        kind = cls.model_fields[str(info.field_name)].annotation
        if isinstance(value, str) and kind is bool and not value.strip():
            return False
        if isinstance(value, str) and kind is int and (found := NUMBER.fullmatch(value)) is not None:
            return int(found[1]) * UNITS[found[2].upper()]
        return value

    @model_validator(mode="after")
    def _check(self) -> Settings:
        if self.access not in ("", "open", "token"):
            raise SettingsError(f"ACCESS={self.access}: allowed are open and token")
        if self.a1111 not in ("", "loopback", "token"):
            raise SettingsError(f"A1111={self.a1111}: allowed are loopback and token, or nothing")
        if self.engine not in ("auto", "torch", "openvino"):
            raise SettingsError(f"ENGINE={self.engine}: allowed are auto, torch and openvino")
        if self.weight_bits not in (0, 4, 8):
            raise SettingsError(f"WEIGHT_BITS={self.weight_bits}: allowed are 8 and 4, or 0 for none stored so")
        if self.engine == "openvino" and (self.weight_bits or self.low_memory):
            name = "WEIGHT_BITS" if self.weight_bits else "LOW_MEMORY"
            raise SettingsError(f"ENGINE=openvino draws without {name}: choose ENGINE=torch, or leave {name} out")
        if self.storage_reads not in ("proxied", "presigned"):
            raise SettingsError(f"STORAGE_READS={self.storage_reads}: allowed are proxied and presigned")
        if self.log_format not in ("text", "json"):
            raise SettingsError(f"LOG_FORMAT={self.log_format}: allowed are text and json")
        if self.drafts not in ("auto", "on", "off"):
            raise SettingsError(f"DRAFTS={self.drafts}: allowed are auto, on and off")
        if self.index_url not in ("", "local", "pgvector", "pgvector://"):
            raise SettingsError(f"INDEX_URL={self.index_url}: allowed are local and pgvector, or nothing")
        if self.index_url.startswith("pgvector") and not self.database_url.startswith("postgresql"):
            raise SettingsError(f"INDEX_URL={self.index_url}: needs DATABASE_URL=postgresql+psycopg://…")
        if self.index_engine not in ("annoy", "hnswlib"):
            raise SettingsError(f"INDEX_ENGINE={self.index_engine}: allowed are annoy and hnswlib")
        for name in (
            "port",
            "workers",
            "web_processes",
            "queue",
            "jobs_per_owner",
            "batch",
            "streams",
            "connections",
            "max_disk",
        ):
            if getattr(self, name) < (0 if name in ("port", "workers") else 1):
                raise SettingsError(f"{name.upper()}={getattr(self, name)}: must be positive")
        if self.port > 65535 or min(self.retention_days, self.trash_days, self.proxies) < 0 or self.lease_seconds <= 0:
            raise SettingsError(
                "PORT up to 65535, RETENTION_DAYS, TRASH_DAYS and PROXIES from 0, LEASE_SECONDS above 0"
            )
        if self.first_page_likes < 0:
            raise SettingsError(f"FIRST_PAGE_LIKES={self.first_page_likes}: must be from 0")
        if not 0 < self.address_share <= 1:
            raise SettingsError(f"ADDRESS_SHARE={self.address_share}: must be above 0, at most 1")
        if self.queue_url and not self.queue_url.startswith(("redis://", "rediss://", "unix://")):
            raise SettingsError(f"QUEUE_URL={self.queue_url}: must begin with redis://, rediss:// or unix://")
        return self

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ, **overrides: object) -> Settings:
        """Read the environment; `overrides` (from a command line) win. Raises SettingsError."""
        from demo.store.environment import read  # a fifteenth of what the application imports, used once a process

        return cls(**(read(cls, environ) | overrides))

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the service."""
        try:
            return ipaddress.ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def token_access(self) -> bool:
        return self.access == "token"

    @property
    def hosts(self) -> tuple[str, ...]:
        """Host names to answer; empty means any (beyond loopback, where the proxy in front decides)."""
        if self.allowed_hosts:
            return tuple(name.strip() for name in self.allowed_hosts.split(",") if name.strip())
        return ("127.0.0.1", "localhost", "[::1]") if self.loopback else ()

    @property
    def sqlalchemy_url(self) -> URL:
        """Where the database is. The path in DATA_DIR is never parsed: it may hold `%`, `?` and `::`."""
        if self.database_url:
            return make_url(self.database_url)
        return URL.create("sqlite", database=str((self.data_dir / "studio.sqlite").resolve()))

    @property
    def files_url(self) -> str | Path:
        """Where the pictures are: a folder, or an fsspec URL."""
        return self.storage_url or (self.data_dir / "files").resolve()

    @property
    def rates_url(self) -> str:
        """Where rates are counted: a URL of `limits`; "database"; empty: in this process."""
        together = self.database_url or self.web_processes > 1
        return self.rate_storage or self.queue_url or ("database" if together else "")

    @property
    def engines_dir(self) -> Path:
        """Folder of the graphs that OpenVINO draws by."""
        return self.data_dir / "engines"

    @property
    def drafts_dir(self) -> Path:
        """Folder of the sockets at which workers take drafts."""
        return self.data_dir.resolve() / "drafts"

    @property
    def index_dir(self) -> Path:
        return self.data_dir / "index"

    def check_listening(self) -> None:
        """Refuse to be reachable from elsewhere by accident. Raises SettingsError."""
        if not self.loopback and not self.access:
            raise SettingsError(
                f"HOST={self.host} can be reached from other machines: set ACCESS=token (only people with a code or "
                "token, made by `python -m demo code` and `python -m demo token`), or ACCESS=open (everybody)"
            )


def _reason(error: Mapping[str, Any]) -> str:
    """What came, and why it cannot be: PORT='x': input should be a valid integer."""
    name = ".".join(map(str, error["loc"])).upper()
    message = str(error["msg"]).removeprefix("Value error, ")
    return f"{name}={error['input']!r}: {message[0].lower()}{message[1:]}" if name else message


def settings_table() -> str:
    """Every setting with its default and help, for the shell and for a test against the documentation."""
    fields = Settings.model_fields.items()
    return "\n".join(f"{name.upper():16} {field.default!s:28} {field.description}" for name, field in fields)
