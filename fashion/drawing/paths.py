"""Build SVG path data from points, as one draws clothes: smooth chains that meet in corners.

A path is a tuple of commands ("M", x, y), ("L", x, y), ("C", x1, y1, x2, y2, x, y), ("Z",) in body units, until a
`Frame` places it in the 256-unit square. The body's axis is x = 0, so that a mirrored piece is one with -x.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import cos, hypot, radians, sin

SIDE = 256  # of the scene's square, scene units

Point = tuple[float, float]
Chain = Sequence[Point]
Command = tuple
Path = tuple[Command, ...]
_CURVE, _POINT = "C%.1f %.1f %.1f %.1f %.1f %.1f", "%s%.1f %.1f"


@dataclass(frozen=True)
class Frame:
    """Where body units lie in the scene: x · scale + dx, y · scale + dy."""

    scale: float
    dx: float
    dy: float

    def hides_below(self, y: float) -> bool:
        """Whether all from body height `y` down lies under the square."""
        return y * self.scale + self.dy > SIDE

    def place(self, path: Path) -> str:
        """SVG path data in scene units, with one decimal. Where composing spends its time: % is the fastest way."""
        scale, dx, dy = self.scale, self.dx, self.dy
        words: list[str] = []
        for command in path:
            name = command[0]
            if name == "C":
                _, a, b, c, d, e, f = command
                x1, y1, x2, y2 = a * scale + dx, b * scale + dy, c * scale + dx, d * scale + dy
                words.append(_CURVE % (x1, y1, x2, y2, e * scale + dx, f * scale + dy))
            elif name == "Z":
                words.append("Z")
            else:
                words.append(_POINT % (name, command[1] * scale + dx, command[2] * scale + dy))
        return "".join(words)


def line(*chains: Chain) -> Path:
    """An open line through smooth chains; where two chains meet there is a corner."""
    x, y = chains[0][0]
    commands: list[Command] = [("M", x, y)]
    for chain in chains:
        if chain[0] != (x, y):
            commands.append(("L", *chain[0]))
        commands.extend(_spline(chain))
        x, y = chain[-1]
    return tuple(commands)


def shape(*chains: Chain) -> Path:
    """A closed piece bounded by smooth chains."""
    return (*line(*chains), ("Z",))


def both(*chains: Chain) -> Path:
    """A closed symmetric piece, from its right half: chains that run from the axis round to the axis again."""
    return shape(*chains, *(flip_chain(chain) for chain in reversed(chains)))


def both_line(chain: Chain) -> Path:
    """A symmetric open line, from its right half that begins on the axis."""
    return line([*flip_chain(chain), *chain[1:]])


def loop(points: Chain) -> Path:
    """A closed smooth curve through all points, without a corner."""
    n = len(points)
    around = [points[-1], *points, points[0], points[1 % n]]
    return (("M", *points[0]), *_spline(around)[1:-1], ("Z",))


def ellipse(x: float, y: float, rx: float, ry: float) -> Path:
    k = 0.5523
    return (
        ("M", x + rx, y),
        ("C", x + rx, y + k * ry, x + k * rx, y + ry, x, y + ry),
        ("C", x - k * rx, y + ry, x - rx, y + k * ry, x - rx, y),
        ("C", x - rx, y - k * ry, x - k * rx, y - ry, x, y - ry),
        ("C", x + k * rx, y - ry, x + rx, y - k * ry, x + rx, y),
        ("Z",),
    )


def flip_chain(chain: Chain) -> list[Point]:
    """A chain mirrored at the axis and run backwards."""
    return [(-x, y) for x, y in reversed(chain)]


def flip(path: Path) -> Path:
    """A path mirrored at the body's axis."""
    return tuple(_flipped(*command) for command in path)


def _flipped(name: str, *v: float) -> Command:
    if len(v) == 6:
        return name, -v[0], v[1], -v[2], v[3], -v[4], v[5]
    return (name, -v[0], v[1]) if v else (name,)


def moved(path: Path, dx: float, dy: float, scale: float = 1.0) -> Path:
    """A path scaled about the origin, then moved."""
    return tuple(
        (command[0], *(v * scale + (dx if i % 2 == 0 else dy) for i, v in enumerate(command[1:]))) for command in path
    )


def turned(path: Path, degrees: float, x: float = 0.0, y: float = 0.0) -> Path:
    """A path turned clockwise about (x, y)."""
    c, s = cos(radians(degrees)), sin(radians(degrees))
    result: list[Command] = []
    for command in path:
        values: list[float] = []
        for i in range(1, len(command), 2):
            px, py = command[i] - x, command[i + 1] - y
            values += (x + c * px - s * py, y + s * px + c * py)
        result.append((command[0], *values))
    return tuple(result)


def bend(path: Path, move: Callable[[float, float], Point]) -> Path:
    """A path whose every point, handles too, is moved by `move(x, y)`."""
    result: list[Command] = []
    for command in path:
        values: list[float] = []
        for i in range(1, len(command), 2):
            values += move(command[i], command[i + 1])
        result.append((command[0], *values))
    return tuple(result)


def bounds(paths: Iterable[Path]) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of all points, control points included: never smaller than what is drawn."""
    points: list[float] = []
    for path in paths:
        for command in path:
            points += command[1:]
    xs, ys = points[::2], points[1::2]
    return min(xs), min(ys), max(xs), max(ys)


def _spline(points: Chain) -> list[Command]:
    """Catmull-Rom through `points`, handles scaled to each piece so that uneven spacing does not overshoot."""
    last = len(points) - 1
    if last == 1:
        return [("L", *points[1])]
    commands: list[Command] = []
    (x0, y0), (x1, y1) = points[0], points[1]
    tx, ty = 0.0, 0.0  # the direction at (x0, y0)
    for i in range(1, last + 1):
        reach = hypot(x1 - x0, y1 - y0) / 3
        ax, ay = x0 + tx * reach, y0 + ty * reach
        if i == last:
            commands.append(("C", ax, ay, (x1 + ax) / 2, (y1 + ay) / 2, x1, y1))
            break
        x2, y2 = points[i + 1]
        tx, ty = x2 - x0, y2 - y0
        length = hypot(tx, ty) or 1.0
        tx, ty = tx / length, ty / length
        bx, by = x1 - tx * reach, y1 - ty * reach
        if i == 1:
            ax, ay = (x0 + bx) / 2, (y0 + by) / 2
        commands.append(("C", ax, ay, bx, by, x1, y1))
        x0, y0, x1, y1 = x1, y1, x2, y2
    return commands
