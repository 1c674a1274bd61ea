import pytest
import torch

from ko_clip.model import HeadSpec, KoClipConfig, KoClipModel, KoClipModelWithProjection
from ko_clip.ragged import Ragged

HEADS = {
    "base": {"dim": 32},
    "refiner": {"dim": 32, "pooled": 24},
    "search": {"pooled": 16, "unit": True},
}


@pytest.fixture(scope="module")
def model() -> KoClipModel:
    torch.manual_seed(0)
    config = KoClipConfig(
        vocab_size=50,
        embedding_size=8,
        width=16,
        layers=2,
        attention_heads=2,
        decoder_layers=2,
        max_tokens=20,
        heads=HEADS,
    )
    return KoClipModel(config).eval()


@pytest.fixture
def ids() -> torch.Tensor:
    return torch.tensor([[1, 5, 6, 7, 2, 0, 0], [1, 9, 8, 7, 6, 5, 2]])


def test_every_head_gives_its_shape(model, ids):
    found = model.encode(ids)
    assert found["base"].states.shape == (2, 77, 32) and found["base"].pooled is None
    assert found["refiner"].states.shape == (2, 77, 32) and found["refiner"].pooled.shape == (2, 24)
    assert found["search"].states is None
    assert torch.allclose(found["search"].pooled.norm(dim=-1), torch.ones(2))


def test_padding_changes_nothing(model, ids):
    with torch.no_grad():
        padded, bare = model.encode(ids)["base"].states[:1], model.encode(ids[:1, :5])["base"].states
    assert torch.allclose(padded, bare, atol=1e-5)


def test_learning_in_bfloat16_goes_the_way_of_float32(model, ids):
    gradients = []
    for bfloat16 in (False, True):
        model.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            states = model.encode(ids)["base"].states
        states.float().square().mean().backward()
        gradients.append(model.backbone.layers[0].key_value.weight.grad)
    assert torch.nn.functional.cosine_similarity(*(g.flatten() for g in gradients), dim=0) > 0.99


def test_a_subset_of_slots_equals_those_slots_of_all(model, ids):
    which = torch.tensor([3, 40, 76])
    with torch.no_grad():
        some, every = model.encode(ids, slots=which), model.encode(ids)
    assert torch.allclose(some["base"].states, every["base"].states[:, which], atol=1e-5)
    assert torch.allclose(some["refiner"].pooled, every["refiner"].pooled, atol=1e-5)


def test_every_row_may_be_asked_for_slots_of_its_own(model, ids):
    which = torch.tensor([[3, 40, -1], [-1, 0, 76]])
    with torch.no_grad():
        some, every = model.encode(ids, slots=which), model.encode(ids)
    asked = every["base"].states.gather(1, which.clamp_min(0)[..., None].expand(-1, -1, 32))
    assert torch.allclose(some["base"].states[which >= 0], asked[which >= 0], atol=1e-5)
    assert torch.allclose(some["refiner"].pooled, every["refiner"].pooled, atol=1e-5)


def test_packed_rows_come_back_where_they_were():
    padded, mask = torch.randn(3, 4, 2), torch.tensor([[1, 1, 0, 1], [0, 0, 0, 0], [1, 0, 0, 0]], dtype=bool)
    rows = Ragged(mask)
    assert rows.pack(padded).shape == (4, 2)
    assert torch.equal(rows.pad(rows.pack(padded)), padded * mask[..., None])
    assert Ragged(torch.ones(3, 4, dtype=bool)).pad(padded.flatten(0, 1)).data_ptr() == padded.data_ptr()


def test_spare_rows_of_bfloat16_leave_no_trace():
    padded, mask = torch.randn(3, 60, 2), torch.arange(60)[None] < torch.tensor([[60], [0], [7]])
    plain = Ragged(mask)
    with torch.autocast("cpu", torch.bfloat16):
        rows = Ragged(mask)
    packed = rows.pack(padded).requires_grad_()
    assert (rows.total, len(packed), len(plain.pack(padded))) == (67, 128, 67)
    assert torch.equal(rows.pad(packed), plain.pad(plain.pack(padded)))
    assert torch.equal(rows.pad(packed[: rows.total]), rows.pad(packed))
    rows.pad(packed).sum().backward()
    assert packed.grad.sum(0).tolist() == [67, 67] and not packed.grad[67:].any()


def test_bfloat16_says_what_float32_says(model, ids):
    which = torch.tensor([[3, 40, -1], [-1, 0, 76]])
    with torch.no_grad():
        full = model.encode(ids, slots=which)
        with torch.autocast("cpu", torch.bfloat16):
            half = model.encode(ids, slots=which)
    for output, wanted in (
        (half["base"].states[which >= 0], full["base"].states[which >= 0]),
        (half["refiner"].pooled, full["refiner"].pooled),
    ):
        assert (output.float() - wanted).norm() < 0.03 * wanted.norm()


@pytest.mark.parametrize("low", [False, True])
@pytest.mark.parametrize("lengths", [[3] * 30, [1, 9, 0, 4, 7] * 6, [2]])
def test_rows_a_few_at_a_time_are_the_same_rows(lengths, low):
    mask = torch.arange(11)[None] < torch.tensor(lengths)[:, None]
    with torch.autocast("cpu", torch.bfloat16, enabled=low):
        rows = Ragged(mask)
    packed = rows.pack(torch.randn(*mask.shape, 2)).requires_grad_()
    assert len(packed) == (128 * -(-rows.total // 128) if low else sum(lengths))
    padded = rows.pad_parts(packed)
    assert sum(len(few) for few in padded) == len(lengths) and (len(padded) > 1) == (len(lengths) == 30)
    if len(padded) > 1:
        assert [few.shape[1] for few in padded] == [max(lengths)] * len(padded)
    assert torch.equal(torch.cat([part.mask.sum(1) for part in rows.parts]), torch.tensor(lengths))
    again = rows.pack_parts(padded)
    assert torch.equal(again, packed)
    (slope,) = torch.autograd.grad((again * packed.detach())[: rows.total].sum(), packed)
    assert torch.equal(slope[: rows.total], packed.detach()[: rows.total])


def test_a_large_batch_says_and_learns_what_its_rows_do_one_by_one(model):
    generator = torch.Generator().manual_seed(4)
    rows = [torch.randint(3, 50, (n,), generator=generator).tolist() for n in [5, 3, 12, 1] * 8]
    ids = torch.tensor([[*row, *[0] * (12 - len(row))] for row in rows])
    which = torch.tensor([[0, 5, 70, -1], [3, -1, -1, -1]] * 16)

    def states(ids: torch.Tensor, which: torch.Tensor) -> torch.Tensor:
        return model.encode(ids, ["base"], which)["base"].states * (which >= 0)[..., None]

    gradients = []
    for together in (True, False):
        model.zero_grad()
        output = states(ids, which) if together else torch.cat([states(ids[[i]], which[[i]]) for i in range(len(ids))])
        output.pow(3).sum().backward()
        gradients.append([output.detach(), *(p.grad.clone() for p in model.parameters() if p.grad is not None)])
    for ours, theirs in zip(*gradients, strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-3, atol=1e-4 * float(theirs.abs().max()))


def test_one_head_alone_equals_that_head_among_all(model, ids):
    with torch.no_grad():
        alone, among = model.encode(ids, ["search"])["search"].pooled, model.encode(ids)["search"].pooled
    assert torch.allclose(alone, among, atol=1e-5)


def test_the_encoder_reads_in_both_directions(model):
    with torch.no_grad():
        one = model.encode(torch.tensor([[1, 5, 6, 2]]))["base"].states[:, 1]
        two = model.encode(torch.tensor([[1, 5, 7, 2]]))["base"].states[:, 1]
    assert (one - two).abs().max() > 1e-6


def test_weights_of_one_change_nothing_and_others_do(model, ids):
    with torch.no_grad():
        plain = model.encode(ids)["base"].states
        same = model.encode(ids, token_weights=torch.ones(2, 7))["base"].states
        weights = torch.ones(2, 7)
        weights[:, 2] = 1.5
        other = model.encode(ids, token_weights=weights)["base"].states
    assert torch.allclose(plain, same, atol=1e-5)
    assert (plain - other).abs().max() > 1e-6


def test_the_empty_prompt_is_the_teachers_own(model):
    head = model.heads["base"]
    before = head.empty.clone(), head.knows_empty.clone()
    head.empty.copy_(torch.randn(77, 32))
    head.knows_empty.fill_(1)
    with torch.no_grad():
        assert torch.equal(model.encode(torch.tensor([[1, 2, 0, 0]]))["base"].states[0], head.empty)
        assert not torch.allclose(model.encode(torch.tensor([[1, 9, 2]]))["base"].states[0], head.empty)
    head.empty.copy_(before[0])
    head.knows_empty.copy_(before[1])


def test_saved_and_opened_it_says_the_same(model, ids, tmp_path):
    model.save_pretrained(tmp_path)
    again = KoClipModel.from_pretrained(tmp_path).eval()
    with torch.no_grad():
        assert torch.equal(model(ids).last_hidden_state, again(ids).last_hidden_state)
    assert again.config.head_specs()["refiner"] == HeadSpec(32, 24)


def test_with_projection_it_answers_as_sdxl_asks(model, ids, tmp_path):
    model.save_pretrained(tmp_path)
    refiner = KoClipModelWithProjection.from_pretrained(tmp_path).eval()
    with torch.no_grad():
        found, expected = refiner(ids, output_hidden_states=True), model.encode(ids)["refiner"]
    assert torch.equal(found[0], expected.pooled)
    assert torch.equal(found.hidden_states[-2], expected.states)


@pytest.mark.parametrize("kind", ["roberta", "clip_text_model"])
def test_a_hub_encoder_serves_as_backbone(kind):
    sizes = {"vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
             "intermediate_size": 16, "max_position_embeddings": 40,
             "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}  # fmt: skip
    config = KoClipConfig(
        vocab_size=50, width=16, attention_heads=2, heads=HEADS, backbone={"model_type": kind, **sizes}, max_tokens=20
    )
    model = KoClipModel(config).eval()
    with torch.no_grad():
        one = model.encode(torch.tensor([[1, 5, 6, 2, 0]]))["base"].states
        bare = model.encode(torch.tensor([[1, 5, 6, 2]]))["base"].states
        rows = Ragged(torch.ones(1, 4, dtype=bool))
        hidden = [model.backbone(torch.tensor([[1, 5, x, 2]]), rows)[0][1] for x in (6, 7)]
    assert torch.allclose(one, bare, atol=1e-5)
    assert (hidden[0] - hidden[1]).abs().max() > 1e-6  # the second token sees the third


@pytest.mark.parametrize("spec", [{"dim": 0, "pooled": 0}, {"dim": -1}])
def test_a_head_that_gives_nothing_is_refused(spec):
    with pytest.raises(ValueError, match="a head needs"):
        HeadSpec(**spec)
