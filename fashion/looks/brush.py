"""A brush on paper: strokes whose width swells and thins, and whose bristles part where the ink runs out (비백).

In: SVG path data in scene units, as the drawing makes it. Out: SVG elements in scene units, decided by the generator.
"""

from __future__ import annotations

import re

import numpy as np

_TOKEN = re.compile(r"[MLCZ]|-?\d*\.?\d+")
_STEP = 3.0  # between points of a stroke, scene units
_CORNER = 0.45  # cosine of the turn at which a brush lifts
_DRY = 3.6  # width from which bristles can be told apart


def strokes_of(path: str) -> list[np.ndarray]:
    """The lines of a path, parted at its corners: points (n, 2), evenly far from each other."""
    found: list[np.ndarray] = []
    for line in _lines(path):
        steps = np.diff(line, axis=0)
        length = np.hypot(*steps.T)
        line, steps, length = line[np.r_[True, length > 0.05]], steps[length > 0.05], length[length > 0.05]
        if len(line) < 2:
            continue
        straight = (steps[1:] * steps[:-1]).sum(axis=1) / (length[1:] * length[:-1])
        corners = [0, *(np.flatnonzero(straight < _CORNER) + 1), len(line) - 1]
        found += [_even(line[a : b + 1]) for a, b in zip(corners[:-1], corners[1:], strict=True) if b > a]
    return found


def stroke(points: np.ndarray, width: float, rng: np.random.Generator, dry: float = 0.6, ink: str = "#000") -> str:
    """One stroke, at most `width` wide; `dry` is how likely its end is dry."""
    if rng.random() < 0.35:
        points = points[::-1]
    n = len(points)
    t = np.linspace(0, 1, n)
    half = 0.5 * width * _pressure(t, rng)
    along = np.gradient(points, axis=0) if n > 2 else np.repeat(np.diff(points, axis=0), n, axis=0)
    square = np.stack([-along[:, 1], along[:, 0]], axis=1) / np.maximum(np.hypot(*along.T), 1e-6)[:, None]
    ends = n
    bristles = ""
    if width >= _DRY and n > 8 and rng.random() < dry:
        ends = int(n * rng.uniform(0.4, 0.7))
        half[ends:] = np.maximum(half[ends:], 0.4 * half[ends])
        for across in np.arange(-1, 1.01, 2.2 / width):
            last = int(rng.uniform(ends, n + 0.3 * (n - ends)))
            hair = (points + square * (half * across)[:, None])[max(ends - 3, 0) : last]
            if len(hair) > 1:
                bristles += (
                    f'<path d="{_data(hair)}" fill="none" stroke="{ink}" stroke-width="{rng.uniform(0.5, 1.25):.2f}" '
                    f'stroke-dasharray="{rng.uniform(9, 30):.0f} {rng.uniform(1, 5):.1f}"/>'
                )
    left, right = (points + square * half[:, None])[:ends], (points - square * half[:, None])[:ends]
    return f'<path d="{_data(np.concatenate([left, right[::-1]]))}Z" fill="{ink}"/>{bristles}'


def _pressure(t: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """How hard the brush is pressed along a stroke, 0..1: set down, drawn out, lifted."""
    middle, spread = rng.uniform(0.05, 0.6), rng.uniform(0.25, 0.5)
    swell = np.exp(-(((t - middle) / spread) ** 2))
    waver = 0.12 * np.sin(t * rng.uniform(5, 11) + rng.uniform(0, 6))
    lifted = np.clip(np.minimum((t + 0.03) / 0.06, (1.02 - t) / 0.12), 0.12, 1)
    return np.clip((0.16 + 0.84 * swell + waver) * lifted, 0.07, 1)


def _lines(path: str) -> list[np.ndarray]:
    lines: list[list[tuple[float, float]]] = []
    command, numbers = "", []
    for token in [*_TOKEN.findall(path), "Z"]:
        if not token.isalpha():
            numbers.append(float(token))
            continue
        points = list(zip(numbers[::2], numbers[1::2], strict=True))
        if command == "M":
            lines.append(points)
        elif command == "L":
            lines[-1] += points
        elif command == "C":
            for i in range(0, len(points), 3):
                a, (b, c, d) = np.array(lines[-1][-1]), np.array(points[i : i + 3])
                s = np.linspace(0, 1, 9)[1:, None]
                curve = a * (1 - s) ** 3 + 3 * b * s * (1 - s) ** 2 + 3 * c * s**2 * (1 - s) + d * s**3
                lines[-1] += [(float(x), float(y)) for x, y in curve]
        if token == "Z" and lines and command:
            lines[-1].append(lines[-1][0])
        command, numbers = token, []
    return [np.array(line) for line in lines]


def _even(line: np.ndarray) -> np.ndarray:
    far = np.r_[0, np.cumsum(np.hypot(*np.diff(line, axis=0).T))]
    at = np.linspace(0, far[-1], max(3, int(far[-1] / _STEP) + 1))
    return np.stack([np.interp(at, far, line[:, 0]), np.interp(at, far, line[:, 1])], axis=1)


def _data(points: np.ndarray) -> str:
    flat = points.ravel().tolist()
    return ("M" + "L%.1f %.1f" * (len(flat) // 2) % tuple(flat)).replace("ML", "M", 1)
