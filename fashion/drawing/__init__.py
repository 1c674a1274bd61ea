"""Pictures of scenes: `draw(scene, size)` and `draw_masks(scene, size)`."""

from fashion.drawing.render import draw, draw_masks

__all__ = ["draw", "draw_masks"]
