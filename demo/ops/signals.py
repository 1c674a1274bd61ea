"""The end that is asked for by a signal, told by a thread.

A signal's handler runs between two steps of the main thread. One that sets an Event on which the main thread just waits
takes the Event's lock, which that thread may hold: then neither goes on. Here the handler does nothing, the interpreter
writes the signal's number to a socket, and a thread reads it.
"""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable

ENDING = (signal.SIGINT, signal.SIGTERM)


def on_end(stop: Callable[[], object]) -> None:
    """Call `stop()` in a thread of its own at each SIGINT and SIGTERM. Call it once, in the main thread."""
    reading, writing = socket.socketpair()
    writing.setblocking(False)
    for number in ENDING:
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)

    def listen() -> None:
        with reading, writing:
            while number := reading.recv(1):
                if number[0] in ENDING:
                    stop()

    threading.Thread(target=listen, name="signals", daemon=True).start()
