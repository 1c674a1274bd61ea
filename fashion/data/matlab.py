"""Numbers and texts of MATLAB files, version 5 (scipy) and 7.3 (HDF5, by h5py).

In: a .mat file and the names of variables. Out: a vector of integers (n,), or n texts, in MATLAB's order. A file that is
missing, damaged or without the variable is named together with the cure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import h5py
import numpy as np

Found = TypeVar("Found")
_CELL = b"cell"


def read_numbers(path: Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Integer vectors (n,) by name. Raises ValueError for a damaged file, a missing variable or a fraction."""
    return {name: _whole(path, name, values) for name, values in _read(path, names, _hdf5_numbers).items()}


def read_texts(path: Path, name: str) -> list[str]:
    """The texts of a cell array or of the rows of a character matrix. Raises ValueError as `read_numbers` does."""
    values = _read(path, [name], _hdf5_texts)[name]
    return [_text(value) for value in np.asarray(values, dtype=object).ravel()]


def variables(path: Path) -> list[str]:
    """The names of a file's variables."""
    if h5py.is_hdf5(path):
        return _damaged(path, lambda: _hdf5_variables(path))
    from scipy.io import whosmat

    return _damaged(path, lambda: [str(name) for name, _, _ in whosmat(path)])


def _read(path: Path, names: Sequence[str], hdf5: Callable[[h5py.Dataset], np.ndarray]) -> dict[str, np.ndarray]:
    """What a file holds under these names, read by either library."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there: copy it from the data set")
    there = variables(path)
    if missing := [name for name in names if name not in there]:
        raise ValueError(f"{path} has no variable {', '.join(missing)}; it has {', '.join(there) or 'none'}: "
                         "is it the file of that name of the data set?")  # fmt: skip
    if h5py.is_hdf5(path):
        return _damaged(path, lambda: _by_hdf5(path, names, hdf5))
    from scipy.io import loadmat

    return _damaged(path, lambda: {name: loadmat(path, variable_names=[name])[name] for name in names})


def _damaged(path: Path, work: Callable[[], Found]) -> Found:
    """Run a reader; whatever it raises is said of the file."""
    try:
        return work()
    except Exception as error:  # scipy raises ValueError, TypeError, zlib.error, KeyError and its own of a cut file
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise ValueError(f"{path} is damaged or no MATLAB file ({reason}): copy it again") from error


def _by_hdf5(path: Path, names: Sequence[str], read: Callable[[h5py.Dataset], np.ndarray]) -> dict[str, np.ndarray]:
    with h5py.File(path) as file:
        return {name: read(file[name]) for name in names}


def _hdf5_variables(path: Path) -> list[str]:
    with h5py.File(path) as file:
        return [name for name in file if not name.startswith("#")]


def _hdf5_numbers(dataset: h5py.Dataset) -> np.ndarray:
    return np.asarray(dataset[()])


def _hdf5_texts(dataset: h5py.Dataset) -> np.ndarray:
    """Texts of a cell array (references to character arrays) or of a character matrix (length, n): turned by HDF5."""
    if dataset.attrs.get("MATLAB_class") == _CELL or dataset.dtype == h5py.ref_dtype:
        file = dataset.file
        return np.array([_hdf5_text(file[reference]) for reference in dataset[()].T.ravel()], dtype=object)
    return np.array([_utf16(column) for column in dataset[()].T], dtype=object)


def _hdf5_text(cell: h5py.Dataset) -> str:
    return "" if cell.attrs.get("MATLAB_empty") else _utf16(cell[()].T)


def _utf16(codes: np.ndarray) -> str:
    return codes.ravel().astype("<u2").tobytes().decode("utf-16-le", errors="replace")


def _text(value: object) -> str:
    """A cell of scipy's: an array with one string or none."""
    parts = np.asarray(value).ravel().tolist() if isinstance(value, np.ndarray) else [value]
    return " ".join(str(part) for part in parts).strip()


def _whole(path: Path, name: str, values: np.ndarray) -> np.ndarray:
    found = np.asarray(values)
    if found.dtype == object or not (np.issubdtype(found.dtype, np.number) or found.dtype == bool):
        raise ValueError(f"{path}: {name} holds {found.dtype} and no numbers: copy the file again")
    flat = found.ravel()
    fractions = ~np.isfinite(flat) | (np.round(flat) != flat) if np.issubdtype(flat.dtype, np.inexact) else False
    if np.any(fractions):
        place = int(np.flatnonzero(fractions)[0])
        raise ValueError(f"{path}: {name} has {flat[place]} at row {place + 1}: whole numbers are expected")
    return flat.astype(np.int64)
