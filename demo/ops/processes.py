"""The two children of the supervisor: the web process under gunicorn, and the worker process."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable

from demo.ops.supervisor import follow_parent, hold
from demo.store.settings import Settings
from demo.studio.services import Services

logger = logging.getLogger(__name__)


def run_web(settings: Settings, fd: int, parent: int | None, make: Callable | None = None) -> int:
    """Answer HTTP on an inherited socket until told to stop; `make(settings)` gives the services."""
    from gunicorn import util
    from gunicorn.app.base import BaseApplication

    from demo.web.problems import unread

    class Server(BaseApplication):
        """gunicorn with one process and threads; the application is made in that process."""

        def load_config(self) -> None:
            for key, value in {
                "bind": f"fd://{fd}", "workers": 1, "worker_class": "gthread", "threads": settings.threads,
                "worker_connections": settings.threads * 4, "timeout": 60, "graceful_timeout": 4, "keepalive": 15,
                "accesslog": None, "errorlog": "-", "loglevel": "warning", "proc_name": "studio-web",
                "limit_request_line": 8190, "limit_request_fields": 64,
                "post_fork": lambda _server, _worker: follow_parent(parent), "post_worker_init": _listen_to_signals,
                "worker_exit": _close,
                "control_socket_disable": True,
            }.items():  # fmt: skip
                if key in self.cfg.settings:
                    self.cfg.set(key, value)

        def load(self) -> object:
            return _web_application(settings, make)

    follow_parent(parent)
    util.write_error = lambda line, status, _reason, _message: util.write_nonblock(line, unread(status))
    Server().run()
    return 0


def run_worker(settings: Settings, parent: int | None, make: Callable | None = None) -> int:
    """Draw until told to stop; `make(settings)` gives the worker."""
    follow_parent(parent)
    with hold(settings, "worker", wait=20.0):
        if hasattr(os, "nice"):
            os.nice(5)  # answering goes before drawing
        worker = (make or make_worker)(settings)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: worker.stop())
        worker.run()
    return 0


def make_worker(settings: Settings) -> object:
    """The worker with the checkpoint and the encoder of the settings."""
    from demo.store.database import open_database
    from demo.store.storage import Storage
    from demo.studio.searching import Searcher
    from demo.studio.services import open_encoder, open_worker_index
    from demo.worker.loop import Worker
    from demo.worker.runners import open_runners

    database = open_database(settings)
    searcher = Searcher(settings, database, open_encoder, open_worker_index)
    return Worker(settings, database, Storage(settings.files_url), searcher, open_runners)


def _web_application(settings: Settings, make: Callable | None) -> object:
    from demo.ops.upkeep import keep_up
    from demo.studio.services import open_services
    from demo.web.app import create_app

    services = (make or open_services)(settings)
    app = create_app(settings, services)
    services.warm_up()
    stop = threading.Event()
    threading.Thread(target=keep_up, args=(services, stop), name="upkeep", daemon=True).start()
    _opened.append((services, stop))
    return app


def _listen_to_signals(_worker: object) -> None:
    _chain(signal.SIGTERM, close_streams)
    _chain(signal.SIGINT, close_streams)


_opened: list[tuple[Services, threading.Event]] = []  # of this process: gunicorn's hooks find them here


def close_streams() -> None:
    """Let the event streams end, so that the server need not wait for them."""
    for services, stop in _opened:
        stop.set()
        threading.Thread(target=services.watcher.close, daemon=True).start()


def _close(_arbiter: object, _worker: object) -> None:
    for services, _ in _opened:
        services.close()


def _chain(number: int, first: Callable[[], None]) -> None:
    before = signal.getsignal(number)

    def handle(got: int, frame: object) -> None:
        first()
        if callable(before):
            before(got, frame)

    signal.signal(number, handle)
