"""The one place where a picture from outside becomes pixels: uploads, `--source`, catalogues, imagefolders, imports.

Why a room of its own: five rooms opened pictures, each in its own way, and four of them had colours, turned photos or
16-bit greys wrong. It knows Pillow and NumPy and nothing of the project, so that every room may use it.
"""

from pictures.opening import WEBP_BYTES_A_PIXEL, PictureLimits, PictureTooLarge, UnreadablePicture, open_picture
from pictures.recipe import recipe_of_xmp
from pictures.square import squared, unsquared

__all__ = [
    "WEBP_BYTES_A_PIXEL",
    "PictureLimits",
    "PictureTooLarge",
    "UnreadablePicture",
    "open_picture",
    "recipe_of_xmp",
    "squared",
    "unsquared",
]
