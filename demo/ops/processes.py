"""The two children of the supervisor: the process that answers HTTP, and the worker process.

Neither ends, to be started again and again, because the database is damaged or away: both say so, and wait for it.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from logging.handlers import QueueHandler, QueueListener
from queue import SimpleQueue
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from demo.ops.signals import on_end
from demo.ops.supervisor import follow_parent
from demo.store import collector
from demo.store.errors import ServiceError, from_failure, is_away, message
from demo.store.settings import Settings

if TYPE_CHECKING:
    from demo.worker.loop import Worker

logger = logging.getLogger(__name__)
LOOK_AGAIN = 5.0  # seconds between attempts to open a damaged database


def run_web(settings: Settings, fd: int, parent: int | None, make: Callable | None = None) -> int:
    """Answer HTTP on an inherited socket until told to stop; `make(settings)` gives the services."""
    from demo.ops.upkeep import keep_up
    from demo.studio.services import open_services
    from demo.web import server
    from demo.web.app import create_app
    from demo.web.security import body_limits

    follow_parent(parent)
    os.umask(0o077)
    try:
        services = (make or open_services)(settings)
    except (ServiceError, DBAPIError) as error:
        return _serve_damage(settings, fd, _refusal(error))
    logs = _log_in_a_thread()
    app, stop = create_app(settings, services), threading.Event()
    opening = services.warm_up()
    threading.Thread(target=_freeze_after, args=(opening,), name="freeze", daemon=True).start()
    threading.Thread(target=keep_up, args=(services, stop), name="upkeep", daemon=True).start()

    def stopping() -> None:
        stop.set()
        app.extensions["streams"].close()
        threading.Thread(target=services.watcher.close, daemon=True).start()

    listener = socket.socket(fileno=fd)
    ended = server.run(app, listener, server.limits_of(settings), body_limits(settings), settings.data_dir, stopping)
    services.close()
    if not ended:
        logger.warning("a request still ran %d s after the end was asked for, and is cut off", server.GRACE_SECONDS)
    logs.stop()
    if not ended:
        logging.shutdown()
        os._exit(0)  # the interpreter would wait for its thread
    return 0


def _freeze_after(opening: threading.Thread) -> None:
    """Let the collector of cycles leave alone what lives as long as the process: libraries, encoder, tables.

    It walks through some 450,000 objects otherwise, in 0.2 to 0.6 s, again and again, while every request waits.
    """
    opening.join()
    gc.collect()
    gc.freeze()
    logger.debug("the collector leaves %d objects alone", gc.get_freeze_count())


def _log_in_a_thread() -> QueueListener:
    """Let one thread write what all log: threads that answer must not wait for each other at the file."""
    root, lines = logging.getLogger(), SimpleQueue[logging.LogRecord]()
    listener = QueueListener(lines, *root.handlers, respect_handler_level=True)
    root.handlers = [QueueHandler(lines)]
    listener.start()
    return listener


def run_worker(settings: Settings, parent: int | None, make: Callable[[Settings], Worker] | None = None) -> int:
    """Draw until told to stop; `make(settings)` gives the worker."""
    follow_parent(parent)
    os.umask(0o077)
    if hasattr(os, "nice"):
        os.nice(5)  # answering goes before drawing
    collector.rest()
    worker: Worker | None = None
    warned = False
    while worker is None:
        try:
            worker = (make or make_worker)(settings)
        except (ServiceError, DBAPIError) as error:
            known = _refusal(error)
            if not warned:
                logger.error("%s", message(known.code, known.values))
            warned = True
            time.sleep(LOOK_AGAIN)
    collector.go_on()
    on_end(worker.stop)
    worker.run()
    worker.close()
    return 0


def _refusal(error: ServiceError | DBAPIError) -> ServiceError:
    """What is said while the database is damaged or away. Raises an error that is neither."""
    known = from_failure(error)
    if known is None or not (isinstance(error, ServiceError) or is_away(error)):
        raise error
    return known


def _serve_damage(settings: Settings, fd: int, error: ServiceError) -> int:
    """Say what is wrong until the database can be opened; the supervisor then starts a process that uses it."""
    from demo.store.database import open_database
    from demo.web import server
    from demo.web.damaged import create_damaged_app

    logger.error("%s", message(error.code, error.values))
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(LOOK_AGAIN):
            try:
                open_database(settings).close()
            except Exception as still:
                logger.debug("the database is still damaged: %s", still)
                continue
            os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="database", daemon=True).start()
    listener = socket.socket(fileno=fd)
    app = create_damaged_app(error)
    server.run(app, listener, server.limits_of(settings), lambda _path: 0, settings.data_dir, stop.set)
    return 0


def make_worker(settings: Settings) -> Worker:
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
