"""What a step of learning looks at: mixing, sampling, the losses of its rows, the learning rate."""

import numpy as np
import pytest
import torch

from ko_clip.batches import Batch, Sampler
from ko_clip.distill import trainer_settings
from ko_clip.losses import contrast_loss, pooled_loss, sequence_loss, slot_plan
from ko_clip.recipe import HeadRecipe, TextStage, recipe_from
from ko_clip.teachers import Target
from ko_clip.text_objective import TextObjective
from ko_clip.tokenizer import TokenizerRecipe, train_tokenizer

# diffusers hands torch tensors to numpy 2 the old way
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


class Numbers:
    name, heads, identity = "numbers", (), "x"

    def __len__(self):
        return 10

    def pair(self, index, epoch):
        return f"수 {index}", f"number {index}"


def number_tokenizer():
    return train_tokenizer(["수 하나", "number one"] * 30, TokenizerRecipe(64, 64))


def test_corpora_are_mixed_by_their_weights():
    sampler = Sampler([Numbers(), Numbers(), Numbers()], [6.0, 3.0, 1.0], number_tokenizer(), batch=4, seed=3)
    drawn = np.bincount([sampler.corpus_of(step) for step in range(6000)]) / 6000
    assert np.allclose(drawn, [0.6, 0.3, 0.1], atol=0.02)


def test_steps_of_some_corpora_before_a_step_are_found_as_counting_would(monkeypatch):
    sampler = Sampler([Numbers(), Numbers(), Numbers()], [6.0, 3.0, 1.0], number_tokenizer(), batch=4, seed=3)
    plan = [sampler.corpus_of(step) for step in range(9000)]
    for step in (0, 1, 4095, 4096, 4097, 8999):
        assert sampler.steps_before(step, [0, 2]) == sum(corpus in (0, 2) for corpus in plan[:step])
    fresh = Sampler([Numbers(), Numbers(), Numbers()], [6.0, 3.0, 1.0], number_tokenizer(), batch=4, seed=3)
    assert fresh.steps_before(8999, [1]) == plan[:8999].count(1) and fresh.corpus_of(5000) == plan[5000]


def test_every_process_has_rows_of_every_part_and_together_they_are_those_of_one():
    one = Sampler([Numbers()], [1.0], number_tokenizer(), batch=10, seed=3)
    both = [Sampler([Numbers()], [1.0], number_tokenizer(), 5, 3, 1, rank, 2) for rank in (0, 1)]
    parts = [each.parts_at(2, 4) for each in both]
    assert [len(part.indices) for part in parts[0]] == [len(part.indices) for part in parts[1]] == [2, 2, 1]
    together = sorted(i for part in (*parts[0], *parts[1]) for i in part.indices)
    assert together == sorted(one.at(2).indices)


def test_the_order_of_pairs_depends_on_the_step_alone():
    tokenizer = number_tokenizer()
    one = Sampler([Numbers()], [1.0], tokenizer, batch=4, seed=3, pool=2)
    two = Sampler([Numbers()], [1.0], tokenizer, batch=4, seed=3, pool=2)
    later = two.at(7)
    assert [one.at(step) for step in range(8)][7].indices == later.indices
    seen = [index for step in range(10) for index in one.at(step).indices]
    assert sorted(seen[:40]) == sorted(list(range(10)) * 4)
    halves = [Sampler([Numbers()], [1.0], tokenizer, 2, 3, 2, rank, 2) for rank in (0, 1)]
    assert sorted(halves[0].at(5).indices + halves[1].at(5).indices) == sorted(one.at(5).indices)


def test_the_sampled_padding_slots_stand_for_all():
    generator = torch.Generator().manual_seed(0)
    content = torch.tensor([20, 3, 77, 74])
    which, weights = slot_plan(content, 77, 8, generator)
    for row, words in enumerate(content.tolist()):
        asked = which[row][which[row] >= 0].tolist()
        assert set(range(words)) <= set(asked) and len(asked) == len(set(asked)) == words + min(8, 77 - words)
    assert (weights.sum(1) - 77).abs().max() < 1e-4 and ((weights > 0) == (which >= 0)).all()
    states, ones = torch.randn(4, 77, 8), torch.ones(4, 77)
    full = sequence_loss(states, torch.zeros_like(states), ones, ones)

    def sampled() -> torch.Tensor:
        which, weights = slot_plan(content, 77, 8, generator)
        some = states.gather(1, which.clamp_min(0)[..., None].expand(-1, -1, 8))
        return sequence_loss(some, torch.zeros_like(some), torch.ones_like(weights), weights)

    assert float(torch.stack([sampled() for _ in range(400)]).mean()) == pytest.approx(float(full), rel=0.02)


def test_identical_texts_are_no_rivals_in_the_contrast():
    vectors = torch.eye(3)
    same = torch.eye(3, dtype=torch.bool)
    twins = torch.stack([vectors[0], vectors[0], vectors[2]])
    both = same.clone()
    both[0, 1] = both[1, 0] = True
    assert contrast_loss(twins, twins, both) < 1e-3 < contrast_loss(twins, twins, same)


def test_the_contrast_of_two_processes_pulls_as_that_of_one_with_all_rows():
    generator = torch.Generator().manual_seed(0)
    texts = ["a hat", "a hat", "a coat", "a bag", "a skirt", "a dress"]
    wanted = torch.randn(6, 8, generator=generator)
    rows = torch.randn(6, 8, generator=generator).requires_grad_()
    values = [_contrast_of(rows, wanted, texts, rank, 2) for rank in (0, 1)]
    (sum(values) / 2).backward()  # gradients of processes are averaged
    alone = rows.detach().clone().requires_grad_()
    value = _contrast_of(alone, wanted, texts, 0, 1)
    value.backward()
    assert torch.allclose(torch.stack(values), value.expand(2), atol=1e-5)
    assert torch.allclose(rows.grad, alone.grad, atol=1e-5)


def _contrast_of(rows, wanted, texts, rank, world):
    """The loss of one process, which has every `world`-th row."""
    from functools import partial
    from types import SimpleNamespace

    def gather(mine):
        whole = next(x for x in (rows.detach(), wanted) if torch.equal(x[rank::world], mine))
        return torch.cat([whole[other::world] for other in range(world)])

    head = HeadRecipe("t", kind="sentence", weight=0.0, contrast=1.0)
    me = SimpleNamespace(
        accelerator=SimpleNamespace(num_processes=world, process_index=rank, gather=gather), tensor=torch.as_tensor,
        context=SimpleNamespace(recipe=SimpleNamespace(heads={"search": head})), stage=TextStage(),
        student=SimpleNamespace(head=lambda _name: SimpleNamespace(spec=SimpleNamespace(unit=True))),
    )  # fmt: skip
    me._of_everyone = partial(TextObjective._of_everyone, me)
    batch = Batch(0, tuple(range(rank, 6, world)), torch.zeros(0), tuple(texts[rank::world]), tuple(texts))
    target = Target(None, wanted[rank::world])
    return TextObjective._pooled_losses(me, "search", rows[rank::world], target, batch)["search.contrast"]


def test_student_and_teacher_of_different_width_are_refused():
    with pytest.raises(ValueError, match="head and teacher differ"):
        pooled_loss(torch.zeros(2, 8), torch.zeros(2, 9), torch.ones(()))


def test_the_learning_rate_warms_up_stays_and_cools_down():
    settings = trainer_settings(TextStage(steps=100, warmup=10, cooldown=0.5, learning_rate=1.0), 0, None, False)
    rates = [settings.learning_rate * settings.share(step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1) and rates[30] == 1.0 and rates[-1] == pytest.approx(0.02)


def test_a_head_without_states_needs_a_pooled_embedding():
    with pytest.raises(ValueError, match="needs pooled: true"):
        recipe_from({"heads": {"x": {"teacher": "t", "output": "none"}}, "corpus": "p.csv"})
