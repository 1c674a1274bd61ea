"""Say what a picture shows, garment by garment.

In: pictures of any size. Out: for each a list of `Detection` (garment, colour, pattern, sleeve, hem, mask, confidence),
empty where no garment is seen, and a feature vector for distribution metrics. Two networks of different architecture:
"steering" may guide training and the choice of samples, "reporting" only ever reports.

A network labels a 32 × 32 grid with the kinds of garments. In an outfit a place of the body holds one garment, so the
cells of a slot, of whatever kinds, are one region, and the kind that they support best on the whole is its name: half a
T-shirt under a jacket is seen as a garment even where its cells cannot agree on blouse or knit. The features under a
region, their mean and their spread, tell the garment's attributes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import nn

from fashion.lexicon import COLORS, GARMENTS, HEMS, PATTERNS, SLEEVES

INPUT = 128
GRID = 32
FIELDS = {"color": COLORS, "pattern": PATTERNS, "sleeve": SLEEVES, "hem": HEMS}
ARCHITECTURES = ("steering", "reporting")
_SMALLEST = 5  # cells of the grid: what is smaller is taken for a slip
_SUREST_SLIP = 0.35  # mean probability under which a region is not reported
_SLOTS = [
    [i for i, kind in enumerate(GARMENTS) if kind.slot == slot]
    for slot in dict.fromkeys(kind.slot for kind in GARMENTS)
]


@dataclass(frozen=True)
class Detection:
    """One garment seen. Attributes are ids of the lexicon; sleeve and hem None where its kind has none.

    `mask` is bool (32, 32) over the whole picture; `confidence` the mean probability of its cells, 0..1.
    """

    garment: str
    color: str
    pattern: str
    sleeve: str | None
    hem: str | None
    mask: np.ndarray
    confidence: float


class Residual(nn.Module):
    """Two convolutions beside the identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(width, width, 3, padding=1), nn.Conv2d(width, width, 3, padding=1)
        self.norm1, self.norm2 = nn.GroupNorm(8, width), nn.GroupNorm(8, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.second(F.silu(self.norm2(self.first(F.silu(self.norm1(x))))))


class Depthwise(nn.Module):
    """A large depthwise convolution and a pointwise expansion (Liu et al. 2022, arXiv:2201.03545)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.space = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = nn.GroupNorm(1, width)
        self.wide, self.narrow = nn.Conv2d(width, 3 * width, 1), nn.Conv2d(3 * width, width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.narrow(F.gelu(self.wide(self.norm(self.space(x)))))


class ScorerNetwork(nn.Module):
    """Pictures (n, 3, 128, 128) in -1..1 → features (n, w, 32, 32) → kinds and attributes."""

    def __init__(self, architecture: str) -> None:
        super().__init__()
        if architecture not in ARCHITECTURES:
            raise ValueError(f"scorer {architecture!r}: use {' or '.join(ARCHITECTURES)}")
        self.architecture = architecture
        block, widths = (Residual, (64, 72, 96)) if architecture == "reporting" else (Depthwise, (64, 96, 160))
        if architecture == "reporting":
            self.stem = nn.Sequential(
                nn.Conv2d(3, 24, 5, stride=2, padding=2), nn.SiLU(), nn.Conv2d(24, widths[0], 3, stride=2, padding=1)
            )
        else:
            self.stem = nn.Conv2d(3, widths[0], 8, stride=4, padding=2)
        self.fine = block(widths[0])
        self.down1, self.middle = nn.Conv2d(widths[0], widths[1], 2, stride=2), nn.Sequential(block(widths[1]))
        self.down2 = nn.Conv2d(widths[1], widths[2], 2, stride=2)
        self.coarse = nn.Sequential(block(widths[2]), block(widths[2]))
        self.up2, self.up1 = nn.Conv2d(widths[2], widths[1], 1), nn.Conv2d(widths[1], widths[0], 1)
        self.merge1, self.merge0 = block(widths[1]), block(widths[0])
        self.kinds = nn.Conv2d(widths[0], len(GARMENTS) + 1, 1)
        self.kind_vector = nn.Embedding(len(GARMENTS), 32)
        self.read = nn.Sequential(nn.Linear(2 * widths[0] + widths[2] + 32, 160), nn.SiLU())
        self.heads = nn.ModuleDict({field: nn.Linear(160, len(words)) for field, words in FIELDS.items()})

    def features(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Fine (n, w, 32, 32) and coarse (n, v, 8, 8) features."""
        fine = self.fine(self.stem(pictures))
        middle = self.middle(self.down1(fine))
        coarse = self.coarse(self.down2(middle))
        middle = self.merge1(middle + F.interpolate(self.up2(coarse), scale_factor=2.0))
        return self.merge0(fine + F.interpolate(self.up1(middle), scale_factor=2.0)), coarse

    def attributes(
        self, fine: torch.Tensor, coarse: torch.Tensor, masks: torch.Tensor, kinds: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """Logits (g, words) per field for g garments: their features (g, …), masks (g, 32, 32) and kinds (g,)."""
        weights = masks.float()
        weights = weights / weights.sum(dim=(1, 2), keepdim=True).clamp(min=1e-6)
        under = torch.einsum("gchw,ghw->gc", fine, weights)
        spread = torch.einsum("gchw,ghw->gc", (fine - under[:, :, None, None]).square(), weights).clamp(min=1e-4).sqrt()
        around = torch.einsum("gchw,ghw->gc", coarse, F.avg_pool2d(weights, 4) * 16)
        read = self.read(torch.cat([under, spread, around, self.kind_vector(kinds)], dim=1))
        return {field: head(read) for field, head in self.heads.items()}


class Scorer:
    """A trained network and what it sees."""

    def __init__(self, network: ScorerNetwork) -> None:
        self.network = network.eval().requires_grad_(False)

    @classmethod
    def load(cls, folder: Path | str, architecture: str = "reporting") -> Scorer:
        """Open `folder`/<architecture>.safetensors. Raises FileNotFoundError that says how to train it."""
        path = Path(folder) / f"{architecture}.safetensors"
        if not path.exists():
            raise FileNotFoundError(f"{path} is not there: python -m fashion.scorer_training {architecture} makes it")
        network = ScorerNetwork(architecture)
        network.load_state_dict({name: value.float() for name, value in load_file(path).items()})
        return cls(network)

    def save(self, folder: Path, facts: dict[str, object]) -> None:
        """Write the weights as float16 and what was measured beside them."""
        folder.mkdir(parents=True, exist_ok=True)
        weights = {name: value.half().contiguous() for name, value in self.network.state_dict().items()}
        save_file(weights, folder / f"{self.network.architecture}.safetensors")
        text = json.dumps(facts, indent=1, ensure_ascii=False) + "\n"
        (folder / f"{self.network.architecture}.json").write_text(text, encoding="utf-8")

    def detect(self, pictures: Sequence[Image.Image] | np.ndarray | torch.Tensor) -> list[list[Detection]]:
        """The garments of each picture: PIL images, uint8 (n, h, w, 3), or a tensor (n, 3, h, w) in -1..1."""
        return [found for part in as_input(pictures).split(64) for found in self._detect(part)]

    @torch.inference_mode()
    def vectors(self, pictures: Sequence[Image.Image] | np.ndarray | torch.Tensor) -> np.ndarray:
        """Feature vectors (n, w + v) float32: means of the fine and the coarse features."""
        rows = []
        for part in as_input(pictures).split(64):
            fine, coarse = self.network.features(part)
            rows.append(torch.cat([fine.mean(dim=(2, 3)), coarse.mean(dim=(2, 3))], dim=1))
        return torch.cat(rows).numpy()

    @torch.inference_mode()
    def _detect(self, pictures: torch.Tensor) -> list[list[Detection]]:
        fine, coarse = self.network.features(pictures)
        probabilities = self.network.kinds(fine).softmax(dim=1)  # (n, kinds + 1, 32, 32)
        found: list[list[Detection]] = []
        for row in range(len(pictures)):
            regions = _regions(probabilities[row])
            if not regions:
                found.append([])
                continue
            kinds = torch.tensor([kind for kind, _, _ in regions])
            masks = torch.stack([mask for _, mask, _ in regions])
            n = len(regions)
            logits = self.network.attributes(
                fine[row : row + 1].expand(n, -1, -1, -1), coarse[row : row + 1].expand(n, -1, -1, -1), masks, kinds
            )
            found.append([_detection(regions[g], {f: v[g] for f, v in logits.items()}) for g in range(n)])
        return found


def as_input(pictures: Sequence[Image.Image] | np.ndarray | torch.Tensor) -> torch.Tensor:
    """Pictures of any form as (n, 3, 128, 128) in -1..1."""
    if isinstance(pictures, torch.Tensor):
        tensor = pictures.float()
    else:
        if not isinstance(pictures, np.ndarray):
            pictures = np.stack([np.asarray(picture.convert("RGB")) for picture in pictures])
        tensor = torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float().div(127.5).sub(1)
    if tensor.ndim != 4 or tensor.shape[1] != 3:
        raise ValueError(f"pictures have shape {tuple(tensor.shape)}: give (n, 3, h, w), or (n, h, w, 3) as uint8")
    if tensor.shape[-2:] == (INPUT, INPUT):
        return tensor
    if tensor.shape[-1] > INPUT:
        return F.interpolate(tensor, size=(INPUT, INPUT), mode="area")
    return F.interpolate(tensor, size=(INPUT, INPUT), mode="bilinear", align_corners=False)


def _regions(probabilities: torch.Tensor) -> list[tuple[int, torch.Tensor, float]]:
    """(kind, mask, confidence) of what is seen on one grid of probabilities (kinds + 1, 32, 32), the largest first.

    One garment a slot: its mask is where the slot's kinds together are likelier than any other slot or nothing.
    """
    kinds = probabilities[1:]
    slots = torch.stack([probabilities[0], *(kinds[members].sum(dim=0) for members in _SLOTS)])
    labels = slots.argmax(dim=0)
    found = []
    for number, members in enumerate(_SLOTS, 1):
        mask = labels == number
        if mask.sum() < _SMALLEST or (confidence := slots[number][mask].mean().item()) < _SUREST_SLIP:
            continue
        support = kinds[members][:, mask].mean(dim=1)
        found.append((members[int(support.argmax())], mask, confidence))
    return sorted(found, key=lambda region: -region[1].sum().item())


def _detection(region: tuple[int, torch.Tensor, float], logits: dict[str, torch.Tensor]) -> Detection:
    kind = GARMENTS[region[0]]

    def best(field: str, allowed: tuple[str, ...]) -> str | None:
        places = [i for i, word in enumerate(FIELDS[field]) if word.id in allowed]
        return FIELDS[field][max(places, key=lambda i: logits[field][i].item())].id if places else None

    color = best("color", tuple(color.id for color in COLORS))
    pattern = best("pattern", ("solid",) if kind.solid_only else tuple(pattern.id for pattern in PATTERNS))
    assert color is not None and pattern is not None
    return Detection(
        kind.id, color, pattern, best("sleeve", kind.sleeves), best("hem", kind.hems), region[1].numpy(), region[2]
    )
