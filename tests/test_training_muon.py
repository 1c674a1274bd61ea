"""Muon: orthogonal factors, blocks, and the same steps together as alone."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from training.muon import Muon, orthogonal


@pytest.mark.parametrize("shape", [(24, 60), (60, 24), (16, 16)])
def test_an_orthogonal_factor_has_singular_values_near_one(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    values = torch.linalg.svdvals(orthogonal(matrix[None])[0])
    assert 0.5 < values.min() < values.max() < 1.3
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    assert torch.cosine_similarity(orthogonal(matrix[None]).flatten(), (left @ right).flatten(), dim=0) > 0.95


@pytest.mark.parametrize("shape", [(20, 60), (60, 20), (16, 50)])
def test_a_large_matrix_is_made_orthogonal_block_by_block(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    made = orthogonal(matrix[None], rows=8)[0]
    wide, given = (made, matrix) if shape[0] < shape[1] else (made.T, matrix.T)
    size = -(-min(shape) // -(-min(shape) // 8))
    for block, alone in zip(wide.split(size), given.split(size), strict=True):
        assert len(block) <= 8 and torch.equal(block, orthogonal(alone[None])[0])


def test_muon_goes_on_from_a_state_that_knows_no_blocks() -> None:
    weight = nn.Parameter(torch.zeros(4, 6))
    optimizer = Muon(nn.ParameterList([weight]), {"p": weight}, 0.1)
    older = optimizer.state_dict()
    for group in older["param_groups"]:
        del group["rows"]
    optimizer.load_state_dict(older)
    weight.grad = torch.ones(4, 6)
    optimizer.step()
    assert weight.abs().max() > 0


@pytest.mark.parametrize("work_type", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(16, 720), (720, 16), (16, 16)])
def test_no_singular_value_grows_beside_one_that_dominates(
    shape: tuple[int, int], work_type: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.muon._work_type", lambda device: work_type)
    left, _, right = torch.linalg.svd(torch.randn(32, *shape, generator=torch.Generator().manual_seed(0)), False)
    spectrum = torch.full((min(shape),), 0.03)
    spectrum[0] = 1.0  # nearly so are a U-Net's last convolution's
    assert torch.linalg.svdvals(orthogonal(left * spectrum @ right)).max() < 1.3


@pytest.mark.parametrize("shape", [(24, 90), (90, 24), (24, 30)])
def test_rounds_reckoned_on_the_smaller_side_are_the_same_rounds(
    shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.muon._work_type", lambda device: torch.float32)
    generator = torch.Generator().manual_seed(2)
    strong, weak = torch.randn(shape[0], 3, generator=generator), torch.randn(shape, generator=generator)
    # as gradients are: nearly of low rank
    matrix = strong @ torch.randn(3, shape[1], generator=generator) + 0.01 * weak
    near = (matrix / matrix.norm()).double()
    for _ in range(5):
        gram = near @ near.T
        near = 3.4445 * near + (-4.7750 * gram + 2.0315 * gram @ gram) @ near
    assert float((orthogonal(matrix[None])[0] - near).norm() / near.norm()) < 1e-4


def test_matrices_of_one_shape_are_stepped_together_as_each_alone() -> None:
    together, alone = ([nn.Parameter(torch.zeros(6, 2, 3, 3)) for _ in range(3)] for _ in range(2))
    first = Muon(nn.ParameterList(together), {str(i): p for i, p in enumerate(together)}, 0.1, 0.5)
    others = [Muon(nn.ParameterList([p]), {"p": p}, 0.1, 0.5) for p in alone]
    generator = torch.Generator().manual_seed(3)
    for step in range(3):
        for place, (mine, theirs) in enumerate(zip(together, alone, strict=True)):
            mine.grad = theirs.grad = None if place == step else torch.randn(mine.shape, generator=generator)
        for optimizer in (first, *others):
            optimizer.step()
    for mine, theirs in zip(together, alone, strict=True):
        assert mine.abs().max() > 0.01 and torch.allclose(mine, theirs, atol=1e-3)


def test_muon_leaves_tables_and_gains_to_adamw() -> None:
    model = nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 3), nn.LayerNorm(3))
    groups = Muon(model, dict(model.named_parameters()), 0.1).param_groups
    assert [[tuple(p.shape) for p in group["params"]] for group in groups] == [[(3, 4)], [(5, 4), (3,), (3,), (3,)]]


def test_tables_and_gains_are_stepped_together_as_adamw_steps_them_alone() -> None:
    ours, theirs = (nn.Sequential(nn.Embedding(5, 4), nn.LayerNorm(4), nn.LayerNorm(4)) for _ in range(2))
    theirs.load_state_dict(ours.state_dict())
    quick = Muon(ours, dict(ours.named_parameters()), 0.1)
    plain = torch.optim.AdamW(theirs.parameters(), 0.1, betas=(0.9, 0.99), weight_decay=0.0)
    for step in range(6):
        x = torch.tensor([step % 5, 2])
        for model, optimizer in ((ours, quick), (theirs, plain)):
            last = 3 if step % 2 else 2  # every other step the last gains have no gradient: their count stands still
            model[:last](x).square().sub(1).square().sum().backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
    for name, value in theirs.state_dict().items():
        assert torch.allclose(ours.state_dict()[name], value, atol=1e-5), name
    assert {float(quick.state[p]["step"]) for p in ours[2].parameters()} == {3.0}
    assert {key for state in quick.state.values() for key in state} == {"mean", "square", "step"}
