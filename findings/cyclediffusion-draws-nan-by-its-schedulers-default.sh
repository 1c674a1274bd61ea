#!/bin/sh
# diffusers 0.42.1: CycleDiffusion over a DDIM scheduler of its defaults draws nothing but NaN.
#
# Behaviour: the pipeline recovers the noise of every step of the source picture by dividing by eta * sqrt(variance). With
# set_alpha_to_one=True, which is DDIMScheduler's own default, the variance of the last step is exactly 0, and so is what is
# divided: 0 / 0. The noise is NaN, the picture too, and neither an error nor a warning says so; as a file it is black. With
# False, as the configuration of Stable Diffusion 1 has it, the same call draws. Any eta above 0 does the same.
# What to do: build the scheduler with set_alpha_to_one=False, and look at what comes back before it is shown.
#
# Installs diffusers 0.42.1, transformers 5.23.0 and torch 2.13.0 into a temporary folder; networks are tiny, their weights
# random; uses nothing of this repository.
# Output seen, November 2026:
#   DDIMScheduler's default of set_alpha_to_one: True
#   set_alpha_to_one=False: 0 % of the picture is NaN
#   set_alpha_to_one=True: 100 % of the picture is NaN
# Fails (exit 1) where that changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  torch==2.13.0 numpy==2.4.6 diffusers==0.42.1 transformers==5.23.0 pillow==12.3.0
cat > "$folder/check.py" <<'PYTHON'
import inspect
import sys
import types
import warnings

import numpy as np
import torch
from diffusers import AutoencoderKL, CycleDiffusionPipeline, DDIMScheduler, UNet2DConditionModel
from PIL import Image
from transformers import CLIPTextConfig, CLIPTextModel

warnings.filterwarnings("ignore")
torch.manual_seed(0)
UNET = UNet2DConditionModel(
    sample_size=8, in_channels=4, out_channels=4, block_out_channels=(8, 16), layers_per_block=1, cross_attention_dim=8,
    down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
    norm_num_groups=4, attention_head_dim=4,
)
VAE = AutoencoderKL(
    block_out_channels=(8, 16), down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
    latent_channels=4, norm_num_groups=4, sample_size=16,
)
TEXT = CLIPTextModel(CLIPTextConfig(
    vocab_size=10, hidden_size=8, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
    max_position_embeddings=8, bos_token_id=8, eos_token_id=9, pad_token_id=9,
))


class Words:
    """A tokenizer of one word a text."""

    model_max_length, added_tokens_encoder = 8, {}

    def tokenize(self, text):
        return text.split()

    def __call__(self, texts, **_):
        texts = [texts] if isinstance(texts, str) else texts
        ids = torch.tensor([[8, 1 + len(text) % 6] + [9] * 6 for text in texts])
        return types.SimpleNamespace(input_ids=ids, attention_mask=torch.ones_like(ids))


def share_of_nan(set_alpha_to_one):
    scheduler = DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False,
        set_alpha_to_one=set_alpha_to_one,
    )
    pipeline = CycleDiffusionPipeline(
        vae=VAE, text_encoder=TEXT, tokenizer=Words(), unet=UNET, scheduler=scheduler, safety_checker=None,
        feature_extractor=None, requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    picture = Image.fromarray((np.random.RandomState(0).rand(16, 16, 3) * 255).astype("uint8"))
    drawn = pipeline(
        prompt="a dress", source_prompt="a coat", image=picture, num_inference_steps=10, eta=0.1, strength=0.8,
        guidance_scale=2.0, generator=torch.Generator().manual_seed(1), output_type="np",
    ).images
    return float(np.isnan(drawn).mean())


default = inspect.signature(DDIMScheduler.__init__).parameters["set_alpha_to_one"].default
print(f"DDIMScheduler's default of set_alpha_to_one: {default}")
seen = {each: share_of_nan(each) for each in (False, True)}
for each, share in seen.items():
    print(f"set_alpha_to_one={each}: {share:.0%} of the picture is NaN".replace("%", " %"))
if default is not True or seen != {False: 0.0, True: 1.0}:
    sys.exit("the behaviour has changed")
PYTHON
HF_HUB_OFFLINE=1 "$folder/venv/bin/python" "$folder/check.py" 2>/dev/null
