"""What the JSON API answers, as values: docs/reference/api.md has every field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


class StudioError(Exception):
    """A refusal, or a job that failed: `code` of docs/reference/api.md, and a sentence in the language asked for.

    `status`: of HTTP, 0 for a job that failed; `field`: what of the request was wrong, or "".
    """

    def __init__(self, code: str, message: str, status: int = 0, field: str = "") -> None:
        super().__init__(f"{message} ({code})")
        self.code, self.message, self.status, self.field = code, message, status, field


@dataclass(frozen=True)
class RemotePicture:
    """A picture that the studio keeps; `carried`: of an upload, the settings that its file brought along."""

    id: str
    url: str
    width: int
    height: int
    seed: int | None
    generation_id: str | None
    carried: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> RemotePicture:
        names = ("id", "url", "width", "height", "seed", "generation_id")
        return cls(**{name: found[name] for name in names}, carried=found.get("carried"))


@dataclass(frozen=True)
class PastDrawing:
    """A similar past drawing; `score`: 0 to 1."""

    id: str
    prompt: str
    score: float
    mine: bool
    seed: int
    pictures: Sequence[RemotePicture]

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> PastDrawing:
        pictures = [RemotePicture.of(one) for one in found["images"]]
        return cls(found["generation_id"], found["prompt"], found["score"], found["mine"], found["seed"], pictures)


@dataclass(frozen=True)
class RemoteDrawing:
    """A job and what became of it. `status`: queued, running, succeeded, failed, cancelled; `done`: 0 to 1 of its
    steps, as far as they are known; `place` in the queue, 0 = next; `raw`: the whole answer.
    """

    id: str
    kind: str
    status: str
    prompt: str
    seed: int
    pictures: Sequence[RemotePicture]
    warnings: Sequence[str]
    similar: Sequence[PastDrawing]
    place: int | None
    stage: str
    done: float
    raw: Mapping[str, Any]

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> RemoteDrawing:
        progress = found["progress"] or {}
        return cls(
            found["id"], found["kind"], found["status"], found["prompt"], found["seed"],
            [RemotePicture.of(one) for one in found["images"]], [one["message"] for one in found["warnings"]],
            [PastDrawing.of(one) for one in found.get("similar", ())], found["position"], progress.get("stage", ""),
            1.0 if found["status"] == "succeeded" else progress.get("step", 0) / (progress.get("steps") or 1), found,
        )  # fmt: skip

    @property
    def ended(self) -> bool:
        return self.status in ("succeeded", "failed", "cancelled")

    def require(self) -> RemoteDrawing:
        """Itself once it has succeeded. Raises StudioError for a job that failed or was cancelled."""
        if self.status == "failed":
            error = self.raw["error"] or {}
            raise StudioError(error.get("code", "draw_failed"), error.get("message", "the job failed"))
        if self.status == "cancelled":
            raise StudioError("cancelled", "the job was cancelled")
        return self


@dataclass(frozen=True)
class StyleOffer:
    """A style by name: `kind` prompt (words) or lora; `label` by language."""

    name: str
    kind: str
    label: Mapping[str, str]
    trigger: str
    example: str

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> StyleOffer:
        return cls(*(found[name] for name in ("name", "kind", "label", "trigger", "example")))
