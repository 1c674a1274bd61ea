# ruff: noqa: E501 (rows of SVG data)
"""A tiled roof (기와지붕) with upturned eaves, white plastered ridges, and the ornaments that stand on them."""

from __future__ import annotations

from random import Random

TILE, DEEP, PALE, PLASTER = "#5b6672", "#39424d", "#8a96a1", "#f1eee4"


def roof(
    middle: float,
    half: float,
    eave: float,
    tall: float,
    top: float,
    rng: Random,
    ridge: bool = True,
    animals: bool = True,
) -> str:
    """SVG in scene units: `half` from the middle to an eave's tip, `top` from the middle to an end of the ridge."""
    rise = 0.15 * half * rng.uniform(0.9, 1.15)
    high = eave - tall
    side = eave - rise

    def low(share: float) -> float:
        """The eave's height at -1..1 of its way: nearly straight, then turned up."""
        return eave - rise * abs(share) ** 2.6

    def slope(share: float) -> str:
        """One line down the roof, which hangs through."""
        x, ex, y = middle + top * share, middle + half * share, low(share)
        return f"M{x:.1f} {high + 2:.1f}Q{x + 0.3 * (ex - x):.1f} {high + 0.62 * (y - high):.1f} {ex:.1f} {y:.1f}"

    tiles = max(10, round(half / 6.5))
    shares = [k / tiles for k in range(-tiles, tiles + 1)]
    edge = "L".join(f"{middle + half * share:.1f} {low(share):.1f}" for share in shares)
    hip = f"Q{middle + top + 0.3 * (half - top):.1f} {high + 0.62 * (side - high):.1f} {middle + top:.1f} {high:.1f}"
    back = f"Q{middle - top - 0.3 * (half - top):.1f} {high + 0.62 * (side - high):.1f} {middle - half:.1f} {side:.1f}"
    under = "L".join(f"{middle + half * share * 0.97:.1f} {low(share) + 7:.1f}" for share in shares[::-1])
    out = f'<path d="M{edge}L{under}Z" fill="#1f5d4c" stroke="#173f38" stroke-width="1"/>'
    out += "".join(
        f'<circle cx="{middle + half * share * 0.98:.1f}" cy="{low(share) + 5:.1f}" r="2.1" fill="#e7674a"/>'
        for share in shares[1:-1]
    )
    out += f'<path d="M{edge}{hip}L{middle - top:.1f} {high:.1f}{back}Z" fill="{TILE}" stroke="{DEEP}" stroke-width="1.8"/>'
    out += f'<path d="{"".join(slope(share) for share in shares)}" fill="none" stroke="{DEEP}" stroke-width="1.5"/>'
    between = [share + 0.5 / tiles for share in shares[:-1]]
    out += f'<path d="{"".join(slope(share) for share in between)}" fill="none" stroke="{PALE}" stroke-width="1.3"/>'
    out += "".join(
        f'<circle cx="{middle + half * share:.1f}" cy="{low(share):.1f}" r="2" fill="{PALE}" stroke="{DEEP}" stroke-width=".8"/>'
        for share in shares
    )
    for share in (-1, 1):
        out += f'<path d="{slope(share)}" fill="none" stroke="{DEEP}" stroke-width="6.4" stroke-linecap="round"/>'
        out += f'<path d="{slope(share)}" fill="none" stroke="{PLASTER}" stroke-width="4.2" stroke-linecap="round"/>'
        out += _animals(middle, top, half, high, side, share) if animals else ""
    return out + (_ridge(middle, top, high) if ridge else "")


def _ridge(middle: float, top: float, high: float) -> str:
    """용마루, white, sunk in its middle, with a 취두 on each end."""
    left, right, sunk = middle - top - 2, middle + top + 2, high + 5
    line = f"M{left:.1f} {high - 1:.1f}Q{middle:.1f} {sunk:.1f} {right:.1f} {high - 1:.1f}"
    out = f'<path d="{line}" fill="none" stroke="{DEEP}" stroke-width="9.4"/>'
    out += f'<path d="{line}" fill="none" stroke="{PLASTER}" stroke-width="6.6"/>'
    for side, x in ((-1, left), (1, right)):
        out += (
            f'<path transform="translate({x:.1f} {high - 1:.1f}) scale({side} 1)" d="M-6 6V-6C-6 -11 -1 -13 1 -10C5 -14 9 -10 '
            f'6 -6C9 -3 7 6 7 6Z" fill="{DEEP}" stroke="#222932" stroke-width="1"/>'
        )
    return out


def _animals(middle: float, top: float, half: float, high: float, side: float, sign: int) -> str:
    """잡상, a row of small clay figures that guard a hip."""
    out = ""
    for k in range(5):
        t = 0.58 + 0.085 * k
        ax, ay = top + 0.3 * (half - top), high + 0.62 * (side - high)
        x = (1 - t) ** 2 * top + 2 * t * (1 - t) * ax + t * t * half
        y = (1 - t) ** 2 * high + 2 * t * (1 - t) * ay + t * t * side
        out += f'<path d="M{middle + sign * x - 2.2:.1f} {y - 1:.1f}l.8 -6.4q1.4 -2.6 2.8 0l.8 6.4z" fill="{DEEP}"/>'
    return out
