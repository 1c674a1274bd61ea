#!/bin/sh
# peft 0.21.2, torch 2.13.0: an adapter whose `alpha_pattern` (or `rank_pattern`) has two patterns for one layer answers
# otherwise after `save_pretrained` and `from_pretrained`, without an error or a warning.
#
# Behaviour: of the patterns that fit a layer's name the first one counts, in the order of the dictionary. A pattern without an
# anchor fits every name that ends in it, so "mid.to_q" and "to_q" both fit mid.to_q. `adapter_config.json` is written with its
# keys sorted, patterns included: what was second may be first after loading. For ranks the same change of order asks for
# tensors of another shape, and loading raises an error; for alphas it only scales the update.
# What to do: write patterns of which one alone fits a layer ("^mid\\.to_q"), or one entry a layer; who reads files of others takes
# the sorted order, since that is what peft itself draws with from then on.
#
# Installs peft 0.21.2, torch 2.13.0 and what they need into a temporary folder; uses nothing of this repository.
# Output seen, November 2026:
#   scale as trained: 4.0
#   scale as loaded: 1.0
#   same answer: False
# Fails (exit 1) where that changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6 peft==0.21.2 transformers==5.23.0
cat > "$folder/script.py" <<'PYTHON'
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import nn


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.to_q = nn.Linear(8, 8)

    def forward(self, x):
        return self.to_q(x)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.down, self.mid = Block(), Block()

    def forward(self, x):
        return self.mid(self.down(x))


def scale(model):
    return model.base_model.model.mid.to_q.scaling["default"]


torch.manual_seed(0)
base = Model()
state = {name: value.clone() for name, value in base.state_dict().items()}
config = LoraConfig(
    r=4, lora_alpha=4, target_modules=["to_q"], init_lora_weights=False,
    alpha_pattern={"to_q": 16, "mid.to_q": 4},
)
trained = get_peft_model(base, config)
x = torch.randn(2, 8)
before, trained_scale = trained(x), scale(trained)
trained.save_pretrained("adapter")
again = Model()
again.load_state_dict(state)
loaded = PeftModel.from_pretrained(again, "adapter")
same = torch.allclose(before, loaded(x), atol=1e-5)
print(f"scale as trained: {trained_scale}")
print(f"scale as loaded: {scale(loaded)}")
print(f"same answer: {same}")
PYTHON
cd "$folder"
export HF_HOME="$folder/none" OMP_NUM_THREADS=1
"$folder/venv/bin/python" script.py 2>/dev/null | tee seen
printf 'scale as trained: 4.0\nscale as loaded: 1.0\nsame answer: False\n' | cmp -s - seen || {
  echo "the behaviour has changed" >&2
  exit 1
}
