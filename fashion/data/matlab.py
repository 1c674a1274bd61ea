"""Numbers and texts of MATLAB files, version 5 (scipy) and 7.3 (HDF5, by h5py), read in a process of their own.

In: .mat files and the names of variables. Out: vectors of integers (n,), and lists of n texts, in MATLAB's order. A file
that is missing, damaged or without a variable is named together with the cure. The other process is there because the
reader of a damaged file may end, and its end prints nothing to act on.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import h5py
import numpy as np

Found = TypeVar("Found")
_CELL = b"cell"
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class MatlabRequest:
    """The variables to read of a file; `where_there` are numbers that some releases lack."""

    path: Path
    numbers: Sequence[str] = ()
    texts: Sequence[str] = ()
    where_there: Sequence[str] = ()


@dataclass(frozen=True)
class MatlabVariables:
    """What a file holds: integer vectors (n,) and lists of n texts, by name."""

    numbers: Mapping[str, np.ndarray] = field(default_factory=dict)
    texts: Mapping[str, list[str]] = field(default_factory=dict)


def read_matlab(files: Sequence[MatlabRequest]) -> list[MatlabVariables]:
    """Read several files. Raises FileNotFoundError, or ValueError for a damaged file, a missing variable or a fraction."""
    for asked in files:
        if not asked.path.is_file():
            raise FileNotFoundError(f"{asked.path} is not there: copy it from the data set")
    told = [[str(each.path), each.numbers, each.texts, each.where_there] for each in files]
    path = os.pathsep.join([str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    run = subprocess.run(
        [sys.executable, "-m", __name__], input=json.dumps(told), stdout=subprocess.PIPE, text=True, encoding="utf-8",
        env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    answers = [json.loads(line) for line in run.stdout.splitlines()]
    if answers and "error" in answers[-1]:
        raise ValueError(answers[-1]["error"])
    if run.returncode < 0 and len(answers) < len(files):
        raise ValueError(f"{files[len(answers)].path} is damaged (it crashed its reader): copy it again")
    run.check_returncode()
    return [
        MatlabVariables({name: np.array(values, np.int64) for name, values in each["numbers"].items()}, each["texts"])
        for each in answers
    ]


def main() -> None:
    """Answer `read_matlab`: a line of JSON for each file, or one with "error"."""
    for path, numbers, texts, where_there in json.load(sys.stdin):
        try:
            answer = _read(MatlabRequest(Path(path), numbers, texts, where_there))
        except ValueError as error:
            answer = {"error": str(error)}
        print(json.dumps(answer), flush=True)
        if "error" in answer:
            return


def _read(asked: MatlabRequest) -> dict[str, object]:
    """What the asked variables hold, ready for JSON."""
    path, there = asked.path, _variables(asked.path)
    if missing := [name for name in (*asked.numbers, *asked.texts) if name not in there]:
        raise ValueError(f"{path} has no variable {', '.join(missing)}; it has {', '.join(there) or 'none'}: "
                         "copy it again, if it is the file of that name of the data set")  # fmt: skip
    names = [*asked.numbers, *(name for name in asked.where_there if name in there)]
    numbers = {name: _whole(path, name, values).tolist() for name, values in _values(path, names, _hdf5_numbers)}
    texts = {
        name: [_text(value) for value in np.asarray(values, dtype=object).ravel()]
        for name, values in _values(path, asked.texts, _hdf5_texts)
    }
    return {"numbers": numbers, "texts": texts}


def _variables(path: Path) -> list[str]:
    if h5py.is_hdf5(path):
        return _damaged(path, lambda: _hdf5_variables(path))
    from scipy.io import whosmat

    return _damaged(path, lambda: [str(name) for name, _, _ in whosmat(path)])


def _values(
    path: Path, names: Sequence[str], hdf5: Callable[[h5py.Dataset], np.ndarray]
) -> list[tuple[str, np.ndarray]]:
    """What a file holds under these names, read by either library."""
    if h5py.is_hdf5(path):
        return _damaged(path, lambda: _by_hdf5(path, names, hdf5))
    from scipy.io import loadmat

    return _damaged(path, lambda: [(name, loadmat(path, variable_names=[name])[name]) for name in names])


def _damaged(path: Path, work: Callable[[], Found]) -> Found:
    """Run a reader; whatever it raises is said of the file."""
    try:
        return work()
    except Exception as error:  # scipy raises ValueError, TypeError, zlib.error, KeyError and its own of a cut file
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise ValueError(f"{path} is damaged or no MATLAB file ({reason}): copy it again") from error


def _by_hdf5(
    path: Path, names: Sequence[str], read: Callable[[h5py.Dataset], np.ndarray]
) -> list[tuple[str, np.ndarray]]:
    with h5py.File(path) as file:
        return [(name, read(file[name])) for name in names]


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


if __name__ == "__main__":
    main()
