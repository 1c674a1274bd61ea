import logging
import threading
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import torch
from ko_clip_parts import PAIRS, make_clip

from ko_clip.encoder import PromptEncoder
from ko_clip.model import KoClipConfig, KoClipModel
from ko_clip.student import save_encoder
from ko_clip.tokenizer import TokenizerRecipe, train_tokenizer
from ko_clip.weights import parse_weights

# diffusers hands torch tensors to numpy 2 the old way
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

HEADS = {
    "base": {"dim": 32, "teacher": "sha256:aa"},
    "refiner": {"dim": 32, "pooled": 24, "teacher": "sha256:aa"},
    "search": {"pooled": 16, "unit": True, "teacher": "sha256:bb"},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    torch.manual_seed(0)
    tokenizer = train_tokenizer((side for pair in PAIRS for side in pair), TokenizerRecipe(80, 80), max_tokens=12)
    sizes = {"embedding_size": 8, "width": 16, "layers": 1, "attention_heads": 2, "decoder_layers": 1, "max_tokens": 12}
    model = KoClipModel(KoClipConfig(vocab_size=tokenizer.vocab_size, heads=HEADS, **sizes))
    path = tmp_path_factory.mktemp("encoder") / "encoder"
    save_encoder(model, tokenizer, path)
    return path


@pytest.fixture
def encoder(folder) -> PromptEncoder:
    return PromptEncoder.load(folder)


def test_it_gives_what_pipeline_and_index_ask_for(encoder):
    assert encoder.base(["빨간 모자", "red hat"]).shape == (2, 77, 32)
    states, pooled = encoder.refiner(["빨간 모자"])
    assert states.shape == (1, 77, 32) and pooled.shape == (1, 24)
    found = encoder.search(["빨간 모자", "파란 모자", ""])
    assert found.shape == (3, 16) and found.dtype == np.float32
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    assert encoder.search([]).shape == (0, 16)
    assert encoder.teachers == {"base": "sha256:aa", "refiner": "sha256:aa"}
    assert encoder.encoder_id.startswith("sha256:") and encoder.max_tokens == 10


def test_nfd_and_nfc_prompts_give_the_same_numbers(encoder, folder):
    other = PromptEncoder.load(folder)
    text = "초록색 원피스"
    assert torch.equal(encoder.base([text]), other.base([unicodedata.normalize("NFD", text)]))


def test_a_prompt_says_the_same_alone_and_in_a_batch(encoder, folder):
    other = PromptEncoder.load(folder)
    alone = encoder.base(["빨간 모자"])[0]
    among = other.base(["파란 원피스 하얀 치마 가방", "빨간 모자", ""])[1]
    assert torch.allclose(alone, among, atol=1e-5)


def test_the_bits_of_a_conditioning_do_not_depend_on_what_was_asked_before():
    """With the encoder that ships: the tiny ones of these tests sum too few numbers to differ."""
    shipped = Path(__file__).parent.parent / "checkpoints" / "korean"
    fresh, used = PromptEncoder.load(shipped), PromptEncoder.load(shipped)
    used.base(["초록 버킷햇", ""])
    for text in ("초록 버킷햇, 플랫 일러스트", "빨간 체크무늬 원피스, 한옥 마당", "a red dress"):
        assert torch.equal(fresh.base([text, "모자", "a much longer text than both"])[0], used.base([text, ""])[0])


def test_a_prompt_asked_twice_is_computed_once(encoder, monkeypatch):
    first = encoder.base(["빨간 코트"])
    monkeypatch.setattr(encoder, "_compute", lambda *_: pytest.fail("computed again"))
    assert torch.equal(encoder.base(["빨간 코트"]), first)
    encoder.refiner(["빨간 코트"])  # its states came with the first


def test_few_prompts_are_kept(folder):
    from ko_clip.encoder import PromptEncoder as Encoder

    opened = Encoder.load(folder)
    opened._keep = 4
    for i in range(20):
        opened.base([f"모자 {i}"])
    assert len(opened._kept) <= 4


def test_a_long_prompt_is_cut_with_a_warning_or_chunked(folder, caplog):
    text = "빨간 원피스 파란 모자 " * 4 + "가방"
    cut, chunk = PromptEncoder.load(folder), PromptEncoder.load(folder, long="chunk")
    with caplog.at_level(logging.WARNING):
        assert cut.base([text]).shape == (1, 77, 32)
    assert "dropped" in caplog.text and cut.dropped(text).endswith("가방")
    both = chunk.base([text, "모자"])
    assert both.shape[1] > 77 and both.shape[1] % 77 == 0
    assert torch.allclose(both[1, 77:154], chunk.base([""])[0], atol=1e-5)


@pytest.mark.parametrize(
    ("prompt", "text", "weights"),
    [
        ("빨간 모자", "빨간 모자", {1.0}),
        ("(빨간:1.3) 모자", "빨간 모자", {1.3, 1.0}),
        ("(모자)", "모자", {1.1}),
        ("((모자))", "모자", {1.21}),
        ("[모자]", "모자", {1 / 1.1}),
        (r"\(모자\)", "(모자)", {1.0}),
        ("(모자", "(모자", {1.0}),
        ("(모자:9)", "모자", {2.0}),
        ("a (b [c]:1.2)", "a b c", {1.0, 1.2, 1.2 / 1.1}),
        ("", "", set()),
    ],
)
def test_weights_are_read_as_the_ecosystem_writes_them(prompt, text, weights):
    found = parse_weights(prompt)
    assert found.text == text and len(found.weights) == len(text)
    assert {round(w, 6) for w in found.weights} == {round(w, 6) for w in weights}


def test_a_weight_changes_the_states_and_not_the_search(encoder):
    plain, weighted = encoder.base(["빨간 모자"]), encoder.base(["(빨간:1.5) 모자"])
    assert not torch.allclose(plain, weighted)
    assert torch.allclose(plain, encoder.base(["(빨간:1.0) 모자"]), atol=1e-5)
    assert np.allclose(encoder.search(["빨간 모자"]), encoder.search(["(빨간:1.5) 모자"]), atol=1e-5)
    assert encoder.count_tokens("(빨간:1.5) 모자") == encoder.count_tokens("빨간 모자")


def test_threads_get_what_one_thread_gets(encoder, folder):
    prompts = [f"모자 {i}" for i in range(6)]
    expected = PromptEncoder.load(folder).search(prompts)
    found: dict[int, np.ndarray] = {}

    def ask(i: int) -> None:
        found[i] = encoder.search([prompts[i]])[0]

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert np.allclose(np.stack([found[i] for i in range(6)]), expected, atol=1e-5)


def test_a_missing_head_and_a_missing_folder_are_named(folder, tmp_path):
    encoder = PromptEncoder.load(folder)
    encoder.teachers = {}
    with pytest.raises(ValueError, match="no 'base' head"):
        encoder.base(["모자"])
    with pytest.raises(FileNotFoundError, match="config.json is missing"):
        PromptEncoder.load(tmp_path)


def test_a_folder_of_another_model_is_refused(tmp_path):
    make_clip(tmp_path / "clip")
    with pytest.raises(ValueError, match="of type 'clip_text_model': give the folder of a trained ko_clip encoder"):
        PromptEncoder.load(tmp_path / "clip")


def test_it_takes_the_place_of_the_text_encoder_in_a_stock_pipeline_negative_prompts_too(folder):
    from diffusers import AutoencoderTiny, DPMSolverMultistepScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import PreTrainedTokenizerFast

    unet = UNet2DConditionModel(
        sample_size=4, block_out_channels=(8, 16), layers_per_block=1, cross_attention_dim=32, attention_head_dim=4,
        norm_num_groups=4, down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    )  # fmt: skip
    pipeline = StableDiffusionPipeline(
        vae=AutoencoderTiny(encoder_block_out_channels=(8,) * 4, decoder_block_out_channels=(8,) * 4), unet=unet,
        text_encoder=KoClipModel.from_pretrained(folder, dtype=torch.float32).eval(),
        tokenizer=PreTrainedTokenizerFast.from_pretrained(folder),
        scheduler=DPMSolverMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, steps_offset=1),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    pipeline.set_progress_bar_config(disable=True)
    picture = pipeline("빨간 모자", num_inference_steps=2, height=32, width=32, output_type="np").images
    assert picture.shape == (1, 32, 32, 3)
    seeded = {"num_inference_steps": 2, "height": 32, "width": 32, "output_type": "latent"}
    options = [{}, {"negative_prompt": "파란 가방"}, {"negative_prompt": "파란 가방"}, {"negative_prompt": ""}]
    plain, without, again, empty = (
        pipeline("빨간 모자", **seeded, **more, generator=torch.Generator().manual_seed(0)).images for more in options
    )
    assert torch.equal(without, again) and torch.equal(plain, empty) and not torch.allclose(plain, without, atol=1e-4)
    states, _ = pipeline.encode_prompt("빨간 모자", "cpu", 1, False)
    assert torch.allclose(states, PromptEncoder.load(folder).base(["빨간 모자"]), atol=1e-5)


def test_the_sentence_transformers_export_gives_the_same_vectors(folder, tmp_path):
    from sentence_transformers import SentenceTransformer

    from ko_clip.export import export

    export(folder, tmp_path / "export")
    model = SentenceTransformer(str(tmp_path / "export"), device="cpu", trust_remote_code=True)
    texts = ["빨간 모자", "red hat", "하얀 원피스를 입은 사람"]
    ours = PromptEncoder.load(folder).search(texts)
    assert np.abs(model.encode(texts, show_progress_bar=False) - ours).max() < 1e-5
