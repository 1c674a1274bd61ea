"""Height and width of pictures, and which of them a checkpoint draws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

PORTRAIT = 2 / 3  # width beside height of the upright shape that people are offered
MOST = 2  # times as many pixels as the checkpoint's own square that a request may ask for


class Frame(NamedTuple):
    """Height and width in pixels, in the order of a tensor's last two dimensions."""

    height: int
    width: int

    @classmethod
    def square(cls, side: int) -> Frame:
        return cls(side, side)

    @property
    def is_square(self) -> bool:
        return self.height == self.width

    @property
    def pixels(self) -> int:
        return self.height * self.width

    @property
    def turned(self) -> Frame:
        """The same lying down, or standing up."""
        return Frame(self.width, self.height)

    def times(self, factor: float) -> Frame:
        """The frame enlarged, each side rounded to a pixel."""
        return Frame(round(self.height * factor), round(self.width * factor))

    def cells(self, factor: int) -> Frame:
        """Height and width in latents of an autoencoder of this factor."""
        return Frame(self.height // factor, self.width // factor)

    def __str__(self) -> str:
        return f"{self.width}×{self.height}"


@dataclass(frozen=True)
class Shapes:
    """Which frames a checkpoint's base draws for people: `side` pixels square and, unless `squares_only`, every frame
    whose sides are multiples of `unit` and that has at most `MOST` times as many pixels.
    """

    side: int
    unit: int
    squares_only: bool = False

    @property
    def own(self) -> Frame:
        return Frame.square(self.side)

    @property
    def most_pixels(self) -> int:
        return MOST * self.own.pixels

    def offered(self) -> dict[str, Frame]:
        """What a form offers by name: a square, and upright and lying frames of about as many pixels."""
        if self.squares_only:
            return {"square": self.own}
        sides = self.side * PORTRAIT**-0.5, self.side * PORTRAIT**0.5
        upright = Frame(*(max(self.unit, round(each / self.unit) * self.unit) for each in sides))
        return {"square": self.own, "portrait": upright, "landscape": upright.turned}

    def takes(self, frame: Frame) -> bool:
        if frame == self.own:
            return True
        whole = not any(side % self.unit for side in frame)
        return whole and not self.squares_only and frame.pixels <= self.most_pixels

    def near(self, frame: Frame) -> Frame:
        """The frame itself where it is taken, else the one that is offered in its orientation."""
        if self.takes(frame):
            return frame
        name = "square" if frame.is_square else "portrait" if frame.height > frame.width else "landscape"
        return self.offered().get(name, self.own)
