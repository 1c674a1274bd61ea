"""A signal that asks for the end never meets a lock that the main thread holds."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

PROGRAM = """
import os, sys, threading, time
from demo.ops.signals import on_end

lock, stop = threading.Lock(), threading.Event()

def end():
    with lock:
        stop.set()

on_end(end)
with lock:  # where Event.wait stands again and again
    os.kill(os.getpid(), int(sys.argv[1]))
    time.sleep(0.2)
print(stop.wait(60))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_that_comes_while_the_main_thread_holds_the_lock_ends_the_process(number: int) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(int(number))], capture_output=True, text=True, timeout=120, check=False
    )
    assert (ended.returncode, ended.stdout) == (0, "True\n"), ended.stderr
