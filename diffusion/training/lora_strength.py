"""Make a trained style stronger for good: `python -m diffusion.training.lora_strength FILE 1.2`

In: a style's file as `diffusion.training.lora` writes it, and a factor. Out: the same file; what the weight 1.2 drew
before, 1 draws now, and the header's "strength" says so. A short training often stops before its look is as strong as
in the pictures that it learnt from: weigh it until a judge sees it (`benchmarks.styles_shown`), and no further, since
garments and colours pay for it. Styles of the same folder that learnt beside it (`lora --beside`) name the new file as
they named the old one, and go on to be added up with it: look at these pairs again too.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from diffusion.lora_card import KEY
from diffusion.lora_files import read_tensors
from diffusion.training.lora_adapters import as_json, write_file
from diffusion.training.lora_companions import companions_of, name_anew, own_facts
from diffusion.weights import sha256_file
from training.command import run_command

UP = (".lora_B.weight", ".lora_up.weight")  # the factor that is multiplied; the other one and the alphas stay


def strengthen(path: Path, factor: float) -> list[Path]:
    """Multiply what a style changes; gives the other files whose header names it now. Raises FileNotFoundError, and
    ValueError for a factor that is not above 0, a damaged file or one of another form than plain LoRA.
    """
    if not 0 < factor < float("inf"):
        raise ValueError(f"the factor is {factor}: give a number above 0, say 1.2")
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there: name a style's .safetensors file")
    tensors, header = read_tensors(path, path.stem)
    if not any(name.endswith(UP) for name in tensors):
        raise ValueError(f"{path} has no factors of a plain LoRA: give a style that diffusion.training.lora wrote")
    before, ours = sha256_file(path), own_facts(header)
    companions = companions_of(path.parent, before)
    ours["strength"] = round(float(ours.get("strength", 1.0)) * factor, 6)
    stronger = {
        name: (value.float() * factor).to(value.dtype) if name.endswith(UP) else value
        for name, value in tensors.items()
    }
    after = write_file(path, stronger, {**header, KEY: as_json(ours)})
    return name_anew(companions, before, after)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m diffusion.training.lora_strength", description=__doc__)
    parser.add_argument("style", type=Path, help="a style's .safetensors file, changed in place")
    parser.add_argument("factor", type=float, help="what its weight is multiplied by")
    options = parser.parse_args(argv)

    def run() -> int:
        for other in strengthen(options.style, options.factor):
            print(f"{other} learnt beside it, and names the new file")
        print(f"{options.style} is {options.factor:g} times as strong")
        return 0

    return run_command(run)


if __name__ == "__main__":
    sys.exit(main())
