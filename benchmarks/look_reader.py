"""A scorer that can read the looks of styles: `read_looks(scorer)`.

In: the reporting scorer, which has seen the domain's own drawing styles alone. Out: a copy that was taught further on
true drawings of every look and of none (`fashion.look_scorer`). It takes part in no training of what draws, and is
thrown away after the benchmark. What it misses in true drawings that it was not shown says how far it can be trusted.
"""

from __future__ import annotations

from fashion.look_scorer import LookPictures, taught_looks
from fashion.scorer import Scorer

SEED = 89  # shares no scene with other sets
DRAWINGS = 320  # of each look, and of none
STEPS = 600


def read_looks(scorer: Scorer, each: int = DRAWINGS, steps: int = STEPS) -> Scorer:
    """The scorer, taught on `each` true drawings of every look; the given one stays as it is. The same every time."""
    return taught_looks(scorer, LookPictures.drawn(each, SEED), steps)
