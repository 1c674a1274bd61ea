#!/bin/sh
# OpenVINO 2026.4.1: `import openvino` and every conversion report to Google Analytics, from a forked process, unasked.
#
# Behaviour: the wheel depends on openvino-telemetry 2025.2.0, and initialises it with enable_opt_in_dialog=False: where no
# choice was ever made (a new home folder) that counts as consent. The import writes ~/intel/openvino_ga_cid, an id of the
# machine's user, starts a thread, and that forks the process to send one event. A fork is a copy of everything that the
# importing process holds, taken while other threads run. A conversion (convert_model) sends the model's framework and
# parameters likewise. Without openvino_telemetry the package has a stub and works as well.
# What whoever ships it must do: `sys.modules.setdefault("openvino_telemetry", None)` before the import
# (diffusion/openvino_graphs.py does), or run `opt_in_out --opt_out` for every user.
#
# Installs openvino 2026.4.1 into a temporary folder; uses nothing of this repository. Nothing leaves the machine: a proxy
# of its own, on loopback, hangs up on whoever asks.
# Output seen, November 2026:
#   import openvino: asked the proxy for www.google-analytics.com:443, from 1 forked process; wrote intel/openvino_ga_cid,
#   intel/stats
#   the same without openvino_telemetry: asked for nothing, from 0 forked processes; wrote nothing
# Fails (exit 1) where that changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check openvino==2026.4.1 openvino-telemetry==2025.2.0
cat > "$folder/check.py" <<'PYTHON'
import os
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

IMPORT = """
import multiprocessing.process, sys, time
forked, start = [], multiprocessing.process.BaseProcess.start
multiprocessing.process.BaseProcess.start = lambda self: (forked.append(1), start(self))
if sys.argv[1] == "without":
    sys.modules["openvino_telemetry"] = None
import openvino
time.sleep(4)
print(len(forked))
"""


def imported(how):
    """Return the hosts asked for, the number of forks, and the files written, of an import in a home folder of its own."""
    asked, proxy = [], socket.create_server(("127.0.0.1", 0))

    def listen():
        while True:
            try:
                connection, _ = proxy.accept()
            except OSError:
                return
            with connection:
                asked.append(connection.recv(4096).split(b" ")[1].decode())

    threading.Thread(target=listen, daemon=True).start()
    with tempfile.TemporaryDirectory() as home:
        address = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        environment = {"PATH": os.environ["PATH"], "HOME": home, "https_proxy": address, "HTTPS_PROXY": address}
        command = [sys.executable, "-c", IMPORT, how]
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        written = sorted(str(path.relative_to(home)) for path in Path(home).rglob("*") if path.is_file())
    proxy.close()
    return sorted(set(asked)), int(ran.stdout), written


def say(what, found):
    hosts, forks, written = found
    processes = f"{forks} forked process" + ("" if forks == 1 else "es")
    host = f"the proxy for {', '.join(hosts)}" if hosts else "for nothing"
    print(f"{what}: asked {host}, from {processes}; wrote {', '.join(written) or 'nothing'}")


usual, without = imported("usual"), imported("without")
say("import openvino", usual)
say("the same without openvino_telemetry", without)
if usual[0] != ["www.google-analytics.com:443"] or usual[1] < 1 or without != ([], 0, []):
    sys.exit("the behaviour has changed")
PYTHON
"$folder/venv/bin/python" "$folder/check.py"
