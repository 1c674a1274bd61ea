"""Say what a picture shows, garment by garment.

In: pictures of any size. Out: for each a list of `Detection` (garment, colour, pattern, sleeve, hem, mask, confidence),
empty where no garment is seen, and a feature vector for distribution metrics. Two networks of different architecture:
"steering" may guide training and the choice of samples, "reporting" only ever reports.

In an outfit a place of the body holds one garment, so a network asks one question for each place (head, neck, top, …):
a learnt query listens to the whole picture (Carion et al. 2020, arXiv:2005.12872, without its matching, which fixed
places make needless), says whether a garment is there and where, and reads its kind and attributes from what it heard
and from the features under its own mask (Cheng et al. 2022, arXiv:2112.01527). So what is seen of a T-shirt in the
opening of a coat is one garment, and a dress under a vest is not a skirt with a top. A picture is read together with
its mirror image.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import nn

from fashion.lexicon import COLORS, GARMENTS, HEMS, PATTERNS, SLEEVES
from fashion.scene import conflicts

INPUT = 256
GRID = 32
FIELDS = {"color": COLORS, "pattern": PATTERNS, "sleeve": SLEEVES, "hem": HEMS}
ARCHITECTURES = ("steering", "reporting")
SLOTS = tuple(dict.fromkeys(kind.slot for kind in GARMENTS))
SLOT_OF_KIND = torch.tensor([SLOTS.index(kind.slot) for kind in GARMENTS])
_SEEN = 0.5  # probability from which a garment is reported
_WIDTH = 96  # of a query
_EARLY = 32  # features of 64 × 64


@dataclass(frozen=True)
class Detection:
    """One garment seen. Attributes are ids of the lexicon; sleeve and hem None where its kind has none.

    `mask` is bool (32, 32) over the whole picture; `confidence`, 0..1, the probability that it is there times the mean
    probability of its cells.
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


class Listening(nn.Module):
    """Queries (n, q, w) hear the picture's tokens (n, t, w), then each other."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.hear = nn.MultiheadAttention(width, 4, batch_first=True)
        self.talk = nn.MultiheadAttention(width, 4, batch_first=True)
        self.think = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))

    def forward(self, queries: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        queries = queries + self.hear(self.norms[0](queries), tokens, tokens, need_weights=False)[0]
        normal = self.norms[1](queries)
        queries = queries + self.talk(normal, normal, normal, need_weights=False)[0]
        return queries + self.think(self.norms[2](queries))


@dataclass
class Seen:
    """What a network says of n pictures, for each of the s places of the body; logits throughout."""

    present: torch.Tensor  # (n, s)
    masks: torch.Tensor  # (n, s, 32, 32)
    kinds: torch.Tensor  # (n, s, kinds); kinds of other places are -inf
    fields: dict[str, torch.Tensor]  # (n, s, words) for each of FIELDS


class ScorerNetwork(nn.Module):
    """Pictures (n, 3, 256, 256) in -1..1 → `Seen`."""

    def __init__(self, architecture: str) -> None:
        super().__init__()
        if architecture not in ARCHITECTURES:
            raise ValueError(f"scorer {architecture!r}: use {' or '.join(ARCHITECTURES)}")
        self.architecture = architecture
        block, widths = (Residual, (64, 80, 80)) if architecture == "reporting" else (Depthwise, (40, 56, 64))
        if architecture == "reporting":
            self.early = nn.Sequential(
                nn.Conv2d(3, 16, 4, stride=2, padding=1), nn.ReLU(),
                nn.Conv2d(16, _EARLY, 3, stride=2, padding=1), nn.ReLU(),
                nn.Conv2d(_EARLY, _EARLY, 3, padding=1), nn.ReLU(),
            )  # fmt: skip
        else:
            self.early = nn.Sequential(nn.Conv2d(3, _EARLY, 8, stride=4, padding=2), nn.GELU())
        self.late = nn.Conv2d(_EARLY, widths[0], 2, stride=2)
        self.fine = block(widths[0])
        self.down1, self.middle = nn.Conv2d(widths[0], widths[1], 2, stride=2), block(widths[1])
        self.down2 = nn.Conv2d(widths[1], widths[2], 2, stride=2)
        self.coarse = nn.Sequential(block(widths[2]), block(widths[2]))
        self.up2, self.up1 = nn.Conv2d(widths[2], widths[1], 1), nn.Conv2d(widths[1], widths[0], 1)
        self.merge1, self.merge0 = block(widths[1]), block(widths[0])
        self.token = nn.Conv2d(widths[1], _WIDTH, 1)
        self.place = nn.Parameter(0.02 * torch.randn(1, _WIDTH, GRID // 4, GRID // 4))  # where a token is; smooth
        self.token_norm = nn.LayerNorm(_WIDTH)
        self.queries = nn.Parameter(0.5 * torch.randn(1, len(SLOTS), _WIDTH))
        self.listening = nn.ModuleList(Listening(_WIDTH) for _ in range(2 if architecture == "reporting" else 1))
        self.present, self.mask = nn.Linear(_WIDTH, 1), nn.Linear(_WIDTH, widths[0] + 1)
        told = (_WIDTH, 2 * _EARLY, 2 * widths[0], widths[1])
        self.level = nn.ModuleList(nn.LayerNorm(width) for width in told)  # they differ tenfold in size
        self.read = nn.Sequential(nn.Linear(sum(told), 192), nn.SiLU(), nn.Linear(192, 192), nn.SiLU())
        self.kinds = nn.Linear(192, len(GARMENTS))
        self.heads = nn.ModuleDict({field: nn.Linear(192, len(words)) for field, words in FIELDS.items()})
        self.register_buffer("elsewhere", SLOT_OF_KIND[None] != torch.arange(len(SLOTS))[:, None], persistent=False)

    def features(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Early (n, 32, 64, 64), fine (n, w, 32, 32), middle (n, v, 16, 16) and coarse (n, u, 8, 8) features."""
        early = self.early(pictures)
        fine = self.fine(self.late(early))
        middle = self.middle(self.down1(fine))
        coarse = self.coarse(self.down2(middle))
        middle = self.merge1(middle + F.interpolate(self.up2(coarse), scale_factor=2.0))
        return early, self.merge0(fine + F.interpolate(self.up1(middle), scale_factor=2.0)), middle, coarse

    def forward(self, pictures: torch.Tensor, true_masks: torch.Tensor | None = None) -> Seen:
        """What is seen. Attributes are read under `true_masks` (n, s, 32, 32) where these show anything, else under
        the masks that the network finds itself."""
        early, fine, middle, _ = self.features(pictures)
        tokens = self.token(middle) + F.interpolate(self.place, scale_factor=2.0, mode="bilinear", align_corners=False)
        tokens = self.token_norm(tokens.flatten(2).transpose(1, 2))
        queries = self.queries.expand(len(pictures), -1, -1)
        for layer in self.listening:
            queries = layer(queries, tokens)
        vectors = self.mask(queries)
        masks = torch.einsum("nsc,nchw->nshw", vectors[..., 1:], fine) / fine.shape[1] ** 0.5 + vectors[..., :1, None]
        under = masks.detach().float().sigmoid()
        if true_masks is not None:
            under = torch.where(true_masks.flatten(2).any(dim=2)[:, :, None, None], true_masks.float(), under)
        told = (
            queries,
            torch.cat(_pooled(early, F.interpolate(under, scale_factor=2.0)), dim=2),
            torch.cat(_pooled(fine, under), dim=2),
            _pooled(middle, F.avg_pool2d(under, 2))[0],
        )
        read = self.read(torch.cat([norm(part) for norm, part in zip(self.level, told, strict=True)], dim=2))
        kinds = self.kinds(read).float().masked_fill(self.elsewhere, -torch.inf)
        fields = {field: head(read).float() for field, head in self.heads.items()}
        return Seen(self.present(queries)[..., 0].float(), masks.float(), kinds, fields)


def _pooled(features: torch.Tensor, masks: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Means and spreads (n, s, c) of features (n, c, h, w) under masks (n, s, h, w): colours, and what is uneven."""
    weights = masks.flatten(2)
    weights = (weights / weights.sum(dim=2, keepdim=True).clamp(min=1e-4)).transpose(1, 2)  # (n, h·w, s)
    values = features.flatten(2).float()
    with torch.autocast(features.device.type, enabled=False):
        mean = torch.bmm(values, weights)
        spread = (torch.bmm(values.square(), weights) - mean.square()).clamp(min=1e-4).sqrt()
    return mean.transpose(1, 2), spread.transpose(1, 2)


class Scorer:
    """A trained network and what it sees."""

    def __init__(self, network: ScorerNetwork) -> None:
        self.network = network.eval().requires_grad_(False)

    @classmethod
    def load(cls, folder: Path | str, architecture: str = "reporting") -> Scorer:
        """Open `folder`/<architecture>.safetensors.

        Raises FileNotFoundError that says how to train it, ValueError for weights of another shape.
        """
        path = Path(folder) / f"{architecture}.safetensors"
        if not path.exists():
            raise FileNotFoundError(f"{path} is not there: python -m fashion.scorer_training {architecture} makes it")
        network = ScorerNetwork(architecture)
        saved = {name: value.float() for name, value in load_file(path).items()}
        if {n: v.shape for n, v in saved.items()} != {n: v.shape for n, v in network.state_dict().items()}:
            raise ValueError(f"{path} holds a network of another shape: train it anew, or update the checkpoint")
        network.load_state_dict(saved)
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
        return [found for part in _parts(pictures) for found in self._detect(part)]

    @torch.inference_mode()
    def vectors(self, pictures: Sequence[Image.Image] | np.ndarray | torch.Tensor) -> np.ndarray:
        """Feature vectors (n, w + v) float32: means of the fine and the coarse features."""
        rows = []
        for part in _parts(pictures):
            _, fine, _, coarse = self.network.features(part)
            rows.append(torch.cat([fine.mean(dim=(2, 3)), coarse.mean(dim=(2, 3))], dim=1))
        return torch.cat(rows).numpy()

    @torch.inference_mode()
    def _detect(self, pictures: torch.Tensor) -> list[list[Detection]]:
        seen = read_both_ways(self.network, pictures)
        present, masks = seen.present.sigmoid(), seen.masks.sigmoid()
        return [
            sorted(
                (_detection(seen, row, slot, masks[row, slot], float(present[row, slot])) for slot in shown),
                key=lambda one: -one.mask.sum(),
            )
            for row, shown in enumerate(_shown(chances) for chances in present)
        ]


def read_both_ways(network: ScorerNetwork, pictures: torch.Tensor) -> Seen:
    """What is seen in pictures (n, 3, 256, 256) and in their mirror images together: means of log-odds and of
    log-probabilities, masks laid over the pictures. Clothes are the same either way round, so where a network is unsure
    it errs less often, for twice the work."""
    one, other = network(pictures), network(pictures.flip(3))

    def likelier(logits: torch.Tensor, mirrored: torch.Tensor) -> torch.Tensor:
        return (logits.log_softmax(dim=-1) + mirrored.log_softmax(dim=-1)) / 2

    return Seen(
        (one.present + other.present) / 2,
        (one.masks + other.masks.flip(3)) / 2,
        likelier(one.kinds, other.kinds),
        {field: likelier(logits, other.fields[field]) for field, logits in one.fields.items()},
    )


def _parts(pictures: Sequence[Image.Image] | np.ndarray | torch.Tensor) -> Iterator[torch.Tensor]:
    """As `as_input` gives them, a few at a time: thousands of pictures would fill the memory."""
    return (as_input(pictures[start : start + 64]) for start in range(0, len(pictures), 64))


def as_input(pictures: Sequence[Image.Image] | np.ndarray | torch.Tensor) -> torch.Tensor:
    """Pictures of any form as (n, 3, 256, 256) in -1..1. Small ones are enlarged by cubic curves, as for a
    refiner, so that what it was given and what it made of that are read alike."""
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
    return F.interpolate(tensor, size=(INPUT, INPUT), mode="bicubic", align_corners=False).clamp(-1, 1)


def _shown(chances: torch.Tensor) -> list[int]:
    """The places taken, by their probabilities (s,). A dress leaves no room for a skirt: the likelier of both stays."""
    shown = [slot for slot in range(len(SLOTS)) if chances[slot] >= _SEEN]
    return [
        slot
        for slot in shown
        if not any(conflicts(SLOTS[slot], SLOTS[o]) and chances[o] > chances[slot] for o in shown if o != slot)
    ]


def _detection(seen: Seen, row: int, slot: int, mask: torch.Tensor, present: float) -> Detection:
    kind = GARMENTS[int(seen.kinds[row, slot].argmax())]

    def best(field: str, allowed: Sequence[str]) -> str | None:
        places = [i for i, word in enumerate(FIELDS[field]) if word.id in allowed]
        return FIELDS[field][max(places, key=seen.fields[field][row, slot].tolist().__getitem__)].id if places else None

    patterns = ("solid",) if kind.solid_only else tuple(pattern.id for pattern in PATTERNS)
    color, pattern = best("color", tuple(color.id for color in COLORS)), best("pattern", patterns)
    assert color is not None and pattern is not None
    there = mask >= 0.5
    confidence = present * float(mask[there].mean()) if there.any() else 0.0
    return Detection(
        kind.id, color, pattern, best("sleeve", kind.sleeves), best("hem", kind.hems), there.numpy(), confidence
    )
