"""Korean dress: 저고리, 한복 치마, 두루마기, 배자."""

from __future__ import annotations

from fashion.drawing.hanbok_parts import baerae, fur_band, git, goreum, ribbon
from fashion.drawing.paths import Point, both, ellipse, line, shape
from fashion.drawing.sketch import Sketch, Wear
from fashion.scene import Garment


def jeogori(garment: Garment, wear: Wear) -> Sketch:
    """Very short, wide curved sleeves, crossed collar, long ribbons."""
    sketch = Sketch(layer=30, armless=wear.covered)
    sketch.back(both([(0, 60), (6, 59), (12, 55)], [(12, 55), (11, 66), (0, 88)]), -0.35)
    baerae(sketch, wear.arm + (4 if wear.alone else 2), 60.0, 15.5, 9.4)
    body = both(
        [(0, 78), (7, 66), (12, 56)],
        [(12, 56), (22, 60), (32, 64.5)],
        [(32, 64.5), (29.5, 78), (28.5, 90)],
        [(28.5, 90), (28.5, 99)],
        [(28.5, 99), (14, 104), (0, 105.5)],
    )
    sketch.panel(body)
    sketch.strokes_pair(line([(27, 93), (21, 96), (15, 96.5)]), "fold", 1.5)
    sketch.strokes_pair(line([(21, 68), (21.5, 80), (19.5, 92)]), "light", 1.8)
    sketch.stroke(line([(2.5, 87), (9, 96), (11, 104.6)]), "seam", 1.0)
    git(sketch, (9.5, 92.0), 6.2)
    goreum(sketch, (8.5, 89.0), (66.0, 50.0))
    return sketch


def durumagi(garment: Garment, wear: Wear) -> Sketch:
    """A long overcoat that widens to the hem, wide sleeves, crossed collar, one long tie."""
    sketch = Sketch(layer=40)
    hem = 210.0
    g = 11.0 if wear.open else 0.0
    sketch.back(
        both(
            [(0, 58), (7, 57.6), (12.5, 55)],
            [(12.5, 55), (28, 90), (44, hem - 3)],
            [(44, hem - 3), (20, hem), (0, hem)],
        ),
        -0.45,
    )
    baerae(sketch, wear.arm + 2, 72.0 if wear.alone else 64.0, 15.0, 10.2)
    if wear.open:
        _open_durumagi(sketch, hem, g)
    else:
        _closed_durumagi(sketch, hem)
    sketch.strokes_pair(line([(38, hem - 5), (33, 160), (28, 120)]), "fold", 2.0)
    sketch.strokes_pair(line([(26, hem - 3), (24, 168), (22, 136)]), "fold", 1.7)
    sketch.strokes_pair(line([(32, hem - 10), (28.6, 168), (26, 142)]), "light", 2.0)
    return sketch


def _open_durumagi(sketch: Sketch, hem: float, g: float) -> None:
    """Two fronts that hang apart, each with its collar band and ribbon."""
    sketch.pair(
        shape(
            [(g + 2, hem + 2), (g + 0.5, 130), (g, 98)],
            [(g, 98), (g * 0.9 + 1, 76), (12.5, 56)],
            [(12.5, 56), (23, 60), (33, 65)],
            [(33, 65), (30, 78), (30, 92)],
            [(30, 92), (37, 140), (47, hem - 2)],
            [(47, hem - 2), (30, hem + 2), (g + 2, hem + 2)],
        )
    )
    band: list[Point] = [(g, 108), (g * 0.9 + 1, 78), (12, 54)]
    sketch.pair(
        shape(band, [(12, 54), (18, 56.6)], [(18, 56.6), (g + 7, 82), (g + 6, 108)], [(g + 6, 108), (g, 108)]),
        "collar",
        shade=0.12,
    )
    sketch.trims_pair(
        shape(
            [(g * 0.93 + 0.6, 90), (g * 0.9 + 0.6, 76), (10.8, 53.6)],
            [(10.8, 53.6), (14.4, 54.8)],
            [(14.4, 54.8), (g * 0.9 + 4.2, 78), (g * 0.93 + 3.4, 90)],
            [(g * 0.93 + 3.4, 90), (g * 0.93 + 0.6, 90)],
        ),
        "white",
    )
    for side in (-1, 1):
        ribbon(sketch, (side * (g + 4), 106), (side * (g + 8), 162), 6.4)


def _closed_durumagi(sketch: Sketch, hem: float) -> None:
    """One crossed front, tied."""
    sketch.panel(
        both(
            [(0, 80), (7, 67), (12.5, 56)],
            [(12.5, 56), (23, 60), (33, 65)],
            [(33, 65), (30, 78), (30, 92)],
            [(30, 92), (37, 140), (47, hem - 2)],
            [(47, hem - 2), (25, hem + 4), (0, hem + 5)],
        )
    )
    sketch.stroke(line([(9, 100), (15, 140), (19, hem + 3.6)]), "seam", 1.1)
    git(sketch, (10.5, 99.0), 7.0)
    goreum(sketch, (10.5, 97.0), (72.0, 58.0), 1.15)


def baeja(garment: Garment, wear: Wear) -> Sketch:
    """A short sleeveless waistcoat with straight fronts, its edges trimmed with white fur, tied with a knot."""
    sketch = Sketch(layer=40)
    g = 10.5 if wear.open else 1.0
    hem = 128.0
    sketch.back(
        both([(0, 59), (7, 58.6), (13, 56)], [(13, 56), (25, 64), (26, hem - 2)], [(26, hem - 2), (12, hem), (0, hem)]),
        -0.45,
    )
    neck = [(g, 82), (g * 0.55 + 6.5, 68), (14, 56)]
    shoulder = [(14, 56), (22, 59), (28.5, 63)]
    hole = [(28.5, 63), (26, 77), (30, 94)]
    side = [(30, 94), (29.4, 112), (31.5, hem)]
    bottom = [(31.5, hem), (18, hem + 3), (g, hem + 3.6)]
    sketch.pair(shape(neck, shoulder, hole, side, bottom, [(g, hem + 3.6), (g, 82)]))
    edge = [(g + 0.8, hem + 3), (g + 0.8, 105), (g + 0.8, 84), (g * 0.55 + 7.5, 69.5), (14.6, 57)]
    sketch.trims_pair(fur_band(edge, 2.7), "white")
    sketch.trims_pair(fur_band([(28.2, 63.6), (26.4, 77), (29.8, 93)], 2.4), "white")
    sketch.trims_pair(fur_band([(g + 2, hem + 3.2), (18, hem + 2.6), (31, hem - 0.2)], 2.9), "white")
    sketch.strokes_pair(line([(27.6, 98), (23, 103), (18, 105)]), "fold", 1.5)
    sketch.strokes_pair(line([(19, 68), (20, 82), (19, 96)]), "light", 1.8)
    if not wear.open:
        for y in (92.0, 106.0):
            for s in (-1, 1):
                sketch.trim(
                    shape(
                        [(0, y), (s * 5, y - 4.4), (s * 9, y - 1.6)],
                        [(s * 9, y - 1.6), (s * 9, y + 2), (s * 5, y + 3.8), (0, y)],
                    ),
                    "contrast",
                )
            sketch.trim(ellipse(0, y, 2.3, 2.3), "contrast")
    else:
        for s in (-1, 1):
            ribbon(sketch, (s * (g + 2.6), 96), (s * (g + 6), 122), 4.0)
    return sketch


def hanbok_skirt(garment: Garment, wear: Wear) -> Sketch:
    """A full bell of pleats from a high waistband, with shoulder straps and two ties."""
    sketch = Sketch(layer=20)
    hem = 174.0 if garment.hem == "knee" else 231.0
    half = 52.0 if garment.hem == "knee" else 56.0
    top, low = 78.0, 90.0
    n = 14
    wave: list[Point] = []
    for i in range(n * 2 + 1):
        t = 1 - i / n
        wave.append((half * t, hem + 7.5 * (1 - t * t) + (1.6 if i % 2 else -1.0) * (0 < i < n * 2)))
    length = hem - low
    right = [(24, low), (35, low + length * 0.2), (half - 4.5, low + length * 0.55), (half, hem)]
    left = [(-x, y) for x, y in reversed(right)]
    sketch.back(
        shape(
            wave,
            [wave[-1], (-half * 0.97, hem - 5)],
            [(-half * 0.97, hem - 5), (0, hem + 3), (half * 0.97, hem - 5)],
            [(half * 0.97, hem - 5), wave[0]],
        ),
        -0.5,
    )
    sketch.panel(shape(right, wave, left, [(-24, low), (0, low + 3), (24, low)]))
    _pleats(sketch, wave, half, low, length)
    _high_band(sketch, top, low, wear.alone)
    ribbon(sketch, (4, low - 2), (9, low + 46), 4.6, "self_light")
    ribbon(sketch, (3, low - 2), (-1, low + 36), 4.6, "self_light")
    sketch.trim(ellipse(3.4, low - 2, 3.4, 2.8), "self_light")
    return sketch


def _pleats(sketch: Sketch, wave: list[Point], half: float, low: float, length: float) -> None:
    """Folds that fan out from the waistband to every second point of the hem."""
    for i in range(1, len(wave) - 1, 2):
        x, y = wave[i]
        t = x / half
        sketch.stroke(
            line([(t * 22.5, low + 4.6 - t * t * 2), (t * (35 + half * 0.1), low + length * 0.35), (x, y - 1.5)]),
            "fold",
            1.5,
        )
        sketch.stroke(
            line([(t * 22.5, low + 3.6 - t * t * 2), (t * 26.5, low + 12), (t * 31.5, low + 26)]), "seam", 0.8
        )
    for i in range(4, len(wave) - 3, 4):
        x, y = wave[i]
        t = x / half
        sketch.stroke(
            line([(t * 31, low + 20), (t * (37 + half * 0.1), low + length * 0.45), (x * 0.99, y - 8)]), "light", 1.8
        )


def _high_band(sketch: Sketch, top: float, low: float, straps: bool) -> None:
    """The waistband over the chest, and the shoulder straps that nobody sees when it is worn."""
    band = both(
        [(0, top + 2.6), (14, top + 2), (23.5, top)],
        [(23.5, top), (24.6, low + 0.5)],
        [(24.6, low + 0.5), (14, low + 3), (0, low + 3.6)],
    )
    sketch.panel(band, "cuff", shade=0.3)
    if straps:
        for s in (-1, 1):
            sketch.back(
                shape(
                    [(s * 13, top + 2), (s * 11, 68), (s * 12, 58)],
                    [(s * 12, 58), (s * 17, 58)],
                    [(s * 17, 58), (s * 18, 68), (s * 19, top + 2)],
                    [(s * 19, top + 2), (s * 13, top + 2)],
                ),
                -0.1,
                "trim",
            )
