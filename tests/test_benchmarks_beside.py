"""Two builds beside each other: the ratio is of paired rounds, its bound from above."""

from __future__ import annotations

import numpy as np

from benchmarks.beside import ratio_with_bound, table


def test_a_machine_that_drifts_changes_no_ratio_of_paired_rounds() -> None:
    drift = np.linspace(1, 3, 10)
    ratio, most = ratio_with_bound(drift, 1.02 * drift)
    assert abs(ratio - 1.02) < 1e-9 and abs(most - 1.02) < 1e-9


def test_rounds_that_differ_widen_the_bound() -> None:
    there = np.ones(10)
    here = np.array([0.9, 1.1] * 5)
    ratio, most = ratio_with_bound(there, here)
    assert 0.98 < ratio < 1.0 < most < 1.1


def test_a_row_has_both_medians() -> None:
    (row,) = table([[{"draw, s": 2.0}, {"draw, s": 1.0}]] * 3)
    assert row == "| draw, s | 2 | 1 | 0.500 | 0.500 |"
