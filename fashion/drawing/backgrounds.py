# ruff: noqa: E501 (rows of SVG data)
"""Eight calm grounds. In: a background's id, a size and a variant. Out: (size, size, 3) uint8, made once and kept.

Places (room, street, park, hanok) are muted vector scenes, blurred and lightened, so that the garment stands out.
"""

from __future__ import annotations

import random
from functools import lru_cache

import numpy as np
from PIL import Image, ImageFilter

from fashion.drawing.noise import noise
from fashion.drawing.raster import document, rasterise

VARIANTS = 4
_PASTELS = ("#f9dfe3", "#dfeaf6", "#e4f0e2", "#efe4f5", "#fbeeda", "#dcefee", "#f4e6dc", "#e8e8f6")
_WHITES = ("#ffffff", "#fefefd", "#fbfbfb", "#fdfdff")
_CREAMS = ("#faf1de", "#f8eed6", "#f7efe1", "#fbf3e2")


def variant_of(id: str, seed: int) -> int:
    """Which of a ground's few variants a seed chooses."""
    return random.Random(f"background/{seed}").randrange(len(_PASTELS) if id == "pastel" else VARIANTS)


@lru_cache(maxsize=96)
def background(id: str, size: int, variant: int) -> np.ndarray:
    """(size, size, 3) uint8, read-only."""
    if id in ("white", "cream", "pastel"):
        color = {"white": _WHITES, "cream": _CREAMS, "pastel": _PASTELS}[id][variant]
        picture = rasterise(document(f'<rect width="256" height="256" fill="{color}"/>'), size)[..., :3].astype(
            np.float32
        )
        if id != "white":
            y, x = np.mgrid[0:size, 0:size] / size
            picture += (4.0 - 11.0 * ((x - 0.5) ** 2 + (y - 0.45) ** 2) / 0.5)[..., None]
    elif id == "hanji":
        picture = _hanji(size, variant)
    else:
        picture = _place(id, size, variant)
    result = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
    result.setflags(write=False)
    return result


def _hanji(size: int, variant: int) -> np.ndarray:
    """Mulberry paper: warm ground, cloudy pulp, a few long fibres."""
    rng = random.Random(variant)
    fibres = "".join(
        f'<path d="M{rng.uniform(-10, 256):.0f} {rng.uniform(-10, 266):.0f}q{rng.uniform(-22, 22):.0f} {rng.uniform(-16, 16):.0f} '
        f'{rng.uniform(-46, 46):.0f} {rng.uniform(-30, 30):.0f}" fill="none" stroke="{rng.choice(("#c9b48c", "#fffaf0", "#d8c7a2"))}" '
        f'stroke-width="{rng.uniform(0.4, 1.0):.2f}" stroke-opacity="0.55"/>'
        for _ in range(90)
    )
    base = rasterise(document(f'<rect width="256" height="256" fill="#efe3c8"/>{fibres}'), size)[..., :3].astype(
        np.float32
    )
    return base + (noise(size, 14, variant) * 3.2 + noise(size, 80, variant + 1) * 3)[..., None]


def _place(id: str, size: int, variant: int) -> np.ndarray:
    picture = Image.fromarray(rasterise(document(_PLACES[id](random.Random(f"{id}/{variant}"))), size)[..., :3])
    picture = picture.filter(ImageFilter.GaussianBlur(size / 256 * 1.1))
    if variant % 2:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    soft = np.asarray(picture, np.float32)
    return soft + (np.array([250, 248, 244], np.float32) - soft) * 0.34


def _room(rng: random.Random) -> str:
    wall, floor = rng.choice(
        (("#e9e2d8", "#cdb597"), ("#dfe5e6", "#c9b9a4"), ("#eadfd9", "#bfa88f"), ("#e2e4da", "#c4ad8c"))
    )
    planks = "".join(
        f'<path d="M{x} 206L{(x - 128) * 1.7 + 128} 256" stroke="#a98f70" stroke-width="1" opacity=".5"/>'
        for x in range(-20, 290, 28)
    )
    return f"""<rect width="256" height="256" fill="{wall}"/><rect y="206" width="256" height="50" fill="{floor}"/>{planks}
    <rect y="201" width="256" height="6" fill="#f6f2ec"/>
    <rect x="16" y="34" width="62" height="84" fill="#f8f6f0"/><rect x="21" y="39" width="25" height="74" fill="#cfe2ea"/>
    <rect x="49" y="39" width="24" height="74" fill="#d8e8ee"/><rect x="12" y="117" width="70" height="5" fill="#efe9df"/>
    <path d="M8 26h14v104c-6 4-12 2-16 0z" fill="#d9cbb9"/><path d="M74 26h14c2 40 4 80 2 104c-6 3-10 2-16 0z" fill="#d9cbb9"/>
    <rect x="6" y="23" width="86" height="4" rx="2" fill="#b09a80"/>
    <rect x="184" y="44" width="40" height="50" fill="#f4efe6"/><rect x="188" y="48" width="32" height="42" fill="#d6cfc4"/>
    <circle cx="204" cy="66" r="9" fill="#e6c9ac"/><path d="M188 90v-14q16-12 32 0v14z" fill="#b3bfae"/>
    <path d="M222 206l3-26h18l3 26z" fill="#c4977c"/><path d="M233 182c-20-14-18-36-14-44c8 10 12 22 14 34c0-22 4-38 12-48c4 22 0 42-10 58z" fill="#9cb394"/>
    <path d="M233 182c6-18 14-26 22-28c0 14-8 26-20 32z" fill="#aabf9f"/>
    <ellipse cx="128" cy="236" rx="92" ry="15" fill="#e6d9cb"/><ellipse cx="128" cy="236" rx="80" ry="12" fill="#eee4d8"/>"""


def _street(rng: random.Random) -> str:
    tints = ["#d9c9bc", "#c7d0d4", "#d6d2c0", "#cfc4cc", "#c8d2c6"]
    rng.shuffle(tints)
    out, x = '<rect width="256" height="256" fill="#e2eaef"/>', -6
    for k, (w, top) in enumerate(((54, 62), (48, 36), (60, 76), (50, 48), (56, 68))):
        out += f'<rect x="{x}" y="{top}" width="{w}" height="150" fill="{tints[k]}"/><rect x="{x - 1}" y="{top - 5}" width="{w + 2}" height="6" fill="#b9ada6"/>'
        for row in range(3):
            for col in range(3):
                wx, wy = x + 7 + col * (w - 12) / 3, top + 12 + row * 28
                out += f'<rect x="{wx:.1f}" y="{wy}" width="9" height="15" fill="#eef3f4"/><rect x="{wx:.1f}" y="{wy}" width="9" height="6" fill="#bfcfd6"/>'
        out += f'<path d="M{x + 3} 170h{w - 6}l4 12h{-(w + 2)}z" fill="{rng.choice(("#d6a79a", "#a9bba6", "#d9c08f", "#a8b6c8"))}"/><rect x="{x + 8}" y="182" width="{w - 16}" height="26" fill="#a7a6a8"/>'
        x += w
    return (
        out
        + """<rect y="206" width="256" height="50" fill="#cbc8c4"/><rect y="206" width="256" height="6" fill="#dedad4"/>
    <path d="M0 240h40M70 240h40M140 240h40M210 240h40" stroke="#e9e6e0" stroke-width="3"/>
    <path d="M232 210v-110q0-12-14-12" fill="none" stroke="#8d9094" stroke-width="3"/><ellipse cx="215" cy="91" rx="7" ry="4" fill="#f3e6bc"/>
    <path d="M24 210v-50" stroke="#9b8672" stroke-width="4"/><circle cx="24" cy="146" r="20" fill="#b4c4a8"/><circle cx="36" cy="156" r="13" fill="#a6b99a"/>"""
    )


def _park(rng: random.Random) -> str:
    out = '<rect width="256" height="256" fill="#dcebf2"/><path d="M40 40c2-12 22-14 26-4c12-4 20 8 12 14H34c-8-2-4-10 6-10z" fill="#f4f8fa"/><path d="M176 62c4-10 20-10 24-2c10-2 16 8 8 12h-38c-6-2-2-9 6-10z" fill="#f0f5f8"/>'
    out += '<path d="M0 160c40-26 86-26 128-10s90 8 128-14v120H0z" fill="#bcd0b0"/><path d="M0 186c60-18 130-16 256-2v72H0z" fill="#aec79e"/>'
    out += '<path d="M92 256c14-40 34-54 30-72h10c2 20 24 36 44 72z" fill="#e6dcc4"/>'
    for cx, cy, r in ((26, 116, 32), (228, 108, 36), (66, 140, 18), (190, 144, 17)):
        tint = rng.choice(("#96b58a", "#a3bd8f", "#8fae8c", "#b0c093"))
        out += f'<path d="M{cx - 2} {cy + r * 0.4}h5v{r * 1.3}h-6z" fill="#a98c70"/><circle cx="{cx}" cy="{cy}" r="{r}" fill="{tint}"/><circle cx="{cx - r * 0.4}" cy="{cy + r * 0.4}" r="{r * 0.66}" fill="{tint}"/><circle cx="{cx + r * 0.4}" cy="{cy + r * 0.36}" r="{r * 0.62}" fill="#9dba8e"/><circle cx="{cx - r * 0.25}" cy="{cy - r * 0.3}" r="{r * 0.45}" fill="#bcd0a6"/>'
    out += '<path d="M196 198h42v5h-42zM198 190h38v4h-38zM200 203v12M234 203v12" fill="#b3906f" stroke="#9c7c60" stroke-width="2"/>'
    return out + "".join(
        f'<circle cx="{rng.uniform(0, 256):.0f}" cy="{rng.uniform(200, 254):.0f}" r="1.7" fill="{rng.choice(("#f6eecb", "#f2d6d8", "#ffffff"))}"/>'
        for _ in range(26)
    )


def _hanok(rng: random.Random) -> str:
    tiles = "".join(
        f'<path d="M{x} 74q3 -34 {(x - 128) * -0.08:.1f} -46" stroke="#858b8c" stroke-width="2.2" fill="none"/>'
        for x in range(-4, 262, 9)
    )
    ends = "".join(f'<circle cx="{x}" cy="75" r="3.2" fill="#a3a8a6"/>' for x in range(-2, 262, 9))
    doors = ""
    for x in (10, 62, 152, 204):
        lattice = "".join(f"M{x + 4 + k * 6} 98v76" for k in range(1, 6)) + "".join(
            f"M{x + 3} {98 + k * 12}h36" for k in range(1, 7)
        )
        doors += f'<rect x="{x}" y="94" width="42" height="84" fill="#b08f6c"/><rect x="{x + 3}" y="98" width="36" height="76" fill="#f3ead8"/><path d="{lattice}" stroke="#c7aa86" stroke-width="1.1"/>'
    sky = rng.choice(("#dfeaf0", "#ece6dd", "#e2ecea"))
    return f"""<rect width="256" height="256" fill="{sky}"/><path d="M-10 80q26 -8 34 -50q104 10 208 0q10 42 34 50z" fill="#9ba09f"/>{tiles}
    <path d="M16 34q112 9 224 0v-6q-112 8 -224 0z" fill="#7f8586"/>{ends}<path d="M-10 78q138 14 276 0v8q-138 14 -276 0z" fill="#a88a6b"/>
    <rect y="88" width="256" height="96" fill="#e6d8bf"/>{doors}<rect x="108" y="90" width="40" height="94" fill="#d8c6a6"/>
    <path d="M4 86v98M56 86v98M106 86v98M150 86v98M200 86v98M250 86v98" stroke="#98775a" stroke-width="6"/>
    <rect y="178" width="256" height="9" fill="#b2906e"/><rect y="187" width="256" height="14" fill="#c9c6be"/>
    <path d="M30 187v14M74 187v14M120 187v14M168 187v14M214 187v14" stroke="#b3b0a8" stroke-width="1.5"/>
    <rect y="201" width="256" height="55" fill="#e4d8bf"/><ellipse cx="128" cy="240" rx="110" ry="12" fill="#ece2cd"/>
    <path d="M14 201c-4-12 4-20 12-20s14 8 12 20z" fill="#8e7768"/><ellipse cx="26" cy="181" rx="8" ry="3" fill="#a08a7a"/>
    <path d="M40 203c-3-9 3-15 9-15s11 6 9 15z" fill="#9a8272"/><ellipse cx="49" cy="188" rx="6" ry="2.4" fill="#ad9786"/>"""


_PLACES = {"room": _room, "street": _street, "park": _park, "hanok": _hanok}
