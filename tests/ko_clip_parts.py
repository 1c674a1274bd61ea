"""Tiny random parts for the tests of ko_clip: a CLIP, a U-Net with its scheduler, a table of pairs, a recipe."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    CLIPTextConfig,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    RobertaConfig,
    RobertaModel,
    XLMRobertaConfig,
    XLMRobertaModel,
)  # fmt: skip
from transformers.utils import logging as hub_logging

PAIRS = [
    (f"{ko} {thing_ko}", f"{en} {thing_en}")
    for ko, en in (("빨간", "red"), ("파란", "blue"), ("초록색", "green"), ("하얀", "white"), ("검은", "black"))
    for thing_ko, thing_en in (
        ("원피스", "dress"),
        ("모자", "hat"),
        ("치마", "skirt"),
        ("코트", "coat"),
        ("가방", "bag"),
    )
]


def make_clip(folder: Path, width: int = 32, seed: int = 0) -> Path:
    """A CLIPTextModelWithProjection folder with a byte-level tokenizer in it."""
    hub_logging.disable_progress_bar()
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    tokenizer = CLIPTokenizer(vocab={t: i for i, t in enumerate(tokens)}, merges=[], model_max_length=77)
    torch.manual_seed(seed)
    config = CLIPTextConfig(
        vocab_size=len(tokens), hidden_size=width, intermediate_size=2 * width, num_hidden_layers=2,
        num_attention_heads=2, max_position_embeddings=77, projection_dim=24, bos_token_id=len(tokens) - 2,
        eos_token_id=len(tokens) - 1, pad_token_id=len(tokens) - 1,
    )  # fmt: skip
    model = CLIPTextModelWithProjection(config)
    for parameter in model.parameters():
        if parameter.ndim > 1:
            parameter.data.mul_(4)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def make_unet(folder: Path, width: int = 32) -> tuple[Path, Path]:
    """A U-Net at 8×8 latents and a flow scheduler: (unet folder, scheduler folder)."""
    from diffusers import DPMSolverMultistepScheduler, UNet2DConditionModel

    torch.manual_seed(1)
    unet = UNet2DConditionModel(
        sample_size=8, in_channels=4, out_channels=4, block_out_channels=(8, 16), layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=width, attention_head_dim=4, norm_num_groups=4,
    )  # fmt: skip
    unet.save_pretrained(folder / "unet")
    DPMSolverMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, num_train_timesteps=1000
    ).save_pretrained(folder / "scheduler")
    return folder / "unet", folder / "scheduler"


def make_klue(folder: Path) -> Path:
    """klue/roberta's layout: RoBERTa's layers over BERT's word pieces, whose special tokens are [CLS] and [SEP].

    Its tokenizer cuts and pads by itself, as files of the hub often do.
    """
    words = sorted({word for pair in PAIRS for side in pair for word in side.split()})
    letters = sorted({letter for word in words for letter in word})
    names = ["[CLS]", "[PAD]", "[SEP]", "[UNK]", "[MASK]", *words, *letters, *(f"##{letter}" for letter in letters)]
    vocabulary = {name: i for i, name in enumerate(dict.fromkeys(names))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.enable_truncation(4)
    tokenizer.enable_padding(length=8, pad_id=1, pad_token="[PAD]")
    return _write_hub_encoder(folder, RobertaConfig, RobertaModel, tokenizer)


def make_xlm_roberta(folder: Path) -> Path:
    """XLM-R's layout: a Unigram model of sentencepiece, special tokens first."""
    pieces = sorted({f"▁{word}" for pair in PAIRS for side in pair for word in side.split()})
    names = ["<s>", "<pad>", "</s>", "<unk>", *pieces, "▁"]
    tokenizer = Tokenizer(models.Unigram([(name, -1.0 - i / 100) for i, name in enumerate(names)], unk_id=3))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing("<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    return _write_hub_encoder(folder, XLMRobertaConfig, XLMRobertaModel, tokenizer)


def make_sentence_teacher(folder: Path) -> Path:
    """A sentence-transformers model of random weights that gives 32 numbers."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

    hub = make_xlm_roberta(folder / "hub")
    names = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "cls_token": "<s>"}
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 32, **names}
    (hub / "tokenizer_config.json").write_text(json.dumps(settings), "utf-8")
    SentenceTransformer(modules=[Transformer(str(hub)), Pooling(32)], device="cpu").save(str(folder / "teacher"))
    return folder / "teacher"


def _write_hub_encoder(folder: Path, config: type, model: type, tokenizer: Tokenizer) -> Path:
    hub_logging.disable_progress_bar()
    torch.manual_seed(3)
    sizes = config(
        vocab_size=tokenizer.get_vocab_size(), hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=34, type_vocab_size=1,
        bos_token_id=0, pad_token_id=1, eos_token_id=2,
    )  # fmt: skip
    model(sizes).save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def write_pairs(path: Path, repeat: int = 1) -> Path:
    """A CSV of the pairs, each with a number in it so that repeats differ."""
    rows = [f"{ko} {i},{en} {i}" for i in range(repeat) for ko, en in PAIRS]
    path.write_text("ko,en\n" + "\n".join(rows) + "\n", "utf-8")
    return path


def write_recipe(path: Path, clip: Path, pairs: Path, run: Path, **more: object) -> Path:
    """A recipe of a tiny student; JSON is YAML."""
    recipe = {
        "teacher": str(clip), "corpus": str(pairs), "run": str(run),
        "student": {"embedding_size": 16, "width": 32, "layers": 1, "attention_heads": 2, "decoder_layers": 1},
        "tokenizer": {"korean_pieces": 80, "english_pieces": 80},
        "text": {"steps": 12, "batch": 8, "warmup": 2, "precision": "float32", "threads": 1, "evaluate_every": 6},
        **more,
    }  # fmt: skip
    path.write_text(json.dumps(recipe, ensure_ascii=False), "utf-8")
    return path


def facts(folder: Path) -> dict:
    """What a part says of its training."""
    return json.loads((folder / "training.json").read_text("utf-8"))


def metrics(run):
    """The run's rows of metrics."""
    return [json.loads(line) for line in (run / "log.jsonl").read_text("utf-8").splitlines()]
