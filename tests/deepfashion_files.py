"""The files of DeepFashion's Fashion Synthesis subset as MATLAB writes them, with pictures of our own.

Version 5 by scipy, version 7.3 by h5py: a 512-byte head, arrays turned, texts as UTF-16 codes behind references.
"""

from __future__ import annotations

import argparse
import struct
import sys
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
from scipy.io import savemat

from fashion.drawing import draw
from fashion.scene import Garment, Scene

SIDE = 128
COLORS = ("red", "blue", "green", "black")
SLEEVES = ("sleeveless", "short-sleeved", "long-sleeved")
KINDS = ("Blouse", "Dress", "Tee")


@dataclass
class FakeDeepFashion:
    """`count` rows: row i has colour i % 4 + 1, sleeve i % 3 + 1, category i % 3 + 1, gender i % 2; every `tested`-th
    row is tested on, which is of one colour if that is a multiple of 4."""

    count: int = 24
    tested: int = 4
    captions: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    codes: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rows = range(self.count)
        self.captions = [
            f"the {('lady', 'gentleman')[i % 2]} was wearing a {COLORS[i % 4]} {SLEEVES[i % 3]} {KINDS[i % 3].lower()}"
            for i in rows
        ]
        self.sources = [f"img/Some_{KINDS[i % 3]}/img_{i:08d}.jpg" for i in rows]
        self.codes = {
            "gender_": np.array([i % 2 for i in rows]), "sleeve_": np.array([i % 3 + 1 for i in rows]),
            "cate_new": np.array([i % 3 + 1 for i in rows]), "color_": np.array([i % 4 + 1 for i in rows]),
        }  # fmt: skip

    @property
    def test_ind(self) -> np.ndarray:
        return np.arange(self.tested, self.count + 1, self.tested)  # 1-based

    @property
    def train_ind(self) -> np.ndarray:
        return np.setdiff1d(np.arange(1, self.count + 1), self.test_ind)


def picture(index: int, side: int = SIDE) -> np.ndarray:
    """Levels (rows, columns, 3) that tell the row from the column and one picture from another."""
    row, column = np.mgrid[0:side, 0:side]
    levels = np.stack([row * 2, column, np.full((side, side), (index * 37) % 256)], axis=2)
    levels[: side // 4, side // 2 :] = (255, 0, 0)  # a red corner at the upper right
    return (levels % 256).astype(np.uint8)


def drawn(index: int, side: int = SIDE) -> np.ndarray:
    """The garment that the caption of a row names, drawn; backgrounds and folds differ."""
    kind, sleeve = (("blouse", "sleeveless"), ("dress", "short"), ("t_shirt", "long"))[index % 3]
    garment = Garment(kind, COLORS[index % 4], "solid", "cotton", sleeve, "knee" if kind == "dress" else None, "round")
    return draw(Scene((garment,), background=("white", "cream", "pastel")[index % 5 % 3], seed=index), side)


def write_pictures(path: Path, levels: Sequence[np.ndarray], scale: str = "signed") -> Path:
    """G2.h5 as MATLAB's (rows, columns, 3, n) lies in HDF5: turned. `scale`: mean, signed, unit or bytes."""
    matlab = np.stack(levels, axis=3).astype(np.float32) / 255  # (rows, columns, 3, n)
    with h5py.File(path, "w") as file:
        if scale == "mean":
            mean = matlab.mean(axis=3)
            file["ih_mean"] = mean.T
            matlab = matlab - mean[..., None]
        elif scale == "signed":
            matlab = matlab * 2 - 1
        elif scale == "bytes":
            matlab = matlab * 255
        file["ih"] = matlab.T.astype(np.float32)  # (n, 3, columns, rows)
        file["b_"] = np.zeros((len(levels), 1, *levels[0].shape[:2]), np.float32)
    return path


def write_version_5(folder: Path, data: FakeDeepFashion) -> None:
    """Codes as (n, 1) doubles or bytes, texts as cell arrays (n, 1), other variables beside."""
    codes = {
        name: values[:, None].astype(np.uint8 if name == "gender_" else float) for name, values in data.codes.items()
    }
    words = [np.arange(1 + i % 3, dtype=np.uint16)[:, None] for i in range(data.count)]
    savemat(folder / "language_original.mat", {
        "engJ": cells(data.captions), "nameList": cells(data.sources), "codeJ": cells(words), **codes,
    })  # fmt: skip
    savemat(folder / "ind.mat", {"test_ind": data.test_ind[:, None], "train_ind": data.train_ind[:, None]})


def cells(values: Sequence[object]) -> np.ndarray:
    found = np.empty((len(values), 1), dtype=object)
    found[:, 0] = values
    return found


def write_version_7_3(folder: Path, data: FakeDeepFashion) -> None:
    """The same in HDF5: vectors (1, n), cells as references to UTF-16 codes (length, 1)."""
    with _matlab_file(folder / "language_original.mat") as file:
        for name, values in data.codes.items():
            kind = b"uint8" if name == "gender_" else b"double"
            _put(file, name, values[None, :].astype(np.uint8 if name == "gender_" else float), kind)
        for name, texts in (("engJ", data.captions), ("nameList", data.sources)):
            references = np.array([[_text(file, name, i, text) for i, text in enumerate(texts)]], dtype=h5py.ref_dtype)
            _put(file, name, references, b"cell")
    with _matlab_file(folder / "ind.mat") as file:
        _put(file, "test_ind", data.test_ind[None, :].astype(float), b"double")
        _put(file, "train_ind", data.train_ind[None, :].astype(float), b"double")
    for name in ("language_original.mat", "ind.mat"):
        with (folder / name).open("r+b") as head:
            head.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")


def _matlab_file(path: Path) -> h5py.File:
    return h5py.File(path, "w", userblock_size=512)


def _put(file: h5py.File, name: str, values: np.ndarray, kind: bytes) -> h5py.Dataset:
    file[name] = values
    file[name].attrs["MATLAB_class"] = np.bytes_(kind)
    return file[name]


def _text(file: h5py.File, name: str, index: int, text: str) -> h5py.Reference:
    codes = np.frombuffer(text.encode("utf-16-le"), dtype="<u2")
    cell = _put(file, f"#refs#/{name}{index}", codes[:, None] if len(codes) else np.zeros(2, np.uint64), b"char")
    if not len(codes):
        cell.attrs["MATLAB_empty"] = np.uint8(1)
    return cell.ref


def write_encrypted_zip(path: Path, member: str, content: bytes, password: str) -> Path:
    """A zip archive with one member under PKWARE's traditional encryption, which Python reads and does not write."""
    crc = zlib.crc32(content)
    compressor = zlib.compressobj(wbits=-15)
    packed = compressor.compress(content) + compressor.flush()
    sealed = _seal(bytes(11) + bytes([crc >> 24]) + packed, password.encode())
    name = member.encode()
    facts = struct.pack("<HHHHHIIIHH", 20, 1, zipfile.ZIP_DEFLATED, 0, 33, crc, len(sealed), len(content), len(name), 0)
    local = b"PK\x03\x04" + facts + name
    central = b"PK\x01\x02" + struct.pack("<H", 20) + facts + struct.pack("<HHHII", 0, 0, 0, 0, 0) + name
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 1, 1, len(central), len(local) + len(sealed), 0)
    path.write_bytes(local + sealed + central + end)
    return path


def _seal(plain: bytes, password: bytes) -> bytes:
    keys = [0x12345678, 0x23456789, 0x34567890]
    table = [zlib.crc32(bytes([i]), 0xFFFFFFFF) ^ 0xFFFFFFFF for i in range(256)]

    def crc(value: int, byte: int) -> int:
        return (value >> 8) ^ table[(value ^ byte) & 0xFF]

    def advance(byte: int) -> None:
        keys[0] = crc(keys[0], byte)
        keys[1] = ((keys[1] + (keys[0] & 0xFF)) * 134775813 + 1) & 0xFFFFFFFF
        keys[2] = crc(keys[2], keys[1] >> 24)

    for byte in password:
        advance(byte)
    sealed = bytearray()
    for byte in plain:
        pad = (keys[2] | 2) & 0xFFFF
        sealed.append(byte ^ ((pad * (pad ^ 1) >> 8) & 0xFF))
        advance(byte)
    return bytes(sealed)


def main(argv: Sequence[str] | None = None) -> int:
    """Write a data set of that form: `python -m tests.deepfashion_files FOLDER --count 200`."""
    parser = argparse.ArgumentParser("python -m tests.deepfashion_files", description=main.__doc__)
    parser.add_argument("folder", type=Path, help="new folder")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--version", choices=("5", "7.3"), default="5")
    options = parser.parse_args(argv)
    if options.folder.exists():
        print(f"error: {options.folder} is there already: remove it, or name another folder", file=sys.stderr)
        return 2
    options.folder.mkdir(parents=True)
    data = FakeDeepFashion(options.count, tested=5)
    (write_version_5 if options.version == "5" else write_version_7_3)(options.folder, data)
    write_pictures(options.folder / "G2.h5", [drawn(i) for i in range(data.count)], "mean")
    print(f"{options.folder}: {data.count} pictures of our own in DeepFashion's files")
    return 0


if __name__ == "__main__":
    sys.exit(main())
