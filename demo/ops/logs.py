"""How processes log: lines for people, or one JSON object a line for what collects logs (LOG_FORMAT=json)."""

from __future__ import annotations

import json
import logging
import os
import sys
from datetime import UTC, datetime

from demo.store.request_id import RequestIds
from demo.store.settings import Settings

TEXT = "%(asctime)s %(levelname).1s %(name)s: %(message)s"
FIELDS = ("request_id", "job")  # of a record, where it has them


class JsonLines(logging.Formatter):
    """time (UTC), level, logger, process, message; request_id, job and exception where there are any."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname, "logger": record.name, "process": os.getpid(), "message": record.getMessage(),
        }  # fmt: skip
        line |= {name: value for name in FIELDS if (value := getattr(record, name, ""))}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def begin_logging(settings: Settings) -> None:
    """Log to stderr as the settings say."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if settings.log_format == "json" else logging.Formatter(TEXT))
    handler.addFilter(RequestIds())
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler])
    logging.getLogger("alembic").setLevel(logging.WARNING)
