"""A garment being drawn: pieces in body units, and what the drawing depends on beside the garment itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from fashion.drawing.paths import Frame, Path, bounds, flip
from fashion.drawing.shapes import Panel, Silhouette, Stroke, Trim


@dataclass(frozen=True)
class Wear:
    """How a garment is worn. `arm` is the angle of the arms from straight down, degrees."""

    rng: Random
    alone: bool = True
    arm: float = 24.0
    open: bool = False  # an outer garment over something that must show
    covered: bool = False  # its sleeves lie inside those of an outer garment and are left out


@dataclass
class Sketch:
    """Pieces of one garment in body units, in the order in which they are painted."""

    layer: int = 30
    armless: bool = False
    panels: list[tuple[Path, float, float, float, str]] = field(default_factory=list)
    strokes: list[tuple[Path, float, str]] = field(default_factory=list)
    trims: list[tuple[Path, str]] = field(default_factory=list)
    behind: list[tuple[Path, float, float, float, str]] = field(default_factory=list)

    def panel(self, path: Path, role: str = "body", angle: float = 0.0, scale: float = 1.0, shade: float = 0.0) -> None:
        self.panels.append((path, angle, scale, shade, role))

    def pair(self, path: Path, role: str = "body", angle: float = 0.0, scale: float = 1.0, shade: float = 0.0) -> None:
        """A piece and its mirror image."""
        self.panel(flip(path), role, -angle, scale, shade)
        self.panel(path, role, angle, scale, shade)

    def back(self, path: Path, shade: float = -0.4, role: str = "lining") -> None:
        self.behind.append((path, 0.0, 1.0, shade, role))

    def stroke(self, path: Path, role: str = "seam", width: float = 1.0) -> None:
        self.strokes.append((path, width, role))

    def strokes_pair(self, path: Path, role: str = "seam", width: float = 1.0) -> None:
        self.stroke(path, role, width)
        self.stroke(flip(path), role, width)

    def trim(self, path: Path, tone: str = "contrast") -> None:
        self.trims.append((path, tone))

    def trims_pair(self, path: Path, tone: str = "contrast") -> None:
        self.trim(path, tone)
        self.trim(flip(path), tone)

    def bounds(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom in body units."""
        paths = [piece[0] for pieces in (self.panels, self.strokes, self.trims, self.behind) for piece in pieces]
        return bounds(paths)

    def place(self, frame: Frame) -> Silhouette:
        """The finished silhouette in scene units. Line widths grow with the square root of the scale."""
        place, thick = frame.place, frame.scale**0.5
        return Silhouette(
            panels=tuple(Panel(place(p), angle, scale, shade, role) for p, angle, scale, shade, role in self.panels),
            strokes=tuple(Stroke(place(p), width * thick, role) for p, width, role in self.strokes),
            trims=tuple(Trim(place(p), tone) for p, tone in self.trims),
            back=tuple(Panel(place(p), angle, scale, shade, role) for p, angle, scale, shade, role in self.behind),
            layer=self.layer,
        )
