#!/bin/sh
# peft 0.21.2, torch 2.13.0: a model that answers with its adapter merged, and is unmerged before `backward()`, has gradients
# of the base's weights, without an error or a warning.
#
# Behaviour: torch raises an error where a weight was changed in place between forward and backward, since it counts the
# changes. `merge_adapter` and `unmerge_adapter` change `weight.data`, which torch does not count: the backward pass reads
# what stands there by then. The loss is right; the gradient to the input, and so to all that lies before the layer
# (latents that are guided, an embedding that is learnt, an earlier trainable layer), is that of other weights.
# What to do: unmerge after `backward()`, or call with other weights by `torch.func.functional_call`, which keeps them
# for the backward pass.
#
# Installs peft 0.21.2, torch 2.13.0 and what they need into a temporary folder; uses nothing of this repository.
# Output seen, November 2026:
#   loss, apart: 0.1606
#   loss, unmerged before backward: 0.1606
#   gradient, merged until backward ended: as apart
#   gradient, unmerged before backward: other
#   gradient of the base's weights: the same other
#   torch, a weight changed in place: error
# Fails (exit 1) where that changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6 peft==0.21.2 transformers==5.23.0
cat > "$folder/script.py" <<'PYTHON'
import torch
from peft import LoraConfig, get_peft_model
from torch import nn

CONFIG = LoraConfig(r=2, lora_alpha=2, target_modules=["1"], init_lora_weights=False)


def trained():
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False))
    return get_peft_model(layers, CONFIG)


def learnt(merged, unmerged_early):
    model, x = trained(), torch.ones(1, 4, requires_grad=True)
    if merged:
        model.merge_adapter()
    answer = model(x)
    loss = answer.square().sum()
    if unmerged_early:
        model.unmerge_adapter()
    loss.backward()
    return loss.item(), x.grad, answer.detach()


loss, apart, answer = learnt(False, False)
_, late, _ = learnt(True, False)
early_loss, early, _ = learnt(True, True)
base = trained()
first, second = (base.base_model.model[i] for i in range(2))
by_base = 2 * answer @ second.base_layer.weight.detach() @ first.weight.detach()
print(f"loss, apart: {loss:.4f}")
print(f"loss, unmerged before backward: {early_loss:.4f}")
print("gradient, merged until backward ended:", "as apart" if torch.allclose(late, apart, atol=1e-6) else "other")
print("gradient, unmerged before backward:", "as apart" if torch.allclose(early, apart, atol=1e-3) else "other")
same = torch.allclose(early, by_base, atol=1e-5)
print("gradient of the base's weights:", "the same other" if same else "yet another")

linear, x = nn.Linear(4, 4, bias=False), torch.ones(1, 4, requires_grad=True)
loss = linear(x).square().sum()
with torch.no_grad():
    linear.weight.add_(1.0)
try:
    loss.backward()
    said = "no error"
except RuntimeError:
    said = "error"
print(f"torch, a weight changed in place: {said}")
PYTHON
cd "$folder"
export HF_HOME="$folder/none" OMP_NUM_THREADS=1
"$folder/venv/bin/python" script.py 2>/dev/null | tee seen
cmp -s - seen <<'SEEN' || {
loss, apart: 0.1606
loss, unmerged before backward: 0.1606
gradient, merged until backward ended: as apart
gradient, unmerged before backward: other
gradient of the base's weights: the same other
torch, a weight changed in place: error
SEEN
  echo "the behaviour has changed" >&2
  exit 1
}
