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

    student, teacher: (batch, slots, dim); variance: (slots,) of the teacher over the corpus; weights: (slots,).
    """
    if student.shape != teacher.shape:
        raise ValueError(
            f"student gives {tuple(student.shape)}, teacher {tuple(teacher.shape)}: head and teacher differ"
        )
    error = (student.float() - teacher.float()).square().mean(-1) / variance  # (batch, slots)
    return (error * weights).sum(-1).mean() / weights.sum()


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


def words_loss(logits: Tensor, tokens: Tensor) -> Tensor:
    """Cross-entropy of the teacher's tokens (batch, slots) under the slots' logits (batch, slots, vocabulary).

    Hidden states follow from tokens: to know which word stands at a slot is most of knowing its state, and a
    class is a sharper teacher than a mean while the student is still unsure.
    """
    return functional.cross_entropy(logits.float().flatten(0, 1), tokens.flatten())


def contrast_loss(student: Tensor, teacher: Tensor, same: Tensor, temperature: float = 0.05) -> Tensor:
    """InfoNCE in both directions. same: (batch, batch) bool, True where two rows have the same text."""
    scores = functional.normalize(student.float(), dim=-1) @ functional.normalize(teacher.float(), dim=-1).T
    rivals = same & ~torch.eye(len(scores), dtype=torch.bool, device=scores.device)
    scores = (scores / temperature).masked_fill(rivals, float("-inf"))
    own = torch.arange(len(scores), device=scores.device)
    return (functional.cross_entropy(scores, own) + functional.cross_entropy(scores.T, own)) / 2


def slot_plan(content: int, slots: int, pads: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Which slots a step looks at, and their weights: every slot with content, and a sample of the padding.

    The sampled padding slots stand for all of them, so the expected loss is that over all slots.
    """
    content = min(content, slots)
    rest = slots - content
    take = min(pads, rest)
    chosen = content + torch.randperm(rest, generator=generator)[:take].sort().values
    which = torch.cat([torch.arange(content), chosen])
    weights = torch.cat([torch.ones(content), torch.full((take,), rest / take if take else 0.0)])
    return which, weights
