"""Workers are woken through Celery over Redis: one message a job, on one queue, to one idle worker.

A message names no job. The worker that takes it claims from the database, in the order that is fair (jobs.py), draws
until nothing waits for it, and acknowledges then (`acks_late`). So a busy worker holds one message at most (prefetch 1,
solo pool) and the others go to idle ones. The message of a killed worker comes again when its job's lease has ended:
the visibility timeout is LEASE_SECONDS. Redis may be away or emptied: publishing waits for nobody, workers look once a
second by themselves, and the consumer connects again for as long as the process lives.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from typing import Any

from celery import Celery
from celery.worker import WorkController, state

from demo.queue.identity import machine

logger = logging.getLogger(__name__)
QUEUE, TASK = "wake", "geuryeojwo.wake"
PREFIX = "geuryeojwo:"  # of every key, so that other users of one Redis are not met
LOOK_SECONDS = 1.0  # how often a worker looks by itself
MOST_RINGS = 512  # that wait to be published; more say nothing more
AGAIN_SECONDS = 2.0  # between attempts while Redis is away
CONNECT_SECONDS = 2.0


def celery_app(url: str, lease_seconds: float) -> Celery:
    """The Celery application of one installation: messages without results, acknowledged late."""
    broker = "redis+socket" + url.removeprefix("unix") if url.startswith("unix://") else url
    app = Celery("geuryeojwo", broker=broker, set_as_current=False)
    app.conf.update(
        task_acks_late=True, task_reject_on_worker_lost=True, task_ignore_result=True, task_default_queue=QUEUE,
        worker_pool="solo", worker_concurrency=1, worker_prefetch_multiplier=1, worker_enable_remote_control=False,
        worker_cancel_long_running_tasks_on_connection_loss=True,
        broker_connection_retry_on_startup=True, broker_connection_max_retries=None, broker_pool_limit=2,
        broker_connection_timeout=CONNECT_SECONDS, accept_content=["json"], task_serializer="json",
        broker_transport_options={
            "visibility_timeout": lease_seconds, "global_keyprefix": PREFIX, "socket_timeout": 5 * CONNECT_SECONDS,
            "socket_connect_timeout": CONNECT_SECONDS, "health_check_interval": 10,
        },
    )  # fmt: skip
    return app


class CeleryBell:
    """Rings through a thread that publishes; hears through a thread that consumes. One a process."""

    def __init__(self, url: str, lease_seconds: float) -> None:
        self._app = celery_app(url, lease_seconds)
        self._app.task(name=TASK, shared=False)(self._take_message)
        self._app.finalize()
        self._closed = threading.Event()
        self._change = threading.Condition()
        self._rings = 0
        self._publisher: threading.Thread | None = None
        self._consumer: threading.Thread | None = None
        self._message: threading.Event | None = None  # the one that is held, set once it may be acknowledged
        self._answering: threading.Event | None = None  # the one for which the worker looks now
        self._attention: threading.Event | None = None

    # The web process's side

    def ring(self) -> None:
        with self._change:
            self._rings = min(MOST_RINGS, self._rings + 1)
            if self._publisher is None:
                self._publisher = threading.Thread(target=self._publish, name="wake", daemon=True)
                self._publisher.start()
            self._change.notify_all()

    def _publish(self) -> None:
        warned = False
        while not self._closed.is_set():
            with self._change:
                self._change.wait_for(lambda: self._rings or self._closed.is_set())
            if self._closed.is_set():
                return
            try:
                self._app.send_task(TASK, queue=QUEUE, retry=False, ignore_result=True)
                warned = False
                with self._change:
                    self._rings = max(0, self._rings - 1)
            except Exception as error:  # kombu raises errors of redis, of sockets and of its own
                if not warned:
                    logger.warning("workers are not woken, they look by themselves: %s", error)
                warned = True
                with self._change:
                    self._rings = 0  # they look once a second: what is old need not be told
                self._closed.wait(AGAIN_SECONDS)

    # The worker's side

    def wait(self, attention: threading.Event) -> None:
        """Acknowledge the message for which the last round of looking was, and wait for the next one."""
        if self._consumer is None:
            self._attention = attention
            self._consumer = threading.Thread(target=self._consume, name="celery", daemon=True)
            self._consumer.start()
        if self._answering is not None:
            self._answering.set()
        with self._change:  # what came while the last round looked is the reason of the next one
            self._answering, self._message = self._message, None
        if self._answering is None:
            attention.wait(LOOK_SECONDS)
            with self._change:
                self._answering, self._message = self._message, None

    def _take_message(self) -> None:
        """The task: hand the message to the thread that draws, and return once it was answered."""
        answered = threading.Event()
        with self._change:
            self._message = answered
        if self._attention is not None:
            self._attention.set()
        while not answered.wait(1.0) and not self._closed.is_set():
            pass

    def _consume(self) -> None:
        """Keep a Celery worker (solo pool) running in this thread, whatever Redis does."""
        self._app.set_current()  # of this thread: the solo pool looks for its tasks there
        logging.getLogger("celery").setLevel(logging.ERROR)  # its warnings come with every attempt to connect
        logging.getLogger("kombu").setLevel(logging.ERROR)
        while not self._closed.is_set():
            try:
                worker = WorkController(
                    app=self._app, hostname=f"{machine()}-{id(self)}", pool_cls="solo", concurrency=1,
                    without_heartbeat=True, without_mingle=True, without_gossip=True, queues=[QUEUE],
                )  # fmt: skip
                worker.start()
            except (Exception, SystemExit) as error:
                logger.warning("no message comes, looking by myself: %s", error)
            self._closed.wait(AGAIN_SECONDS)

    def close(self) -> None:
        self._closed.set()
        with self._change:
            self._change.notify_all()
        threads = [thread for thread in (self._publisher, self._consumer) if thread is not None]
        if self._consumer is not None:
            state.should_stop = 0  # Celery's own flag, of the process
        deadline = time.monotonic() + CONNECT_SECONDS
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        if self._consumer is not None and not self._consumer.is_alive():
            state.should_stop = None
        with contextlib.suppress(Exception):
            self._app.close()

    def waiting(self) -> dict[str, Any]:
        """How many messages wait in Redis, for tests and operators."""
        with self._app.connection_for_read() as connection:
            channel = connection.default_channel
            return {"queued": channel._size(QUEUE), "unacked": channel.client.zcard(channel.unacked_index_key)}
