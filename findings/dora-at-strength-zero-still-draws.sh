#!/bin/sh
# LyCORIS 4.1.3 and PEFT 0.21.2: a DoRA style whose strength is 0 still changes the layer, in each library in another way.
#
# Behaviour: DoRA is m * (W + D) / |W + D|. LyCORIS leaves D whole and interpolates the norm alone, so at multiplier 0 a
# layer draws with W + D, the change that was never normalised: here further from W than at multiplier 1. PEFT scales D
# inside the norm, so at scale 0 a layer draws with m * W / |W|. Both merge what they draw with. Plain LoRA (tested beside
# them) gives W back at 0.
# What a program with a strength slider must do: scale the whole difference to W itself; neither library's number is a strength.
#
# Installs lycoris-lora 4.1.3, peft 0.21.2 and torch 2.13.0 into a temporary folder; uses nothing of this repository.
# Output seen, November 2026 (distance from the layer's own weight, as a share of it):
#   LyCORIS LoRA: 1.509 at 1, 0.754 at 0.5, 0.000 at 0
#   LyCORIS DoRA: 1.193 at 1, 1.335 at 0.5, 1.509 at 0; at 0 it is W + D: True
#   PEFT LoRA: 0.738 at 1, 0.369 at 0.5, 0.000 at 0
#   PEFT DoRA: 0.866 at 1, 0.643 at 0.5, 0.500 at 0; at 0 it is m * W / |W|: True
# Fails (exit 1) where that changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6 lycoris-lora==4.1.3 peft==0.21.2
cat > "$folder/check.py" <<'PYTHON'
import sys

import torch
from lycoris.modules.locon import LoConModule
from peft import LoraConfig, get_peft_model

STRENGTHS = (1.0, 0.5, 0.0)


def distances(name, weight, draw):
    drawn = {strength: draw(strength) for strength in STRENGTHS}
    seen = [float((drawn[strength] - weight).norm() / weight.norm()) for strength in STRENGTHS]
    print(f"{name}: " + ", ".join(f"{far:.3f} at {at:g}" for far, at in zip(seen, STRENGTHS)), end="")
    return seen, drawn[0.0]


def lycoris(name, dora):
    torch.manual_seed(0)
    layer = torch.nn.Linear(16, 16, bias=False)
    style = LoConModule("style", layer, lora_dim=4, alpha=4, weight_decompose=dora, wd_on_out=True)
    torch.nn.init.normal_(style.lora_down.weight, std=0.3)
    torch.nn.init.normal_(style.lora_up.weight, std=0.3)
    if dora:
        style.dora_scale.data *= 1.5  # as if it had been trained

    def draw(strength):
        style.multiplier = strength
        drawn = style(torch.eye(16)).T
        assert torch.allclose(style.get_merged_weight(strength)[0], drawn, atol=1e-5)
        return drawn

    seen, off = distances(name, layer.weight, draw)
    whole = layer.weight + style.lora_up.weight @ style.lora_down.weight
    return seen, torch.allclose(off, whole, atol=1e-5)


def peft(name, dora):
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(16, 16, bias=False))
    weight = net[0].weight.detach().clone()
    model = get_peft_model(net, LoraConfig(r=4, lora_alpha=4, target_modules=["0"], use_dora=dora))
    layer = model.base_model.model[0]
    torch.nn.init.normal_(layer.lora_B["default"].weight, std=0.3)
    if dora:
        layer.lora_magnitude_vector["default"].weight.data *= 1.5

    def draw(strength):
        layer.set_scale("default", strength)
        drawn = model(torch.eye(16)).T
        layer.merge()
        assert torch.allclose(layer.weight, drawn, atol=1e-5)
        layer.unmerge()
        return drawn

    seen, off = distances(name, weight, draw)
    return seen, torch.allclose(off, 1.5 * weight, atol=1e-5)  # |W| cancels: m began as |W|


with torch.no_grad():
    lora, _ = lycoris("LyCORIS LoRA", False)
    print()
    dora, whole = lycoris("LyCORIS DoRA", True)
    print(f"; at 0 it is W + D: {whole}")
    plain, _ = peft("PEFT LoRA", False)
    print()
    scaled, normed = peft("PEFT DoRA", True)
    print(f"; at 0 it is m * W / |W|: {normed}")
off = lora[2] < 1e-6 and plain[2] < 1e-6
if not (off and whole and normed and dora[2] > dora[0] and abs(scaled[2] - 0.5) < 1e-4):
    sys.exit("the behaviour has changed")
PYTHON
"$folder/venv/bin/python" "$folder/check.py"
