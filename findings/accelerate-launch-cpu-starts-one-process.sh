#!/bin/sh
# accelerate 1.15.0, torch 2.13.0, a machine without a GPU: `accelerate launch --cpu --num_processes 2` runs the script in one
# process, without a word, and `--multi_gpu --num_processes 2` runs it in two, on the CPU.
#
# Behaviour: with --cpu (or with neither) the number of processes is left aside: it is asked of MPI, and without mpirun the
# script is simply started. The script sees num_processes 1, so it trains on, with half of the batch that was meant. The
# option named after GPUs goes through torchrun, and each process then says MULTI_CPU. `torchrun --nproc-per-node 2` does as
# well.
# What to do: on CPUs start by torchrun, and let a training refuse to go on where it has fewer processes than it was meant to.
#
# Installs accelerate 1.15.0 and torch 2.13.0 into a temporary folder; uses nothing of this repository.
# Output seen, November 2026:
#   --cpu --num_processes 2: 1 × 1 of NO
#   --num_processes 2: 1 × 1 of NO
#   --multi_gpu --num_processes 2: 2 × 2 of MULTI_CPU
#   torchrun --nproc-per-node 2: 2 × 2 of MULTI_CPU
# Fails (exit 1) where that changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6 accelerate==1.15.0
cat > "$folder/script.py" <<'PYTHON'
from accelerate import Accelerator

here = Accelerator(cpu=True)
print(f"seen {here.num_processes} {here.distributed_type.value}", flush=True)
PYTHON
cd "$folder"
export CUDA_VISIBLE_DEVICES= OMP_NUM_THREADS=1 HF_HOME="$folder/none"  # no configuration of this machine
failed=
check() {
  wanted=$1 name=$2
  shift 2
  seen=$("$@" 2>/dev/null | grep '^seen' | sort | uniq -c | awk '{ print $1 " × " $3 " of " $4 }' || true)
  echo "$name: $seen"
  [ "$seen" = "$wanted" ] || failed=1
}
launch="$folder/venv/bin/accelerate launch"
check "1 × 1 of NO" "--cpu --num_processes 2" $launch --cpu --num_processes 2 script.py
check "1 × 1 of NO" "--num_processes 2" $launch --num_processes 2 script.py
check "2 × 2 of MULTI_CPU" "--multi_gpu --num_processes 2" $launch --multi_gpu --num_processes 2 script.py
check "2 × 2 of MULTI_CPU" "torchrun --nproc-per-node 2" "$folder/venv/bin/torchrun" --nproc-per-node 2 script.py
[ -z "$failed" ] || { echo "the behaviour has changed" >&2; exit 1; }
