"""Engines beside each other: paired rounds, the first row is what the others are compared with."""

from __future__ import annotations

from benchmarks.engines import table


def test_a_row_has_medians_the_ratio_of_paired_rounds_and_the_peak() -> None:
    measured = [{"torch": [2.0 * k, 4.0 * k, 5e8], "OpenVINO": [1.0 * k, 1.0 * k, 6e8]} for k in (1, 2, 3)]
    assert table("4 pictures", measured)[2:] == [
        "| torch | 4.000 | 1.00× | 8.000 | 1.00× | 500 MB |",
        "| OpenVINO | 2.000 | 2.00× | 2.000 | 4.00× | 600 MB |",
    ]
