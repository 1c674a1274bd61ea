"""Put a style that went on from another in its place: `python -m diffusion.training.lora_replace FILE FOLDER`

In: a file that `diffusion.training.lora --start` wrote, and the folder that holds the style it started from. Out: the
folder with the new file under the old name; styles that learnt beside the old one name the new one, and go on to be
added up with it. Look at these pairs again (`benchmarks.styles_shown`).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from diffusion.lora_files import find_styles, read_tensors
from diffusion.training.lora_adapters import write_file
from diffusion.training.lora_companions import companions_of, name_anew, own_facts
from diffusion.weights import sha256_file
from training.command import run_command


def replace_style(path: Path, folder: Path) -> tuple[Path, list[Path]]:
    """Replace the style of `folder` that the style of `path` started from; gives its file and its companions'.

    Raises FileNotFoundError, and ValueError for a style that started from none of the folder.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there: name a style's .safetensors file")
    tensors, header = read_tensors(path, path.stem)
    start = own_facts(header).get("start")
    old = next((each for each in find_styles(folder).values() if sha256_file(each) == start), None)
    if old is None:
        raise ValueError(
            f"{path} started from {f'a style of SHA-256 {start}' if start else 'none'}, which {folder} does not hold: "
            "give a style that was trained with --start and a file of this folder"
        )
    companions = companions_of(folder, str(start))
    after = write_file(old, tensors, header)
    return old, name_anew(companions, str(start), after)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m diffusion.training.lora_replace", description=__doc__)
    parser.add_argument("style", type=Path, help="a style's .safetensors file, trained with --start")
    parser.add_argument("folder", type=Path, help="of styles, which holds the one that it started from")
    options = parser.parse_args(argv)

    def run() -> int:
        replaced, companions = replace_style(options.style, options.folder)
        for other in companions:
            print(f"{other} learnt beside it, and names the new file")
        print(f"{replaced} is the new one")
        return 0

    return run_command(run)


if __name__ == "__main__":
    sys.exit(main())
