"""What a refiner is rewarded for: the base's own pictures of every drawing style, and their styles with a gradient."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from diffusion.training.own_pictures import style_by_style
from diffusion.training.refiner import CELLS, TIME_IDS, build
from fashion.lexicon import STYLES
from fashion.pool import PicturePool
from fashion.scorer import Scorer, ScorerNetwork
from fashion.setting import FIELDS, SettingReader, features, picture_features


def test_every_style_is_refined_as_often(tmp_path: Path) -> None:
    pool = PicturePool(tmp_path, 256)
    chosen = style_by_style(pool, 4 * len(STYLES))
    assert len(set(chosen)) == len(chosen)
    assert set(Counter(pool.scene(index).style for index in chosen).values()) == {4}
    assert len(style_by_style(pool, 1000)) == 256, "fewer where the pool has fewer"


def test_a_setting_is_read_over_the_scorer_that_it_was_fitted_to(tmp_path: Path) -> None:
    pictures = np.random.default_rng(0).integers(0, 255, (2, 256, 256, 3), dtype=np.uint8)
    for architecture, name in (("reporting", "setting"), ("steering", "setting-steering")):
        torch.manual_seed(0)
        scorer = Scorer(ScorerNetwork(architecture))
        with pytest.raises(FileNotFoundError, match=f"{name}.safetensors .*--scorer {architecture} makes it"):
            SettingReader.load(tmp_path, scorer)
        rows = features(scorer, pictures)
        weights = {field: np.random.default_rng(1).standard_normal((rows.shape[1] + 1, len(words))).astype(np.float32)
                   for field, words in FIELDS.items()}  # fmt: skip
        save_file(weights, tmp_path / f"{name}.safetensors")
        reader = SettingReader.load(tmp_path, scorer)
        shown = torch.from_numpy(pictures).permute(0, 3, 1, 2).float().div(127.5).sub(1).requires_grad_()
        logits = reader.logits(shown)
        named = ([words[place] for place in logits[field].argmax(1)] for field, words in FIELDS.items())
        assert list(zip(*named, strict=True)) == reader.read(pictures)
        logits["style"].sum().backward()
        assert shown.grad is not None and shown.grad.abs().sum() > 0
        assert torch.allclose(picture_features(scorer.network, shown), torch.from_numpy(rows), atol=1e-4)


def test_one_refiner_shape_serves_both_autoencoders() -> None:
    assert CELLS == 64  # 256 px over factor 4, 512 px over factor 8
    unet = build(16, 32, 24)
    assert unet.config["sample_size"] == CELLS
    added = {"text_embeds": torch.zeros(1, 24), "time_ids": torch.zeros(1, TIME_IDS)}
    out = unet(torch.zeros(1, 16, CELLS, CELLS), 10, torch.zeros(1, 77, 32), added_cond_kwargs=added).sample
    assert out.shape == (1, 16, CELLS, CELLS)
