#!/bin/sh
# What one GPU does with Stable Diffusion's full size (SD 1.5 + SDXL refiner, 512 to 1024, hollow weights), in at most 8 minutes:
#   sh benchmarks/gpu.sh [python]
# plain (goal: one picture in 1 s) and low-memory (2.6 GB in 8 s), with SDPA, then with xformers where its operator runs.
# Without a GPU it says so and ends with 0, so that it can stand in a list of commands for any machine.
set -eu
cd "$(dirname "$0")/.."
python=${1:-.venv/bin/python}
if ! "$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then
    echo "no GPU is at hand (torch.cuda.is_available() is False): nothing was measured"
    exit 0
fi
"$python" -c 'import torch; print(torch.__version__, torch.version.cuda, torch.cuda.get_device_name())'
"$python" -c 'import importlib.metadata as m; print("xformers", m.version("xformers"))' 2>/dev/null || echo "xformers is not installed"
timeout 230 "$python" -m benchmarks.pipeline --full --attention sdpa || echo "SDPA: not measured (status $?; 124: longer than 230 s)"
timeout 230 "$python" -m benchmarks.pipeline --full --attention xformers || echo "xformers: not measured (status $?; the error is above)"
