"""What every test may rely on."""

from __future__ import annotations

import logging

import pytest


@pytest.fixture(autouse=True)
def encoder_warnings_are_heard() -> None:
    """The service silences the encoder's logger in its process, which here is the tests' own: undo that."""
    logging.getLogger("ko_clip").setLevel(logging.NOTSET)
