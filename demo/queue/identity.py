"""Who a worker process is: machine, process id and a random part; and whether such a process is known to be dead.

A machine is a boot of a kernel and a space of process ids (two containers of one host name are two machines). Only of a
process on this machine is anything known; of all others their leases tell.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import socket
from pathlib import Path


def new_identity() -> str:
    """A name that no other worker has or will have: `machine:pid:random`."""
    return f"{machine()}:{os.getpid()}:{secrets.token_hex(6)}"


def machine() -> str:
    """This machine's name; one that is never met again where the kernel does not tell which boot this is."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        space = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        boot, space = secrets.token_hex(8), ""
    host = socket.gethostname().replace(":", "-")
    return f"{host}-{hashlib.sha256(f'{host} {boot} {space}'.encode()).hexdigest()[:12]}"


def is_dead(identity: str) -> bool:
    """Whether the process of an identity certainly runs no more: it was on this machine, and is not there."""
    where, _, rest = identity.partition(":")
    pid = rest.partition(":")[0]
    if where != machine() or not pid.isdigit() or int(pid) == os.getpid():
        return False
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return True
    except (OSError, IndexError):
        return False
    return state in ("Z", "X")
