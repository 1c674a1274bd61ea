#!/bin/sh
# bitsandbytes 0.50.2: `import bitsandbytes` fetches compiled code from the hub and loads it, on a CPU with AVX512-BF16.
#
# Behaviour: where the package `kernels` is installed, the import itself calls get_kernel("kernels-community/
# quantization-bitsandbytes", version=1), which downloads a shared library and loads it into the process: before anything
# is quantized, and with no way to say no. Where it is not installed, every import writes a warning to stderr. diffusers
# 0.42.1 imports bitsandbytes wherever it is installed (from diffusers import UNet2DConditionModel), so whoever draws in
# plain bfloat16 gets both, and torch's inductor with it (2.2 s of processor time more, measured once, on two cores).
# What whoever ships it must do: not install `kernels` beside it, or set HF_HUB_OFFLINE=1; install bitsandbytes only where
# it is used.
#
# Installs bitsandbytes 0.50.2 and torch 2.13.0 into a temporary folder; uses nothing of this repository. Nothing is
# fetched: a `kernels` of its own notes what it is asked for.
# Output seen, November 2026, on a CPU with AVX512-BF16:
#   import bitsandbytes: asked for kernels-community/quantization-bitsandbytes, version 1
#   without kernels: wrote a warning
# Fails (exit 1) where that changes. Elsewhere the import asks for nothing, and the script says so.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6 bitsandbytes==0.50.2
mkdir "$folder/stand-in"
cat > "$folder/stand-in/kernels.py" <<'PYTHON'
def get_kernel(name, **how):
    print("asked for", name, *(f"{key} {value}" for key, value in how.items()), sep=", ")
    raise OSError("nothing is fetched here")
PYTHON
cat > "$folder/check.py" <<'PYTHON'
import os
import subprocess
import sys

import torch

if not torch.cpu.get_capabilities().get("avx512_bf16", False):
    print("this CPU has no AVX512-BF16: the import asks for nothing")
    sys.exit()
command = [sys.executable, "-c", "import bitsandbytes"]
usual = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
asked = subprocess.run(command, env=usual | {"PYTHONPATH": sys.argv[1]}, capture_output=True, text=True, check=True)
without = subprocess.run(command, env=usual, capture_output=True, text=True, check=True)
print("import bitsandbytes:", asked.stdout.strip().replace("for, ", "for ") or "asked for nothing")
print("without kernels:", "wrote a warning" if "Failed to load CPU gemm_4bit_forward" in without.stderr else "silent")
if "kernels-community/quantization-bitsandbytes" not in asked.stdout or "Failed to load" not in without.stderr:
    sys.exit("the behaviour has changed")
PYTHON
"$folder/venv/bin/python" "$folder/check.py" "$folder/stand-in"
