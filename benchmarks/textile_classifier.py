"""A classifier of cloth that only judges: trained apart from the generator, on other drawings and other photos.

    python -m benchmarks.textile_classifier --fabric ../shared/data/fabric --minutes 8

In: tiles drawn from seeds that no generator trains on, the prints of the drawn domain as its garments wear them, and
the close-ups of the classifier's split. Out: `checkpoints/textile/cloth.safetensors`. It tells the thirteen categories
of a picture of 128 px and gives a vector of features, (n, 96), for distances between pictures.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageFilter
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from fashion.drawing.textures import Grain, lay, pattern_tile
from fashion.lexicon import COLORS
from pictures import open_picture
from textile.categories import CATEGORY_IDS
from textile.palettes import choose, painted
from textile.patterns import begun, laid_out
from textile.training.cloth_set import weave_bank
from textile.training.drawn_cloth import draw_cloth
from textile.training.real_cloth import photos
from training.run import runs_folder
from training.schedule import TrainerSettings
from training.trainer import Trainer

FIRST_SEED, UNSEEN_SEED = 10**6, 2 * 10**6  # of drawn cloth: to learn from, and to be measured on
FILE = "cloth.safetensors"
_SIDE = 128


class ClothClassifier(nn.Module):
    """Pictures (n, 3, 128, 128) in -1..1 → logits of the categories."""

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 24, 40, 64, 96)
        layers: list[nn.Module] = []
        for a, b in zip(widths, widths[1:], strict=False):
            layers += [
                nn.Conv2d(a, b, 5 if a == 3 else 3, stride=2, padding=2 if a == 3 else 1),
                nn.BatchNorm2d(b),
                nn.ReLU(),
            ]
            if b > 24:
                layers += [nn.Conv2d(b, b, 3, padding=1), nn.BatchNorm2d(b), nn.ReLU()]
        self.body = nn.Sequential(*layers)
        self.read = nn.Linear(2 * 96, 96)
        self.name = nn.Linear(96, len(CATEGORY_IDS))

    def features(self, pictures: Tensor) -> Tensor:
        x = self.body(pictures)
        return F.relu(self.read(torch.cat([x.mean(dim=(2, 3)), x.amax(dim=(2, 3))], dim=1)))

    def forward(self, pictures: Tensor) -> Tensor:
        return self.name(F.dropout(self.features(pictures), 0.2, self.training))


@dataclass(frozen=True)
class Judge:
    """A trained classifier."""

    network: ClothClassifier

    @classmethod
    def load(cls, folder: Path) -> Judge:
        path = folder / FILE
        if not path.exists():
            raise FileNotFoundError(f"{path} is not there: python -m benchmarks.textile_classifier --fabric FOLDER")
        network = ClothClassifier()
        network.load_state_dict(
            {name: value.float() if value.is_floating_point() else value for name, value in load_file(path).items()}
        )
        return cls(network.eval().requires_grad_(False))

    @torch.inference_mode()
    def see(self, pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Category numbers (n,) and features (n, 96) of pictures (n, 128, 128, 3) uint8."""
        features = torch.cat(
            [self.network.features(_shown(part)) for part in np.array_split(pictures, -(-len(pictures) // 64))]
        )
        return self.network.name(features).argmax(dim=1).numpy(), features.numpy()


def drawn_cloth(number: int, seed: int, weaves: np.ndarray) -> np.ndarray:
    """A drawn tile of a category in the colours and at the scale that its seed chooses: (128, 128, 3) uint8."""
    id = CATEGORY_IDS[number]
    choice = choose(id, None, seed)
    layers = torch.from_numpy(draw_cloth(id, seed, choice.layers).astype(np.float32) / 255).permute(2, 0, 1)
    repeat = torch.cat([(1 - layers.sum(dim=0, keepdim=True)).clamp(0, 1), layers])
    shown = laid_out((repeat + 1e-4).log(), choice.layout).softmax(dim=0).permute(1, 2, 0).numpy()
    light = weaves[choice.weave] if choice.weave < len(weaves) else np.zeros_like(weaves[0])
    return begun(painted(shown, choice.strength * np.tile(light, (2, 2)), choice.palette), choice.layout, seed)


def worn_cloth(number: int, rng: np.random.Generator) -> np.ndarray:
    """The print of a garment of the drawn domain, laid at some turn and scale: (128, 128, 3) uint8."""
    color = COLORS[int(rng.integers(len(COLORS)))]
    tile = pattern_tile(CATEGORY_IDS[number], color.id, int(rng.integers(2)), 1.0)
    if tile is None:
        return np.full((_SIDE, _SIDE, 3), color.rgb, np.uint8)
    grain = Grain(
        float(rng.choice((0, 0, 0, 90, rng.uniform(-30, 30)))), float(rng.uniform(0.9, 2.2)), *rng.uniform(0, 99, 2)
    )
    y, x = np.mgrid[0:_SIDE, 0:_SIDE].astype(np.float32)
    a, b, c, d, e, f = grain.affine()
    return lay(tile, (a * x + b * y + c).ravel(), (d * x + e * y + f).ravel()).reshape(_SIDE, _SIDE, 3)


@lru_cache(400)
def _close_up(path: Path) -> Image.Image:
    return open_picture(path).convert("RGB")


def photographed(path: Path, rng: np.random.Generator, least: float = 0.55) -> np.ndarray:
    """A square cut of a close-up, (128, 128, 3) uint8."""
    picture = _close_up(path)
    side = int(min(picture.size) * rng.uniform(least, 1.0))
    x, y = int(rng.integers(picture.width - side + 1)), int(rng.integers(picture.height - side + 1))
    return np.asarray(picture.crop((x, y, x + side, y + side)).resize((_SIDE, _SIDE), Image.Resampling.BOX))


class ClothPictures:
    """Batches to learn from, decided by the step: half drawn tiles, a sixth worn cloth, a third photos."""

    def __init__(self, fabric: Path, each: int) -> None:
        weaves = weave_bank()
        self.drawn = np.stack([
            np.stack([drawn_cloth(number, FIRST_SEED + i, weaves) for i in range(each)])
            for number in range(len(CATEGORY_IDS))
        ])  # fmt: skip
        self.photos: dict[str, list[Path]] = {}
        for photo in photos(fabric):
            if photo.split == "classifier":
                self.photos.setdefault(photo.category, []).append(photo.path)

    def at(self, step: int, batch: int = 48) -> tuple[Tensor, Tensor]:
        rng = np.random.default_rng((47, step))
        pictures, numbers = [], []
        for i in range(batch):
            number = int(rng.integers(len(CATEGORY_IDS)))
            if i % 6 < 3:
                picture = self.drawn[number, rng.integers(self.drawn.shape[1])]
                picture = np.roll(picture, tuple(rng.integers(0, _SIDE, 2)), (0, 1))
                if rng.random() < 0.4:  # another scale
                    picture = np.tile(picture, (2, 2, 1))[: (side := int(rng.integers(90, 200))), :side]
                    picture = np.asarray(Image.fromarray(picture).resize((_SIDE, _SIDE), Image.Resampling.BOX))
            elif i % 6 == 3:
                picture = worn_cloth(number, rng)
            else:
                id = list(self.photos)[int(rng.integers(len(self.photos)))]  # of few photos as often as of many
                path = self.photos[id][int(rng.integers(len(self.photos[id])))]
                picture, number = photographed(path, rng), CATEGORY_IDS.index(id)
            pictures.append(_disturbed(picture, rng))
            numbers.append(number)
        return _shown(np.stack(pictures)), torch.tensor(numbers)


def _disturbed(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    if rng.random() < 0.5:
        picture = picture[:, ::-1]
    if rng.random() < 0.3:
        picture = picture.swapaxes(0, 1)[::-1]
    if rng.random() < 0.3:
        blurred = Image.fromarray(np.ascontiguousarray(picture)).filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.5)))
        picture = np.asarray(blurred)
    levels = picture.astype(np.float32)
    if rng.random() < 0.5:
        levels = levels[..., rng.permutation(3)]
    light = np.linspace(rng.uniform(0.6, 1.2), rng.uniform(0.7, 1.2), _SIDE, dtype=np.float32)[:, None, None]
    noise = rng.standard_normal(levels.shape, np.float32)
    levels = levels * light + np.float32(rng.uniform(0, 8)) * noise
    return np.clip(levels, 0, 255).astype(np.uint8)


def _shown(pictures: np.ndarray) -> Tensor:
    shown = torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1
    return shown.contiguous(memory_format=torch.channels_last)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fabric", type=Path, required=True, help="close-ups with labels.tsv")
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--each", type=int, default=100, help="drawn tiles of a category (default %(default)s)")
    parser.add_argument("--start", type=Path, help="a folder with a classifier whose weights to begin with")
    parser.add_argument("--runs", type=Path, default=runs_folder() / "textile-classifier")
    parser.add_argument("--out", type=Path, default=Path("checkpoints/textile"))
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    pictures = ClothPictures(options.fabric, options.each)
    before = json.loads((options.start / "cloth.json").read_text(encoding="utf-8"))["step"] if options.start else 0
    network = Judge.load(options.start).network.requires_grad_(True) if options.start else ClothClassifier()
    network.to(memory_format=torch.channels_last)

    def losses(step: int) -> dict[str, Tensor]:
        shown, numbers = pictures.at(step)
        logits = network(shown)
        right = (logits.argmax(dim=1) == numbers).float().mean()
        return {"loss": F.cross_entropy(logits, numbers, label_smoothing=0.05), "right": right}

    settings = TrainerSettings(steps=4000, minutes=options.minutes, finish=True, learning_rate=2e-3, ema=0.98)
    result = Trainer(network, losses, settings, options.runs).run()
    network.load_state_dict(result.average)
    save_file(
        {
            name: (value.half() if value.is_floating_point() else value).contiguous()
            for name, value in network.state_dict().items()
        },
        options.out / FILE,
    )
    facts = {"step": before + result.step, "losses": result.losses, "drawn_tiles_a_category": options.each}
    (options.out / "cloth.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
