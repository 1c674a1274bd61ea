#!/bin/sh
# LyCORIS 4.1.3: a LoHa layer draws with alpha / rank and merges with its square.
#
# Behaviour: LohaModule.get_weight multiplies by alpha / rank, and get_diff_weight, on which get_merged_weight and merge_to
# are built, multiplies its result by alpha / rank again. With rank 8 and alpha 4 a trained style is merged at half its
# strength; with alpha = rank nothing is to be seen. LoCon (tested beside it) merges what it draws with.
# What a reader of such files must do: take the forward pass, which training saw, for the meaning of the file.
#
# Installs lycoris-lora 4.1.3 and torch 2.13.0 into a temporary folder; uses nothing of this repository.
# Output seen, November 2026:
#   LoConModule: merging adds 1.000 times what drawing adds
#   LohaModule: merging adds 0.500 times what drawing adds
# Fails (exit 1) where that changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6 lycoris-lora==4.1.3
cat > "$folder/check.py" <<'PYTHON'
import sys

import torch
from lycoris.modules.locon import LoConModule
from lycoris.modules.loha import LohaModule

seen = {}
for kind in (LoConModule, LohaModule):
    torch.manual_seed(0)
    layer = torch.nn.Linear(32, 32, bias=False)
    style = kind("style", layer, lora_dim=8, alpha=4)
    for parameter in style.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    with torch.no_grad():
        drawn = style(torch.eye(32)).T - layer.weight
        merged = style.get_merged_weight()[0] - layer.weight
    seen[kind.__name__] = float((merged * drawn).sum() / drawn.square().sum())
    print(f"{kind.__name__}: merging adds {seen[kind.__name__]:.3f} times what drawing adds")
expected = {"LoConModule": 1.0, "LohaModule": 0.5}
if any(abs(seen[name] - ratio) > 1e-4 for name, ratio in expected.items()):
    sys.exit(f"the behaviour has changed: expected {expected}")
PYTHON
"$folder/venv/bin/python" "$folder/check.py"
