"""What the page and programs need to know once: limits, defaults, words, styles, models, and what is missing."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from demo.store.messages import NOTICE
from demo.store.settings import Settings
from demo.studio import pictures, prompts, words
from demo.studio.drafting import Drafting
from demo.studio.readiness import Readiness
from demo.studio.searching import Searcher
from demo.studio.styles import Styles
from fashion.look_words import ENGLISH
from jobspec import KINDS, Draw, bounds
from jobspec.fields import DEFAULT_STRENGTH, Count
from jobspec.job import ranges


@dataclass(frozen=True)
class AboutFacts:
    """The service as it is now, in the words and order of GET /about."""

    name: str
    version: str
    ready: bool
    missing: list[dict[str, str]]
    notice: dict[str, str]
    retention_days: int
    trash_days: int
    max_disk_bytes: int
    visible_mark: bool
    access: str
    refines: bool
    drafts: bool
    limits: dict[str, object]
    defaults: dict[str, object]
    examples: list[dict[str, str]]
    chips: list[dict[str, object]]


@dataclass(frozen=True)
class Style:
    """A style by name; `kind`: prompt (words added to the prompt) or lora. What only a LoRA has is "" in the other."""

    name: str
    kind: str
    label: dict[str, str]
    trigger: str = ""
    example: str = ""
    base: str = ""
    sha256: str = ""


@dataclass(frozen=True)
class Models:
    """The checkpoint and the encoder in use, and what a draw does where nothing is asked."""

    checkpoint: dict[str, object]
    encoder: dict[str, object]
    defaults: dict[str, object]
    shapes: list[dict[str, object]]


class About:
    """Answers /about, /styles and /models."""

    def __init__(
        self, settings: Settings, readiness: Readiness, searcher: Searcher, styles: Styles, drafting: Drafting
    ) -> None:
        self._settings, self._readiness, self._searcher, self._styles = settings, readiness, searcher, styles
        self._drafting = drafting

    def about(self) -> AboutFacts:
        settings, report = self._settings, self._readiness.report()
        return AboutFacts(
            name="그려줘",
            version=_version(),
            ready=report["ready"],
            missing=report["missing"],
            notice={"ko": NOTICE.ko, "en": NOTICE.en},
            retention_days=settings.retention_days,
            trash_days=settings.trash_days,
            max_disk_bytes=settings.max_disk,
            visible_mark=settings.visible_mark,
            access=settings.access or "open",
            refines=self._readiness.refines(),
            drafts=self._drafting.offered(),
            limits=self._limits(),
            defaults=self._defaults(),
            examples=words.examples(),
            chips=words.chips(),
        )

    def styles(self) -> list[Style]:
        """The drawing styles asked for by words, then the checkpoint's LoRA styles."""
        prompt = [
            Style(name, "prompt", {"ko": style.ko[0], "en": style.en[0]})
            for name, style in prompts.prompt_styles().items()
        ]
        loras = [
            Style(
                each.name,
                "lora",
                {"ko": each.name, "en": ENGLISH.get(each.name, each.name)},
                each.trigger,
                each.example,
                each.base,
                each.sha256,
            )
            for each in self._styles.all()
        ]
        return prompt + loras

    def models(self) -> Models:
        drawn, encoder = self._readiness.facts(), self._searcher.encoder
        return Models(
            checkpoint={
                "id": drawn.get("checkpoint_id"),
                "path_name": Path(self._settings.checkpoint).name,
                "stages": ["base", "refiner"] if self._readiness.refines() else ["base"],
                "loaded": bool(drawn),
            },
            encoder={
                "id": encoder.encoder_id if encoder else None,
                "loaded": encoder is not None,
                "max_tokens": encoder.max_tokens if encoder else None,
                "made_for": getattr(encoder, "made_for", None),
            },
            defaults=drawn.get("defaults", {}),
            shapes=self._shapes(),
        )

    def _shapes(self) -> list[dict[str, object]]:
        """The sizes that a form offers; nothing before a worker has said what it draws."""
        shapes = self._readiness.shapes()
        offered = {} if shapes is None else shapes.offered()
        return [{"name": name, "width": each.width, "height": each.height} for name, each in offered.items()]

    def _limits(self) -> dict[str, object]:
        """What is allowed; `ranges`: of every field of every kind of job, from jobspec."""
        return {
            "prompt_characters": prompts.MAX_CHARACTERS,
            "n": bounds(Count)[1],
            "upload_bytes": pictures.MAX_UPLOAD_BYTES,
            "upload_pixels": pictures.MAX_PIXELS,
            "upload_webp_pixels": pictures.MAX_WEBP_PIXELS,
            "queue": self._settings.queue,
            "jobs_per_owner": self._settings.jobs_per_owner,
            "ranges": {name: ranges(kind) for name, kind in KINDS.items()},
        }

    def _defaults(self) -> dict[str, object]:
        known = self._readiness.facts().get("defaults", {})
        return {
            "n": Draw.model_fields["n"].default,
            **{name: known.get(name) for name in ("steps", "guidance_scale", "refine_strength")},
            "refine": self._readiness.refines(),
            "strength": known.get("strength", DEFAULT_STRENGTH),
        }


def _version() -> str:
    try:
        return version("geuryeojwo")
    except PackageNotFoundError:
        return "0.1.0"
