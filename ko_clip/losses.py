"""What the student is asked for: each slot of the sequence, the pooled embedding, and who belongs to whom.

Sequence: squared error of each slot in units of how much that slot varies over the corpus, so that no slot drowns
the others (GlueGen, arXiv:2303.10056). Pooled: squared error in the same sense. Contrast: the student's vector finds
its own teacher vector among the batch (InfoNCE, arXiv:1807.03748); identical texts are no rivals.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def sequence_loss(student: Tensor, teacher: Tensor, variance: Tensor, weights: Tensor) -> Tensor:
    """Mean over the batch of the weighted mean over slots.

    student, teacher: (batch, slots, dim); variance: (batch, slots) of the teacher's slots over the corpus; weights:
    (batch, slots), 0 where nothing was asked.
    """
    if student.shape != teacher.shape:
        raise ValueError(
            f"student gives {tuple(student.shape)}, teacher {tuple(teacher.shape)}: head and teacher differ"
        )
    error = (student.float() - teacher.float()).square().mean(-1) / variance  # (batch, slots)
    return ((error * weights).sum(-1) / weights.sum(-1)).mean()


def pooled_loss(student: Tensor, teacher: Tensor, variance: Tensor) -> Tensor:
    """Squared error of (batch, p) over the mean variance of the teacher's."""
    if student.shape != teacher.shape:
        raise ValueError(
            f"student gives {tuple(student.shape)}, teacher {tuple(teacher.shape)}: head and teacher differ"
        )
    return (student.float() - teacher.float()).square().mean() / variance


def cosine_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """1 - cosine, mean over the batch: for unit vectors."""
    return 1 - functional.cosine_similarity(student.float(), teacher.float(), dim=-1).mean()


def contrast_loss(student: Tensor, teacher: Tensor, same: Tensor, temperature: float = 0.05) -> Tensor:
    """InfoNCE in both directions. same: (batch, batch) bool, True where two rows have the same text."""
    scores = functional.normalize(student.float(), dim=-1) @ functional.normalize(teacher.float(), dim=-1).T
    rivals = same & ~torch.eye(len(scores), dtype=torch.bool, device=scores.device)
    scores = (scores / temperature).masked_fill(rivals, float("-inf"))
    own = torch.arange(len(scores), device=scores.device)
    return (functional.cross_entropy(scores, own) + functional.cross_entropy(scores.T, own)) / 2


def slot_plan(content: Tensor, slots: int, pads: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Which slots a step looks at in each row (rows, k), -1 for none, and their weights (rows, k).

    content: (rows,) how many slots of a row hold words. All of those, and a sample of `pads` of the padding, which
    stands for all of it: the expected loss is that over all slots.
    """
    place = torch.arange(slots).expand(len(content), -1)
    padding = place >= content[:, None]
    chance = torch.rand(place.shape, generator=generator).masked_fill(~padding, -1.0)
    rank = chance.argsort(dim=1, descending=True).argsort(dim=1)
    rest = padding.sum(dim=1, keepdim=True)
    taken = padding & (rank < pads)
    weights = torch.where(taken, rest / rest.clamp(max=pads).clamp_min(1), (~padding).float())
    order = (weights > 0).int().argsort(dim=1, descending=True, stable=True)[:, : int((weights > 0).sum(dim=1).max())]
    weights = weights.gather(1, order)
    return torch.where(weights > 0, order, -1), weights
