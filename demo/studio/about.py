"""What the page and programs need to know once: limits, defaults, words, styles, models, and what is missing."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from demo.store.messages import NOTICE
from demo.store.settings import Settings
from demo.studio import pictures, prompts, words
from demo.studio.readiness import Readiness
from demo.studio.searching import Searcher

DEFAULT_STRENGTH = 0.6


class About:
    """Answers /about, /styles and /models."""

    def __init__(self, settings: Settings, readiness: Readiness, searcher: Searcher) -> None:
        self._settings, self._readiness, self._searcher = settings, readiness, searcher

    def about(self) -> dict:
        settings, report = self._settings, self._readiness.report()
        return {
            "name": "그려줘",
            "version": _version(),
            "ready": report["ready"],
            "missing": report["missing"],
            "notice": {"ko": NOTICE.ko, "en": NOTICE.en},
            "retention_days": settings.retention_days,
            "max_disk_bytes": settings.max_disk,
            "visible_mark": settings.visible_mark,
            "access": settings.access or "open",
            "refines": self._readiness.refines(),
            "limits": {
                "prompt_characters": prompts.MAX_CHARACTERS,
                "n": 10,
                "upload_bytes": pictures.MAX_UPLOAD_BYTES,
                "upload_pixels": pictures.MAX_PIXELS,
                "queue": settings.queue,
                "jobs_per_owner": settings.jobs_per_owner,
            },
            "defaults": self._defaults(),
            "examples": words.examples(),
            "chips": words.chips(),
        }

    def styles(self) -> list[dict]:
        """The drawing styles asked for by words, then the checkpoint's LoRA styles."""
        worker = self._readiness.worker()
        prompt = [
            {"name": name, "kind": "prompt", "label": {"ko": style.ko[0], "en": style.en[0]}}
            for name, style in words.prompt_styles().items()
        ]
        loras = worker.detail.get("styles", []) if worker else []
        return prompt + [{"name": name, "kind": "lora", "label": {"ko": name, "en": name}} for name in loras]

    def models(self) -> dict:
        worker, encoder = self._readiness.worker(), self._searcher.encoder
        drawn = worker.detail if worker and worker.state == "ready" else {}
        return {
            "checkpoint": {
                "id": drawn.get("checkpoint_id"),
                "path_name": Path(self._settings.checkpoint).name,
                "stages": ["base", "refiner"] if self._readiness.refines() else ["base"],
                "loaded": bool(drawn),
            },
            "encoder": {
                "id": encoder.encoder_id if encoder else None,
                "loaded": encoder is not None,
                "max_tokens": encoder.max_tokens if encoder else None,
            },
            "defaults": drawn.get("defaults", {}),
        }

    def _defaults(self) -> dict:
        worker = self._readiness.worker()
        known = worker.detail.get("defaults", {}) if worker else {}
        names = ("steps", "guidance_scale", "refine_strength")
        return {
            "n": 4,
            **{name: known.get(name) for name in names},
            "refine": self._readiness.refines(),
            "strength": known.get("strength", DEFAULT_STRENGTH),
        }


def _version() -> str:
    try:
        return version("geuryeojwo")
    except PackageNotFoundError:
        return "0.1.0"
