#!/bin/sh
# diffusers 0.42.1: add_noise of the DPM-Solver, UniPC and DEIS schedulers adds the noise of another time than it is asked for,
# in another way before set_timesteps, after it and after a picture was edited.
#
# Behaviour: these schedulers look a time up in their timesteps and take the sigma of the same place. In a new one the times fall
# and the sigmas rise: 900 of 1000 gets the noise of 99, 100 that of 899, so whoever trains with it (as one does with
# DDPMScheduler, which has the same method) trains backwards. After set_timesteps both fall, but a time that is not one of the
# steps counts as the last of them, here 100, with the least noise. A pipeline that edits (img2img, inpainting) calls
# set_begin_index; from then on add_noise does not look at the times at all and takes the sigma of the step where the pipeline
# stands, which after its last is the end: no noise (DEIS: next to none), for every time and every row of a batch, until the next
# set_timesteps. None of the three raises an error or warns. Euler, Heun and LMS are right when new, raise an IndexError in the
# second case and add nothing in the third.
# What to do: add noise by DDPMScheduler.from_config(scheduler.config), which keeps no place, and leave the other to the pipeline.
#
# Installs diffusers 0.42.1, transformers 5.23.0 and torch 2.13.0 into a temporary folder; networks are tiny, their weights
# random; uses nothing of this repository.
# Output seen, November 2026 (share of noise at the times 900 and 100):
#   DDPMScheduler: new 1.000 0.324, after set_timesteps 1.000 0.324, after img2img 1.000 0.324
#   DPMSolverMultistepScheduler: new 0.321 1.000, after set_timesteps 0.324 0.324, after img2img 0.000 0.000
#   UniPCMultistepScheduler: new 0.321 1.000, after set_timesteps 0.324 0.324, after img2img 0.000 0.000
#   DEISMultistepScheduler: new 0.321 1.000, after set_timesteps 0.324 0.324, after img2img 0.010 0.010
# Fails (exit 1) where that changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  torch==2.13.0 numpy==2.4.6 diffusers==0.42.1 transformers==5.23.0 pillow==12.3.0
cat > "$folder/script.py" <<'PYTHON'
import torch
from diffusers import (
    AutoencoderKL,
    DDPMScheduler,
    DEISMultistepScheduler,
    DPMSolverMultistepScheduler,
    StableDiffusionImg2ImgPipeline,
    UNet2DConditionModel,
    UniPCMultistepScheduler,
)

torch.manual_seed(0)
UNET = UNet2DConditionModel(
    sample_size=8, in_channels=4, out_channels=4, block_out_channels=(8, 16), layers_per_block=1, cross_attention_dim=8,
    down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
    norm_num_groups=4, attention_head_dim=4,
)
VAE = AutoencoderKL(block_out_channels=(8,), norm_num_groups=4, latent_channels=4)
NOISE = torch.randn(2, 4, 8, 8)


def shares(scheduler):
    """Return how much of the noise is in two empty latents, the first noised at 900, the second at 100."""
    noisy = scheduler.add_noise(torch.zeros_like(NOISE), NOISE, torch.tensor([900, 100]))
    return " ".join(f"{float((one * noise).sum() / noise.square().sum()):.3f}" for one, noise in zip(noisy, NOISE))


def edit(scheduler):
    pipeline = StableDiffusionImg2ImgPipeline(VAE, None, None, UNET, scheduler, None, None, requires_safety_checker=False)
    pipeline.set_progress_bar_config(disable=True)
    pipeline(
        image=torch.rand(1, 3, 8, 8), strength=0.5, num_inference_steps=10, output_type="latent",
        prompt_embeds=torch.randn(1, 4, 8), negative_prompt_embeds=torch.randn(1, 4, 8),
    )


for kind in (DDPMScheduler, DPMSolverMultistepScheduler, UniPCMultistepScheduler, DEISMultistepScheduler):
    scheduler = kind()
    print(f"{kind.__name__}: new {shares(scheduler)}", end="")
    scheduler.set_timesteps(10)
    print(f", after set_timesteps {shares(scheduler)}", end="")
    edit(scheduler)
    print(f", after img2img {shares(scheduler)}")
PYTHON
cd "$folder"
export HF_HOME="$folder/none" OMP_NUM_THREADS=1
"$folder/venv/bin/python" -W ignore script.py 2>/dev/null | tee seen
cmp -s - seen <<'SEEN' || {
DDPMScheduler: new 1.000 0.324, after set_timesteps 1.000 0.324, after img2img 1.000 0.324
DPMSolverMultistepScheduler: new 0.321 1.000, after set_timesteps 0.324 0.324, after img2img 0.000 0.000
UniPCMultistepScheduler: new 0.321 1.000, after set_timesteps 0.324 0.324, after img2img 0.000 0.000
DEISMultistepScheduler: new 0.321 1.000, after set_timesteps 0.324 0.324, after img2img 0.010 0.010
SEEN
  echo "the behaviour has changed" >&2
  exit 1
}
