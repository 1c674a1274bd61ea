#!/bin/sh
# OpenVINO 2026.4.1: with CACHE_DIR, a model that is compiled from its path keeps the weights of yesterday's .bin as long as the
# .xml beside it has the same size and date.
#
# Behaviour: compile_model("model.xml") finds its cached blob by the path, size and date (in seconds) of the .xml, and the options;
# the .bin, in which every weight lies, is not looked at. A network that was trained further is exported with the same .xml,
# byte for byte, and another .bin, and whatever copies only what differs (git, rsync by checksum), or gives all files one date
# (reproducible archives and images, with the cache in a volume), leaves the .xml as it was. From then on the answers are those
# of the old weights, in new processes as well, without an error or a warning; after a touch of the .xml they are right. The same
# model by read_model and then compile_model is looked up by its contents, weights included, and answers with the new ones.
# What to do: compile what read_model gave, or have a folder of the cache for each release; compiled_model.get_property(
# "LOADED_FROM_CACHE") says whether a model was compiled or found.
#
# Installs openvino 2026.4.1 into a temporary folder; uses nothing of this repository. The network is one multiplication by a
# constant; every answer is from a process of its own.
# Output seen, November 2026:
#   the .xml of both exports: the same bytes
#   by path, first weights: 1, compiled
#   by path, .bin replaced: 1, from the cache
#   read_model, .bin replaced: 3, compiled
#   without CACHE_DIR, .bin replaced: 3, compiled
#   by path, .xml touched: 3, compiled
#   by path, exported again, .xml of the same date: 3, from the cache (the weights are 5)
# Fails (exit 1) where that changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check openvino==2026.4.1 numpy==2.4.6
cat > "$folder/export.py" <<'PYTHON'
import sys

sys.modules["openvino_telemetry"] = None  # it would report each import

import numpy as np
import openvino as ov
from openvino import opset13

path, weight = sys.argv[1], float(sys.argv[2])
given = opset13.parameter([1, 4], np.float32, name="given")
weights = opset13.constant(np.full((4, 1), weight, np.float32), name="weights")
ov.save_model(ov.Model([opset13.matmul(given, weights, False, False)], [given], "network"), path, compress_to_fp16=False)
PYTHON
cat > "$folder/answer.py" <<'PYTHON'
import sys

sys.modules["openvino_telemetry"] = None

import numpy as np
import openvino as ov

way, path = sys.argv[1:]
core = ov.Core()
if way != "uncached":
    core.set_property({"CACHE_DIR": "cache"})
compiled = core.compile_model(core.read_model(path) if way == "read" else path, "CPU")
answer = float(compiled(np.full((1, 4), 0.25, np.float32))[0].item())
cached = way != "uncached" and compiled.get_property("LOADED_FROM_CACHE")
print(f"{answer:g}, {'from the cache' if cached else 'compiled'}")
PYTHON
cd "$folder"
python=$folder/venv/bin/python
answer() { "$python" answer.py "$@"; }
mkdir first second
"$python" export.py first/model.xml 1
"$python" export.py second/model.xml 3
{
  if cmp -s first/model.xml second/model.xml; then same=same; else same=other; fi
  echo "the .xml of both exports: the $same bytes"
  echo "by path, first weights: $(answer path first/model.xml)"
  cp second/model.bin first/model.bin
  echo "by path, .bin replaced: $(answer path first/model.xml)"
  echo "read_model, .bin replaced: $(answer read first/model.xml)"
  echo "without CACHE_DIR, .bin replaced: $(answer uncached first/model.xml)"
  touch -d 2026-01-01T00:00:00Z first/model.xml
  echo "by path, .xml touched: $(answer path first/model.xml)"
  "$python" export.py first/model.xml 5
  touch -d 2026-01-01T00:00:00Z first/model.xml
  echo "by path, exported again, .xml of the same date: $(answer path first/model.xml) (the weights are 5)"
} | tee seen
cmp -s - seen <<'SEEN' || {
the .xml of both exports: the same bytes
by path, first weights: 1, compiled
by path, .bin replaced: 1, from the cache
read_model, .bin replaced: 3, compiled
without CACHE_DIR, .bin replaced: 3, compiled
by path, .xml touched: 3, compiled
by path, exported again, .xml of the same date: 3, from the cache (the weights are 5)
SEEN
  echo "the behaviour has changed" >&2
  exit 1
}
