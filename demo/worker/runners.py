"""Which runner runs which kind of job: the composition root of the worker and of the command line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from demo.store.settings import Settings
from demo.studio.searching import Encoder
from demo.worker.drawing import open_drawing
from jobspec import Runner

Opener = Callable[[Settings, Callable[[], Encoder]], Runner]
RUNNERS: dict[str, Opener] = dict.fromkeys(("draw", "form", "vary", "edit"), open_drawing)


def open_runners(settings: Settings, encoder: Callable[[], Encoder], kinds: Iterable[str] = ()) -> dict[str, Runner]:
    """The runners of some kinds (default: of all), each opened once; `encoder()` gives the text encoder to those that
    need it. Raises what opening them raises.
    """
    opened: dict[Opener, Runner] = {}
    for kind in tuple(kinds) or tuple(RUNNERS):
        opener = RUNNERS[kind]
        if opener not in opened:
            opened[opener] = opener(settings, encoder)
    return {kind: opened[opener] for kind, opener in RUNNERS.items() if opener in opened}


def facts_of(runners: Mapping[str, Runner]) -> dict[str, object]:
    """What people may know of all runners together, and the kinds that they run."""
    facts: dict[str, object] = {}
    for runner in dict.fromkeys(runners.values()):
        facts |= runner.facts()
    return facts | {"kinds": sorted(runners)}
