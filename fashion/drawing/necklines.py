"""Necklines and what edges them: round, v, square, turtleneck, a frill, one bare shoulder."""

from __future__ import annotations

from fashion.drawing.body import NECK_X, NECK_Y, Cut
from fashion.drawing.paths import Path, Point, both, both_line, line, shape
from fashion.drawing.sketch import Sketch
from fashion.scene import Garment


def neckline(kind: str | None, neck_x: float = NECK_X) -> list[list[Point]]:
    """Right half of a neckline, from the axis up to the neck point."""
    top = (neck_x, NECK_Y)
    if kind == "v":
        return [[(0.0, 86.0), (neck_x * 0.56, 71.0), top]]
    if kind == "square":
        return [[(0.0, 77.0), (neck_x - 0.5, 77.0)], [(neck_x - 0.5, 77.0), top]]
    if kind == "turtleneck":
        return [[(0.0, 60.0), (neck_x * 0.6, 59.4), top]]
    return [[(0.0, 68.5), (neck_x * 0.62, 66.0), top]]


def neck_width(kind: str | None) -> float:
    return {"square": 16.5, "v": 12.5, "turtleneck": 9.5}.get(kind or "", 12.0)


def neck_hole(sketch: Sketch, chains: list[list[Point]], neck_x: float) -> None:
    """The inside of the back, seen through the neck of a garment."""
    sketch.back(both(*chains, [(neck_x, NECK_Y), (neck_x * 0.5, 60.0), (0.0, 60.6)]), -0.4)


def neck_band(sketch: Sketch, kind: str | None, neck_x: float, width: float, ribs: bool = False) -> None:
    """The band round a neckline; for a turtleneck a folded collar that stands up the neck."""
    if kind == "turtleneck":
        sketch.panel(
            both([(0, 44.4), (8, 43.6), (10.6, 42)], [(10.6, 42), (11.4, 50), (13, 60)], [(13, 60), (7, 65), (0, 66)]),
            "collar",
            shade=0.08,
        )
        sketch.stroke(both_line([(0, 56), (7, 55), (12, 52)]), "seam", 0.9)
        for x in (-9, -6, -3, 0, 3, 6, 9):
            sketch.stroke(line([(x, 46), (x * 1.12, 63.5 - abs(x) * 0.25)]), "rib", 0.7)
        sketch.back(both([(0, 42), (7, 41.4), (10.6, 42)], [(10.6, 42), (6, 45.4), (0, 46)]), -0.45)
        return
    inner = neckline(kind, neck_x)
    w = width
    if kind == "v":
        outer = [[(neck_x + w, NECK_Y + 1.6), (neck_x * 0.56 + w * 0.9, 71.6), (0, 86 + w * 1.6)]]
    elif kind == "square":
        outer = [[(neck_x + w, NECK_Y + 1.6), (neck_x - 0.5 + w, 77 + w)], [(neck_x - 0.5 + w, 77 + w), (0, 77 + w)]]
    else:
        outer = [[(neck_x + w, NECK_Y + 1.4), (neck_x * 0.62 + w * 0.86, 66 + w * 0.8), (0, 68.5 + w)]]
    sketch.panel(both(*inner, [(neck_x, NECK_Y), (neck_x + w, NECK_Y + 1.4)], *outer), "collar", shade=0.06)
    if ribs and kind == "round":
        for x in (-12, -9, -6, -3, 0, 3, 6, 9, 12):
            y = 68.6 - (x / 12) ** 2 * 6.4
            sketch.stroke(line([(x, y + 0.6), (x * 1.2, y + w - 0.8)]), "rib", 0.7)


def frill(sketch: Sketch, kind: str | None, neck_x: float) -> None:
    """A narrow ruffle along the neckline of a blouse."""
    chain = [point for part in neckline(kind, neck_x) for point in part]
    if kind == "round":
        chain = [(0, 68.5), (4, 68.1), (7.6, 66), (10.4, 62), (neck_x, NECK_Y)]
    wave: list[Point] = []
    steps = 9
    for i in range(steps + 1):
        t = i / steps * (len(chain) - 1)
        k = min(int(t), len(chain) - 2)
        f = t - k
        x = chain[k][0] + (chain[k + 1][0] - chain[k][0]) * f
        y = chain[k][1] + (chain[k + 1][1] - chain[k][1]) * f
        out = 4.4 if i % 2 else 2.8
        wave.append((x + out * 0.75 if i else 0.0, y + out * 0.75))
    sketch.panel(
        both(*neckline(kind, neck_x), [(neck_x, NECK_Y), wave[-1]], list(reversed(wave))), "collar", shade=0.16
    )


def jabot(sketch: Sketch, top: float, bottom: float = 106.5) -> None:
    """Ruffles edged with lace down the front of a blouse, from below the neck to the waist, a seam between them.

    They tell it from a T-shirt where a skirt hides its peplum and a coat its sleeves.
    """
    steps = max(2, round((bottom - top) / 5.5))
    edge: list[Point] = []
    for i in range(steps + 1):
        y = top + (bottom - top) * i / steps
        taper = 1.0 - 0.35 * i / steps
        edge += [(4.2 * taper, y), (8.4 * taper, y + (bottom - top) / steps * 0.55)]
    edge = edge[:-1]
    sketch.panel(both([(0.0, top), edge[0]], edge, [edge[-1], (0.0, bottom + 1.2)]), "collar", shade=0.2)
    lace = [(max(x - 2.6, 1.6), y) for x, y in reversed(edge)]
    sketch.trims_pair(shape(edge, [edge[-1], lace[0]], lace, [lace[-1], edge[0]]), "contrast")
    for i in range(steps):
        x, y = edge[2 * i + 1]
        sketch.strokes_pair(line([(x - 1.2, y - 0.2), (2.2, edge[2 * i][1] + 0.6)]), "fold", 0.9)
    sketch.stroke(line([(0, top + 0.8), (0, bottom)]), "seam", 1.1)


def one_shoulder(sketch: Sketch, garment: Garment, cut: Cut) -> None:
    """Recut a finished top to one shoulder: a slanting edge from the (viewer's) left shoulder under the other arm."""
    x0, (ax, ay) = cut.neck_x, cut.armpit
    edge: list[Point] = [(-x0 - 1, NECK_Y + 0.4), (-4.0, 68.0), (10.0, 78.5), (ax + 0.4, ay - 0.5)]
    left = [[(-x, y) for x, y in reversed(part)] for part in (cut.shoulder_chain(), cut.armhole())]
    new_panels = []
    for path, angle, scale, shade, role in sketch.panels:
        if role == "collar":
            continue
        if role == "body":
            path = _recut(path, edge, left, cut)
        elif role in ("sleeve", "cuff") and angle < 0 and path[0][1] > 12:
            continue
        new_panels.append((path, angle, scale, shade, role))
    sketch.panels = new_panels
    band = [(x + 0.6, y + 4.0) for x, y in reversed(edge[:-1])]
    sketch.panel(
        shape(edge, [edge[-1], (ax - 0.4, ay + 3.6)], [(ax - 0.4, ay + 3.6), *band], [band[-1], edge[0]]),
        "collar",
        shade=0.1,
    )
    sketch.strokes = [s for s in sketch.strokes if not (s[0][0][1] > 8 and s[0][0][2] < ay + 1)]


def _recut(path: Path, edge: list[Point], left: list[list[Point]], cut: Cut) -> Path:
    """The body of `path` from the armpits down, closed along a slanting upper edge; another piece stays as it is."""
    ax, ay = cut.armpit

    def ends_at(x: float) -> list[int]:
        return [i for i, c in enumerate(path) if len(c) > 2 and abs(c[-2] - x) < 0.01 and abs(c[-1] - ay) < 0.01]

    if not ends_at(ax) or not ends_at(-ax):
        return path
    lower = path[ends_at(ax)[0] + 1 : ends_at(-ax)[-1] + 1]
    top = line([(-ax, ay), *left[1][1:]], left[0], edge)
    return (*top, ("L", ax, ay), *lower, ("Z",))
