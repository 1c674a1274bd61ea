"""Which runner runs which kind of job: the composition root of the worker and of the command line."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping

from demo.store.settings import Settings
from demo.studio.searching import Encoder
from demo.worker.drawing import open_drawing
from demo.worker.fabric import open_application, open_patterns
from jobspec import Runner

logger = logging.getLogger(__name__)
Opener = Callable[[Settings, Callable[[], Encoder]], Runner]
RUNNERS: dict[str, Opener] = dict.fromkeys(("draw", "form", "vary", "edit"), open_drawing) | {
    "pattern": open_patterns, "apply": open_application,
}  # fmt: skip
MISSING = {"pattern": "patterns_missing"}  # kinds that a worker does without: what their jobs are refused with


def open_runners(settings: Settings, encoder: Callable[[], Encoder], kinds: Iterable[str] = ()) -> dict[str, Runner]:
    """The runners of some kinds (default: of all), each opened once; `encoder()` gives the text encoder to those that
    need it. Of all kinds, one of `MISSING` is left out where it cannot be opened. Raises what opening them raises.
    """
    opened: dict[Opener, Runner] = {}
    asked = tuple(kinds)
    for kind in asked or tuple(RUNNERS):
        opener = RUNNERS[kind]
        if opener in opened:
            continue
        try:
            opened[opener] = opener(settings, encoder)
        except (OSError, ValueError) as error:
            if asked or kind not in MISSING:
                raise
            logger.warning("no jobs of the kind %s: %s", kind, error)
    return {kind: opened[opener] for kind, opener in RUNNERS.items() if opener in opened}


def facts_of(runners: Mapping[str, Runner]) -> dict[str, object]:
    """What people may know of all runners together, and the kinds that they run."""
    facts: dict[str, object] = {}
    for runner in dict.fromkeys(runners.values()):
        facts |= runner.facts()
    return facts | {"kinds": sorted(runners)}
