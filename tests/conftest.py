"""What every test may rely on."""

from __future__ import annotations

import gc
import logging

import pytest


def pytest_collection_finish() -> None:
    """Importing `demo.web` lets the collector of cycles rest until an application is there."""
    gc.set_threshold(10_000, 10, 10)


@pytest.fixture(autouse=True)
def encoder_warnings_are_heard() -> None:
    """The service silences the encoder's logger in its process, which here is the tests' own: undo that."""
    logging.getLogger("ko_clip").setLevel(logging.NOTSET)
