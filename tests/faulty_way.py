"""A way to a server on which things go wrong when they are asked to."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time


class FaultyWay:
    """A TCP proxy in front of a server, whose `mode` is pass, refuse, unavailable (503), cut or slow."""

    def __init__(self, port: int) -> None:
        self._to, self.mode = port, "pass"
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            if self.mode == "refuse":
                return
            if self.mode == "unavailable":
                client.recv(65536)
                client.sendall(b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                return
            with socket.create_connection(("127.0.0.1", self._to)) as server:
                self._pump(client, server)

    def _pump(self, client: socket.socket, server: socket.socket) -> None:
        passed = 0
        while self.mode in ("pass", "cut", "slow"):
            readable = select.select([client, server], [], [], 0.2)[0]
            for source in readable:
                data = source.recv(65536)
                if not data:
                    return
                if self.mode == "slow":
                    time.sleep(3.0)
                passed += len(data)
                (server if source is client else client).sendall(data[:64] if self.mode == "cut" else data)
                if self.mode == "cut":
                    return
