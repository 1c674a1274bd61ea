"""A client of the studio for tests: over Flask's test client, as one person with a cookie jar."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path

from demo_fakes import FakePipeline, fake_services, fake_worker, model_folders

from demo.store.settings import Settings
from demo.web.app import create_app

ENDED = ("succeeded", "failed", "cancelled")


@dataclass
class Studio:
    """The web application and a worker in threads of this process, over fakes."""

    settings: Settings
    app: object
    services: object
    pipeline: FakePipeline
    worker: object = None
    thread: threading.Thread | None = None

    def person(self) -> Person:
        return Person(self)

    def start_worker(self, worker: object = None) -> None:
        self.worker = worker or fake_worker(self.settings, self.pipeline)
        self.thread = threading.Thread(target=self.worker.run, daemon=True)
        self.thread.start()

    def close(self) -> None:
        if self.worker is not None:
            self.worker.stop()
            self.thread.join(60)
            self.worker.close()
        self.services.close()


def open_studio(
    folder: Path, worker: bool = True, step_seconds: float = 0.04, refines: bool = True, **settings: object
) -> Studio:
    """A studio in `folder`, ready to draw."""
    given = {"data_dir": folder / "data", "starter": "", "engine": "torch"} | model_folders(folder, refines) | settings
    made = Settings(**given)
    services = fake_services(made)
    app = create_app(made, services)
    app.testing = False
    studio = Studio(made, app, services, FakePipeline(step_seconds, refines))
    services.warm_up().join()
    if worker:
        studio.start_worker()
        wait_for(lambda: services.readiness.report()["ready"])
    return studio


class Person:
    """One browser with its cookies."""

    def __init__(self, studio: Studio) -> None:
        self.client = studio.app.test_client()
        self.headers: dict[str, str] = {}

    def call(self, method: str, path: str, body: object = None, **options: object) -> object:
        """The response; paths are under /api/v1 unless they begin with //."""
        url = path[1:] if path.startswith("//") else "/api/v1" + path
        headers = self.headers | options.pop("headers", {})
        extra = {"json": body} if body is not None else {}
        return self.client.open(url, method=method, headers=headers, base_url="http://localhost", **extra, **options)

    def get(self, path: str, **options: object) -> object:
        return self.call("GET", path, **options)

    def post(self, path: str, body: object = None, **options: object) -> object:
        return self.call("POST", path, body, **options)

    def draw(self, prompt: str = "빨간 원피스", **fields: object) -> dict:
        reply = self.post("/generations", {"prompt": prompt} | fields)
        assert reply.status_code == 202, reply.text
        return reply.json

    def finished(self, prompt: str = "빨간 원피스", **fields: object) -> dict:
        return self.until_end(self.draw(prompt, **fields)["id"])

    def until_end(self, id: str, seconds: float = 240) -> dict:
        wait_for(lambda: self.get(f"/generations/{id}").json["status"] in ENDED, seconds)
        return self.get(f"/generations/{id}").json

    def upload(self, data: bytes, name: str = "a.png") -> object:
        head = f'--edge\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode()
        body = head + data + b"\r\n--edge--\r\n"
        return self.post("/images", data=body, content_type="multipart/form-data; boundary=edge")


def wait_for(happened: object, seconds: float = 240) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
