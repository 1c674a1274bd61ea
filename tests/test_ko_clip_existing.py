"""Encoders of other people as they are: their layouts, widths, search vectors, and what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from transformers import (
    AltCLIPConfig,
    AltCLIPModel,
    BertConfig,
    BertModel,
    CLIPConfig,
    CLIPModel,
    CLIPTextConfig,
    CLIPTextModelWithProjection,
    CLIPVisionConfig,
    PreTrainedTokenizerFast,
    RobertaConfig,
    VisionTextDualEncoderConfig,
    VisionTextDualEncoderModel,
)

from diffusion.encoder import EncoderMismatch, check_teachers
from ko_clip.encoder import PromptEncoder
from ko_clip.existing import ExistingClip, SentenceEncoder, WithSearch, open_prompt_encoder, open_search_encoder
from ko_clip.teachers import fingerprint

PROMPTS = ["빨간 원피스", "파란 코트를 입은 사람", "a red dress"]
SHIPPED = Path(__file__).parent.parent / "checkpoints" / "korean"
WIDTH, DIM = 16, 12
SMALL = {"hidden_size": WIDTH, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
VISION = SMALL | {"image_size": 16, "patch_size": 8}


def korean_tokenizer(folder: Path, begin: str = "<s>", end: str = "</s>") -> int:
    """Korean byte-level BPE as those encoders have it; returns its size."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=["<pad>", begin, end], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    tokenizer.train_from_iterator(PROMPTS * 3, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A {end}", special_tokens=[(begin, 1), (end, 2)]
    )
    whole = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", bos_token=begin, eos_token=end)
    whole.save_pretrained(folder)
    return len(whole)


def text_settings(size: int) -> dict[str, object]:
    special = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    return SMALL | special | {"vocab_size": size, "max_position_embeddings": 77, "projection_dim": DIM}


def clip_folder(folder: Path) -> Path:
    """The layout of Bingsu/clip-vit-large-patch14-ko: a CLIPModel and a Korean tokenizer."""
    torch.manual_seed(0)
    config = CLIPConfig(
        text_config=text_settings(korean_tokenizer(folder)), vision_config=VISION | {"projection_dim": DIM},
        projection_dim=DIM,
    )  # fmt: skip
    CLIPModel(config).save_pretrained(folder)
    return folder


def tower_folder(folder: Path) -> Path:
    """A text tower alone, as others' students are saved."""
    torch.manual_seed(0)
    CLIPTextModelWithProjection(CLIPTextConfig(**text_settings(korean_tokenizer(folder)))).save_pretrained(folder)
    return folder


def koclip_folder(folder: Path) -> Path:
    """The layout of KoCLIP: RoBERTa beside a vision tower."""
    torch.manual_seed(0)
    size = korean_tokenizer(folder)
    text = RobertaConfig(
        **SMALL, vocab_size=size, max_position_embeddings=79, pad_token_id=0, bos_token_id=1, eos_token_id=2,
        type_vocab_size=1,
    )  # fmt: skip
    config = VisionTextDualEncoderConfig.from_vision_text_configs(CLIPVisionConfig(**VISION), text, projection_dim=DIM)
    VisionTextDualEncoderModel(config).save_pretrained(folder)
    return folder


def altclip_folder(folder: Path) -> Path:
    """The layout of AltCLIP, whose states are projected to the width that a U-Net reads."""
    torch.manual_seed(0)
    text = text_settings(korean_tokenizer(folder)) | {"project_dim": WIDTH, "max_position_embeddings": 79}
    text |= {"hidden_size": 32, "type_vocab_size": 1}
    AltCLIPModel(
        AltCLIPConfig(text_config=text, vision_config=VISION | {"projection_dim": DIM}, projection_dim=DIM)
    ).save_pretrained(folder)
    return folder


def sentence_folder(folder: Path) -> Path:
    """A sentence-transformers model of BERT's kind, pooled by the mean."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

    torch.manual_seed(0)
    bert = folder / "bert"
    size = korean_tokenizer(bert, "[CLS]", "[SEP]")
    BertModel(BertConfig(**SMALL, vocab_size=size, max_position_embeddings=64)).save_pretrained(bert)
    words = Transformer(str(bert))
    SentenceTransformer(modules=[words, Pooling(WIDTH)]).save(str(folder / "model"))
    return folder / "model"


FOLDERS = {"clip": clip_folder, "tower": tower_folder, "koclip": koclip_folder, "altclip": altclip_folder}


@pytest.fixture(params=FOLDERS)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return FOLDERS[request.param](tmp_path / "encoder")


def test_every_layout_gives_states_for_drawing_and_unit_vectors_for_search(folder: Path) -> None:
    encoder = open_prompt_encoder(folder)
    assert encoder.base(PROMPTS).shape == (3, encoder.slots, WIDTH) and encoder.slots == 77
    vectors = encoder.search(PROMPTS)
    assert vectors.shape == (3, encoder.search_dim) == (3, DIM) and vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert encoder.search([]).shape == (0, DIM)
    alone = np.concatenate([encoder.search([prompt]) for prompt in PROMPTS])
    np.testing.assert_allclose(alone, vectors, atol=1e-5)
    assert encoder.count_tokens("빨간 원피스") > 0 and encoder.dropped("빨간 원피스") == ""
    assert encoder.dropped("가나다라마바사 " * 60)
    assert encoder.search(["(빨간:1.3) 원피스"]) == pytest.approx(encoder.search(["빨간 원피스"]), abs=1e-5)


def test_a_folder_is_known_by_all_that_decides_its_vectors(tmp_path: Path) -> None:
    first, second = clip_folder(tmp_path / "a"), clip_folder(tmp_path / "b")
    ids = [open_prompt_encoder(each).encoder_id for each in (first, second)]
    assert ids[0] == ids[1]
    text = (second / "tokenizer.json").read_text("utf-8")
    (second / "tokenizer.json").write_text(text.replace('"빨', '"뿔', 1) + " ", "utf-8")
    assert open_prompt_encoder(second).encoder_id != ids[0]


def test_where_the_width_fits_it_draws_and_says_that_it_was_made_for_something_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    encoder = ExistingClip.load(clip_folder(tmp_path))
    check_teachers(encoder, {"base": "sha256:other"}, width=lambda head: WIDTH)
    assert "was not trained for this checkpoint" in caplog.text and tmp_path.name in encoder.made_for
    with pytest.raises(EncoderMismatch, match="16 numbers a token.*reads 768"):
        check_teachers(encoder, {"base": "sha256:other"}, width=lambda head: 768)
    with pytest.raises(EncoderMismatch, match="no refiner head"):
        check_teachers(encoder, {"base": "sha256:other", "refiner": "sha256:x"}, width=lambda head: WIDTH)
    with pytest.raises(ValueError, match="no refiner head"):
        encoder.refiner(PROMPTS)
    caplog.clear()
    check_teachers(encoder, {"base": fingerprint(tmp_path)}, width=lambda head: 768)  # the checkpoint's very own
    assert not caplog.records


def test_what_is_no_encoder_is_refused_with_the_cure(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"config\.json is missing"):
        open_prompt_encoder(tmp_path / "nowhere")
    bert = sentence_folder(tmp_path / "s").parent / "bert"
    with pytest.raises(ValueError, match="of type 'bert'.*altclip"):
        open_prompt_encoder(bert)
    folder = clip_folder(tmp_path / "clip")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(FileNotFoundError, match="pickled weights are not opened"):
        open_prompt_encoder(folder)


def test_weights_that_a_file_lacks_are_no_random_numbers(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    file = clip_folder(tmp_path) / "model.safetensors"
    tensors = load_file(file)
    del tensors["text_projection.weight"]
    save_file(tensors, file, {"format": "pt"})
    with pytest.raises(ValueError, match="lacks 1 weights.*text_projection"):
        open_prompt_encoder(tmp_path)


def test_a_tokenizer_of_another_encoder_is_refused(tmp_path: Path) -> None:
    folder = clip_folder(tmp_path / "clip")
    config = CLIPConfig(
        text_config=text_settings(40), vision_config=VISION | {"projection_dim": DIM}, projection_dim=DIM
    )
    CLIPModel(config).save_pretrained(folder)
    with pytest.raises(ValueError, match="two different encoders"):
        open_prompt_encoder(folder)


def test_a_sentence_model_searches_while_the_encoder_goes_on_drawing(
    tmp_path: Path,
) -> None:
    sentences = open_search_encoder(sentence_folder(tmp_path))
    assert isinstance(sentences, SentenceEncoder) and sentences.search(PROMPTS).shape == (3, WIDTH)
    np.testing.assert_allclose(np.linalg.norm(sentences.search(PROMPTS), axis=1), 1, atol=1e-5)
    drawing = open_prompt_encoder(SHIPPED)
    assert isinstance(drawing, PromptEncoder)
    both = WithSearch(drawing, sentences)
    assert both.search_dim == WIDTH != drawing.search_dim and both.encoder_id == sentences.encoder_id
    np.testing.assert_array_equal(both.search(PROMPTS), sentences.search(PROMPTS))
    assert both.drawn_by is drawing and both.max_tokens == drawing.max_tokens
    assert both.count_tokens("빨간 원피스") == drawing.count_tokens("빨간 원피스")


def test_a_sentence_model_of_pickles_is_refused_with_the_conversion(tmp_path: Path) -> None:
    model = sentence_folder(tmp_path)
    for file in model.rglob("*.safetensors"):
        file.rename(file.with_name("pytorch_model.bin"))
    with pytest.raises(ValueError, match=r"SentenceTransformer\(FOLDER\)\.save"):
        open_search_encoder(model)
    shutil.rmtree(model)
    with pytest.raises(FileNotFoundError, match=r"modules\.json"):
        open_search_encoder(model)
