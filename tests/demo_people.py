"""People who draw and delete while processes are killed, and the promises made to them, checked afterwards."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from demo_fakes import fake_services
from demo_server import PATIENCE, Client, Server, quote

from demo.ops.upkeep import remove_strays
from demo.store.settings import Settings
from demo.studio.verifying import problems


def start_people(server: Server, stop: threading.Event, count: int = 3) -> tuple[list[Busy], list[threading.Thread]]:
    """Let some people live until `stop` is set; the server limits nobody (`UNLIMITED`)."""
    people = [Busy(server, i, stop) for i in range(count)]
    threads = [threading.Thread(target=person.live) for person in people]
    for thread in threads:
        thread.start()
    return people, threads


def check_promises(server: Server, people: Sequence[Busy], threads: Sequence[threading.Thread]) -> None:
    """Nothing answered with 202 is lost or doubled, nothing deleted is back; rows, files and index agree."""
    join(threads)
    for person in people:
        person.check()
    server.stop()
    services = fake_services(Settings.from_env(server.environment))
    services.searcher.open()
    remove_strays(services.storage, services, older_than=0)  # half-made files of killed workers
    services.deletion.sweep()
    assert problems(services) == []
    services.close()


def join(threads: Sequence[threading.Thread]) -> None:
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()


class Busy:
    """Somebody who draws and deletes without pause, and remembers what was promised."""

    def __init__(self, server: Server, number: int, stop: threading.Event) -> None:
        self.client, self.number, self.stop = Client(server.url), number, stop
        self.promised: dict[str, str] = {}
        self.deleted: set[str] = set()
        self.client.patiently("POST", "/me/code")  # a cookie, before anything is asked

    def live(self) -> None:
        i = 0
        while not self.stop.is_set():
            i += 1
            prompt, key = f"사람 {self.number} 그림 {i}", f"{self.number}-{i}"
            body = {"prompt": prompt, "n": 1}
            status, answer = self.client.patiently("POST", "/generations", body, Idempotency_Key=key)
            if status == 202:
                assert answer["prompt"] == prompt
                self.promised[answer["id"]] = prompt
            if i % 4 == 0:
                id = next(iter(self.promised))
                status, answer = self.client.patiently("DELETE", f"/generations/{id}")
                assert status in (200, 404), answer
                self.deleted.add(id)
                del self.promised[id]
            time.sleep(0.15)

    def check(self) -> None:
        for id, prompt in self.promised.items():
            done = self.client.until_end(id)
            assert done["prompt"] == prompt
            assert done["status"] == "succeeded" or done["error"]["code"] == "worker_died", done
            assert len(done["images"]) == (done["status"] == "succeeded")
            found = self.client.call("GET", f"/search?scope=all&k=50&q={quote(prompt)}")[1]["results"]
            if done["status"] == "succeeded":
                assert id in [one["generation_id"] for one in found]
        for id in self.deleted:
            assert self.client.call("GET", f"/generations/{id}")[0] == 404
        status, mine = self.client.call("GET", "/generations?limit=100")
        assert status == 200
        prompts = [one["prompt"] for one in mine["items"]]
        assert len(prompts) == len(set(prompts)), "a retried request made two generations"
