"""Average the weights of trainings that began at the same ones: `python -m training.average_weights A B --out C`.

In: safetensors files of one network, from legs that set out from the same weights. Out: their mean, which often errs
less than any of them and costs nothing to use. Measure it before it ships: legs that went apart have no useful middle.
Ref: Wortsman et al. 2022, arXiv:2203.05482.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file


def mean_weights(files: Sequence[Path]) -> dict[str, torch.Tensor]:
    """The mean of every tensor, in the precision of the first file.

    Raises ValueError for fewer than two files, or files of another network than the first's.
    """
    if len(files) < 2:
        raise ValueError(f"a mean of {len(files)} files: give at least two")
    first, *others = [load_file(file) for file in files]
    shapes = {name: value.shape for name, value in first.items()}
    for file, weights in zip(files[1:], others, strict=True):
        if {name: value.shape for name, value in weights.items()} != shapes:
            raise ValueError(f"{file} holds another network than {files[0]}: give legs of one training")
    return {
        name: (sum((weights[name].float() for weights in others), value.float()) / len(files)).to(value.dtype)
        for name, value in first.items()
    }


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m training.average_weights", description=__doc__)
    parser.add_argument("files", type=Path, nargs="+", help="safetensors files of one network")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(argv)
    try:
        weights = mean_weights(options.files)
    except (OSError, ValueError) as error:
        raise SystemExit(str(error)) from None
    beside = options.out.with_suffix(".writing")
    save_file(weights, beside, metadata={"format": "pt"})
    beside.replace(options.out)
    print(f"{options.out} written: the mean of {len(options.files)} files")


if __name__ == "__main__":
    main()
