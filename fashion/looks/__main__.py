"""Write scenes in a look, or in two at once, as an imagefolder: `python -m fashion.looks neon runs/neon --count 200`,
`python -m fashion.looks palace+women_hanbok runs/palace-women`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image
from tqdm import tqdm

from fashion.captions import caption
from fashion.dataset import IMAGES, METADATA
from fashion.looks import LOOKS
from fashion.looks.together import PAIRS, draw_looks
from fashion.scene import sample_scene

CHOICES = (*LOOKS, *map("+".join, PAIRS))


def write_look(name: str, folder: Path, count: int, size: int, seed: int) -> None:
    """Pictures with captions in both languages, of one seed the same; `name`: one of `CHOICES`. Raises FileExistsError
    for a folder in use.
    """
    looks = name.split("+")
    (folder / IMAGES).mkdir(parents=True)
    with (folder / METADATA).open("w", encoding="utf-8") as lines:
        for index in tqdm(range(count), unit="scene", disable=None):
            scene = LOOKS[looks[-1]].dressed(sample_scene(seed * 10**7 + index))
            scene = replace(scene, style="flat", background="white")  # the look is all
            file = f"{IMAGES}/{index:06d}.png"
            Image.fromarray(draw_looks(looks, scene, size)).save(folder / file)
            row = {"file_name": file, "text": caption(scene, "en", index).text,
                   "text_ko": caption(scene, "ko", index).text, "attributes": scene.to_dict()}  # fmt: skip
            lines.write(json.dumps(row, ensure_ascii=False) + "\n")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m fashion.looks", description=__doc__)
    parser.add_argument("look", choices=CHOICES)
    parser.add_argument("folder", type=Path, help="new folder")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--seed", type=int, default=41, help="other seeds share no scene")
    options = parser.parse_args(argv)
    write_look(options.look, options.folder, options.count, options.size, options.seed)


if __name__ == "__main__":
    main()
