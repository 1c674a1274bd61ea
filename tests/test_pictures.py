"""A picture from outside is read as a viewer shows it, within limits, by one function for every room."""

from __future__ import annotations

import ast
import io
import struct
import sys
import threading
import tracemalloc
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from pictures import PictureLimits, PictureTooLarge, UnreadablePicture, open_picture, squared, unsquared

ROOT = Path(__file__).parent.parent


def saved(image: Image.Image, format: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def profile(red: tuple[float, ...], green: tuple[float, ...], blue: tuple[float, ...], space: bytes = b"RGB ") -> bytes:
    """A minimal ICC profile (version 2, gamma 2.2): primaries as XYZ under D50."""

    def xyz(values: tuple[float, ...]) -> bytes:
        return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(v * 65536) for v in values))

    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(2.2 * 256)) + b"\0\0"
    text = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"wide\0" + bytes(79)
    tags = {b"desc": text, b"wtpt": xyz((0.9642, 1, 0.8249)), b"kTRC": curve}
    if space == b"RGB ":
        tags = {b"desc": text, b"wtpt": tags[b"wtpt"], b"rXYZ": xyz(red), b"gXYZ": xyz(green), b"bXYZ": xyz(blue)}
        tags |= {b"rTRC": curve, b"gTRC": curve, b"bTRC": curve}
    at, table, body = 132 + 12 * len(tags), b"", b""
    for name, value in tags.items():
        table += struct.pack(">4sII", name, at + len(body), len(value))
        body += value + bytes(-len(value) % 4)
    head = struct.pack(">I4sI4s4s4s", at + len(body), b"lcms", 0x02400000, b"mntr", space, b"XYZ ")
    head += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


DISPLAY_P3 = profile((0.51512, 0.2412, -0.00105), (0.29198, 0.69225, 0.04189), (0.1571, 0.06657, 0.78407))
GREY_PROFILE = profile((), (), (), b"GRAY")


def test_an_embedded_profile_is_turned_into_srgb() -> None:
    wide = Image.new("RGB", (64, 48), (30, 160, 60))
    for data in (saved(wide, icc_profile=DISPLAY_P3), saved(wide, "JPEG", quality=98, icc_profile=DISPLAY_P3)):
        red, green, blue = open_picture(data).getpixel((5, 5))
        assert red == 0 and abs(green - 163) < 5 and abs(blue - 36) < 6, (red, green, blue)
    assert open_picture(saved(Image.new("L", (8, 8), 128), icc_profile=GREY_PROFILE)).getpixel((0, 0))[0] in range(
        118, 139
    )


@pytest.mark.parametrize("wrong", [b"no profile", GREY_PROFILE[:150], DISPLAY_P3[:200]])
def test_a_profile_that_cannot_be_used_is_no_refusal(wrong: bytes) -> None:
    assert open_picture(saved(Image.new("RGB", (8, 8), "red"), icc_profile=wrong)).getpixel((0, 0)) == (255, 0, 0)


def test_an_srgb_profile_changes_no_level() -> None:
    from PIL import ImageCms

    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    levels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    assert np.array_equal(np.asarray(open_picture(saved(Image.fromarray(levels), icc_profile=srgb))), levels)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_turned_upright(orientation: int) -> None:
    from PIL import ImageOps

    levels = np.random.default_rng(1).integers(0, 256, (6, 4, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(Image.fromarray(levels), exif=exif)
    with Image.open(io.BytesIO(data)) as theirs:
        assert np.array_equal(np.asarray(open_picture(data)), np.asarray(ImageOps.exif_transpose(theirs)))


def photo(exif: bytes) -> bytes:
    """A JPEG of 64 × 48 whose EXIF is these bytes of TIFF."""
    data = saved(Image.new("RGB", (64, 48), (202, 30, 30)), "JPEG")
    body = b"Exif\0\0" + exif
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[2:]


ENTRY = struct.Struct("<HHII")
TWICE = b"II*\0" + struct.pack("<IH", 8, 1) + ENTRY.pack(0x0112, 3, 2, 6 | 6 << 16) + bytes(4)
FRACTION = b"II*\0" + struct.pack("<IH", 8, 2) + ENTRY.pack(0x0100, 5, 1, 38) + ENTRY.pack(0x0112, 3, 1, 6) + bytes(4)
CUT = b"II*\0" + struct.pack("<IH", 8, 3) + ENTRY.pack(0x0112, 3, 1, 6) + b"\0\1"


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # the studio shows a warning and goes on
@pytest.mark.parametrize("exif", [TWICE, FRACTION + struct.pack("<II", 64, 1), CUT], ids=["twice", "fraction", "cut"])
def test_slightly_broken_exif_still_turns_the_photo(exif: bytes) -> None:
    assert open_picture(photo(exif)).size == (48, 64)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize(
    "exif", [b"", b"II*\0", b"XX*\0\xff\xff\xff\xff", b"II*\0\xff\xff\xff\x7f", bytes(40), CUT[:15]]
)
def test_exif_that_says_nothing_leaves_the_photo_as_it_lies(exif: bytes) -> None:
    assert open_picture(photo(exif)).size == (64, 48)


def test_sixteen_bits_of_grey_are_scaled() -> None:
    ramp = np.linspace(0, 65535, 64).round().astype(np.uint16)
    shown = np.asarray(open_picture(saved(Image.fromarray(np.tile(ramp, (8, 1))))))
    assert np.array_equal(shown[0, :, 0], (ramp / 257).round())


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "RGB"])
def test_transparency_lies_on_paper_or_stays(mode: str) -> None:
    clear = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    options: dict[str, object] = {}
    if mode == "RGB":
        clear, options = Image.new("RGB", (4, 4)), {"transparency": (0, 0, 0)}
    elif mode == "P":
        clear, options = Image.new("P", (4, 4)), {"transparency": 0}
    data = saved(clear.convert(mode), **options)
    assert open_picture(data).getpixel((0, 0)) == (255, 255, 255)
    assert open_picture(data, background=(10, 20, 30)).getpixel((0, 0)) == (10, 20, 30)
    assert open_picture(data, background=None).getpixel((0, 0))[3] == 0


def test_texts_of_a_png_are_skipped_however_large_or_damaged() -> None:
    info = PngInfo()
    info.add_text("recipe", "a" * 3_000_000, zip=True)
    info.add_itxt("workflow", "b" * 3_000_000, zip=True)
    data = saved(Image.new("RGB", (8, 8), "red"), pnginfo=info)
    broken = data[:33] + struct.pack(">I", 4) + b"tEXta\0bc" + bytes(4) + data[33:]  # a wrong check sum
    for each in (data, broken):
        assert open_picture(each).getpixel((0, 0)) == (255, 0, 0)


def test_the_orientation_in_xmp_is_kept() -> None:
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", '<x tiff:Orientation="6"/>')
    assert open_picture(saved(Image.new("RGB", (8, 4)), pnginfo=info)).size == (4, 8)


def png_head(width: int, height: int) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + head + struct.pack(">I", zlib.crc32(b"IHDR" + head))


def test_limits_are_checked_before_anything_is_decoded(tmp_path: Path) -> None:
    limits = PictureLimits(bytes=10_000, pixels=100)
    with pytest.raises(PictureTooLarge, match="20 × 10 pixels: make it smaller, 100 are allowed"):
        open_picture(png_head(20, 10) + struct.pack(">I", 4) + b"IDAT" + bytes(8), limits=limits)  # no pixel is there
    with pytest.raises(PictureTooLarge):
        open_picture(png_head(60_000, 60_000) + struct.pack(">I", 4) + b"IDAT" + bytes(8))
    (tmp_path / "a.png").write_bytes(bytes(10_001))
    for source in (bytes(10_001), tmp_path / "a.png"):
        with pytest.raises(PictureTooLarge, match="10001 bytes: 10000 are allowed"):
            open_picture(source, limits=limits)


@pytest.mark.parametrize("data", [
    b"", b"hello", saved(Image.new("RGB", (8, 8)), "GIF"), saved(Image.new("RGB", (99, 99)), "JPEG")[:400],
    saved(Image.new("RGB", (99, 99)))[:60], saved(Image.new("RGB", (99, 99)), "WEBP")[:40],
])  # fmt: skip
def test_what_is_no_picture_is_answered_with_the_cure(data: bytes) -> None:
    with pytest.raises(UnreadablePicture, match="save it anew"):
        open_picture(data)


@pytest.mark.parametrize(("format", "mode"), [
    ("JPEG", "RGB"), ("JPEG", "CMYK"), ("JPEG", "L"), ("PNG", "RGB"), ("PNG", "RGBA"), ("PNG", "P"), ("PNG", "I;16"),
    ("PNG", "1"), ("WEBP", "RGB"),
])  # fmt: skip
def test_a_reduced_picture_looks_as_the_whole_one_reduced(format: str, mode: str) -> None:
    yy, xx = np.mgrid[0:905, 0:1203]
    levels = np.stack([xx / 5, yy / 4, (xx + yy) / 9], -1).clip(0, 255).astype(np.uint8)
    image = Image.fromarray(levels)
    image = Image.fromarray(levels[..., 0].astype(np.uint16) * 257) if mode == "I;16" else image.convert(mode)
    data = saved(image, format)
    small, whole = open_picture(data, max_side=100), open_picture(data)
    whole.thumbnail((100, 100), Image.Resampling.LANCZOS)
    assert small.size == whole.size == (100, 75)
    assert np.abs(np.asarray(small, float) - np.asarray(whole, float)).mean() < 2


def test_a_large_png_is_reduced_without_a_second_copy() -> None:
    data = saved(Image.new("RGB", (4000, 3000), "red"))
    tracemalloc.start()
    assert open_picture(data, max_side=256).getpixel((9, 9)) == (255, 0, 0)
    assert tracemalloc.get_traced_memory()[1] < 4e6
    tracemalloc.stop()


HEAVIEST = {  # the largest of each kind that an upload may be: mode, side, how it is saved
    "rgb.png": ("RGB", 5000, {}), "rgba.png": ("RGBA", 5000, {}), "palette.png": ("P", 5000, {}),
    "grey.png": ("I;16", 5000, {}), "base.jpg": ("RGB", 5000, {}), "cmyk.jpg": ("CMYK", 5000, {}),
    "fine.jpg": ("RGB", 4490, {"progressive": True, "subsampling": 0}),
    "usual.jpg": ("RGB", 5000, {"progressive": True, "subsampling": 2}),
    "fine2.jpg": ("RGB", 3790, {"progressive": True, "subsampling": 0}),
    "cmyk4.jpg": ("CMYK", 3460, {"progressive": True, "subsampling": 0}),
    "lossy.webp": ("RGB", 2828, {"method": 0}),
    "lossless.webp": ("RGBA", 2828, {"lossless": True, "quality": 0, "method": 0}),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of resident memory as Linux tells it")
@pytest.mark.parametrize("name", HEAVIEST)
def test_the_heaviest_picture_that_may_be_uploaded_takes_at_most_150_megabytes(tmp_path: Path, name: str) -> None:
    import subprocess

    from demo.studio.pictures import UPLOAD_LIMITS

    mode, side, options = HEAVIEST[name]
    noise = Image.effect_noise((side // 50, side // 50), 90).resize((side, side))
    picture = Image.new(mode, noise.size) if mode in ("P", "I;16") else noise.convert("RGB").convert(mode)
    picture.save(tmp_path / name, **options)
    limits = f"PictureLimits(pixels={UPLOAD_LIMITS.pixels}, decoder_bytes={UPLOAD_LIMITS.decoder_bytes})"
    code = (
        "import sys; from pathlib import Path; from pictures import PictureLimits, open_picture\n"
        "def peak(): return int(next(l for l in open('/proc/self/status') if l.startswith('VmHWM')).split()[1])\n"
        f"before = peak(); open_picture(Path(sys.argv[1]), max_side=1024, limits={limits})\n"
        "print((peak() - before) / 1024)"
    )
    run = [sys.executable, "-c", code, str(tmp_path / name)]
    took = float(subprocess.run(run, cwd=ROOT, check=True, capture_output=True, text=True).stdout)
    print(f"{name}: {took:.0f} MB")
    assert took < 150


@pytest.mark.parametrize(
    ("format", "mode", "side", "options", "taken"),
    [
        ("WEBP", "RGB", 400, {}, False), ("WEBP", "RGB", 280, {}, True), ("PNG", "RGBA", 500, {}, True),
        ("JPEG", "RGB", 500, {"progressive": True, "subsampling": 0}, False),
        ("JPEG", "RGB", 450, {"progressive": True, "subsampling": 2}, True),
        ("JPEG", "CMYK", 500, {"progressive": True}, False), ("JPEG", "CMYK", 500, {}, True),
    ],
)  # fmt: skip
def test_what_a_decoder_would_hold_is_bounded_by_the_files_head(
    format: str, mode: str, side: int, options: dict[str, object], taken: bool
) -> None:
    """A hundredth of the pixels and bytes that uploads may have."""
    out = io.BytesIO()
    Image.new(mode, (side, side)).save(out, format, **options)
    limits = PictureLimits(pixels=250_000, decoder_bytes=1_440_000)
    if taken:
        assert open_picture(out.getvalue(), limits=limits).size == (side, side)
        return
    with pytest.raises(PictureTooLarge, match="MB to decode: make it smaller or save it as PNG or baseline JPEG"):
        open_picture(out.getvalue(), limits=limits)


def test_filters_of_warnings_are_left_as_they_are() -> None:
    data, before = photo(CUT), list(warnings.filters)
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        inside = list(warnings.filters)
        threads = [threading.Thread(target=lambda: [open_picture(data) for _ in range(30)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            assert warnings.filters == inside
        for thread in threads:
            thread.join()
    assert list(warnings.filters) == before


# Files that were made here a moment ago, or whose text chunks are wanted and not their pixels.
OUR_OWN = {
    "demo/studio/file_texts.py": "texts_of: EXIF of JPEG and WebP; no pixel is decoded",
    "demo/studio/pictures.py": "decode: the studio's own files, checked by their hash",
    "diffusion/recipe.py": "read_recipe: the recipe in a PNG's text",
    "fashion/drawing/raster.py": "what the renderer returns",
    "fashion/scorer_training.py": "pictures of the pool",
    "pictures/opening.py": "the opener",
}


def test_every_picture_from_outside_goes_through_the_opener() -> None:
    found = set()
    for path in ROOT.rglob("*.py"):
        room = path.relative_to(ROOT).parts[0]
        if room.startswith(".") or room in ("tests", "benchmarks", "data", "runs", "findings"):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if called.endswith("Image.open") or called in ("imread", "cv2.imread", "imageio.imread"):
                found.add(path.relative_to(ROOT).as_posix())
    assert found == set(OUR_OWN), "open it by pictures.open_picture, or say here whose file it is"


@pytest.mark.parametrize("size", [(30, 20), (20, 31), (16, 16), (1, 9)])
def test_a_picture_made_square_comes_back_as_it_was(size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    picture = Image.fromarray(pixels)
    square = squared(picture)
    assert square.size == (max(size), max(size))
    assert np.array_equal(np.asarray(unsquared(square, *size)), pixels)
    edge = np.asarray(square)[0, 0]
    assert np.array_equal(edge, pixels[0, 0])
    assert squared(picture.convert("L")).mode == "L"
