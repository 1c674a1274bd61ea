"""The two children of the supervisor: the process that answers HTTP, and the worker process."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Callable

from demo.ops.supervisor import follow_parent, hold
from demo.store.settings import Settings

logger = logging.getLogger(__name__)


def run_web(settings: Settings, fd: int, parent: int | None, make: Callable | None = None) -> int:
    """Answer HTTP on an inherited socket until told to stop; `make(settings)` gives the services."""
    from demo.ops.upkeep import keep_up
    from demo.studio.services import open_services
    from demo.web import server
    from demo.web.app import create_app
    from demo.web.security import body_limit

    follow_parent(parent)
    services = (make or open_services)(settings)
    app, stop = create_app(settings, services), threading.Event()
    services.warm_up()
    threading.Thread(target=keep_up, args=(services, stop), name="upkeep", daemon=True).start()

    def stopping() -> None:
        stop.set()
        app.extensions["streams"].close()
        threading.Thread(target=services.watcher.close, daemon=True).start()

    listener = socket.socket(fileno=fd)
    ended = server.run(app, listener, server.limits_of(settings), body_limit, settings.data_dir, stopping)
    services.close()
    if not ended:
        logger.warning("a request still ran %d s after the end was asked for, and is cut off", server.GRACE_SECONDS)
        logging.shutdown()
        os._exit(0)  # the interpreter would wait for its thread
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
