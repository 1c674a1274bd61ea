"""Take a job: settle what was asked, find similar past ones, and write a row that a worker will claim."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Iterable, Mapping

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from demo.queue import jobs
from demo.queue.wake import Wake
from demo.store import request_id
from demo.store.database import Database
from demo.store.errors import ServiceError
from demo.store.settings import Settings
from demo.store.tables import Generation, Idempotency, Image, new_id
from demo.store.together import GroupCommit
from demo.studio import prompts
from demo.studio.editing import Words, drawn_text, settled, styles_of, words_of
from demo.studio.fabric import drawn_recipe, pattern_warnings, settled_apply, settled_pattern
from demo.studio.generations import Generations
from demo.studio.guessing import Guesser
from demo.studio.masks import require_mask_size
from demo.studio.readiness import Readiness
from demo.studio.searching import Found, Searcher
from demo.studio.styles import Styles
from demo.studio.views import Asked
from demo.studio.visibility import Viewer, ensure_owner
from demo.studio.weights import weights_for
from jobspec import SEEDS, Apply, Draw, Edit, Job, Pattern, PictureSize, Shapes, Warned, take_tags

SIMILAR = 8  # similar prompts in an answer


class Asking:
    """Takes jobs of every kind; safe from any thread."""

    def __init__(
        self, settings: Settings, database: Database, searcher: Searcher, readiness: Readiness,
        generations: Generations, wake: Wake, styles: Styles, guesser: Guesser,
    ) -> None:  # fmt: skip
        self._settings, self._database, self._searcher = settings, database, searcher
        self._readiness, self._generations, self._wake, self._styles = readiness, generations, wake, styles
        self._guesser = guesser
        self._commit = GroupCommit(database)

    def ask(self, viewer: Viewer, asked: Job, key: str | None = None, digest: str | None = None) -> Asked:
        """Similar prompts at once, and a row that will be drawn. Raises ServiceError.

        `key`: an Idempotency-Key; `digest`: tells one request under a key from another, where the job does not (the
        same file is another upload each time).
        """
        digest = digest or _digest(asked)
        if key and (row := self._used(viewer, key, digest)) is not None:
            return self._replayed(row, viewer)
        self._readiness.require(asked.n)
        row = self._new_row(viewer, asked)
        found = self._embed(row, viewer)
        try:
            self._commit(lambda session: self._enter(session, viewer, row, key, digest))
        except IntegrityError as error:  # the same key came twice at once, and the other was quicker
            if key and (other := self._used(viewer, key, digest)) is not None:
                return self._replayed(other, viewer)
            raise ServiceError("database_busy") from error
        self._wake.ring()
        return Asked(self._generations.show(row, viewer), self._generations.show_found(found, viewer))

    def repeated(self, viewer: Viewer, key: str, digest: str) -> Asked | None:
        """What was asked for by this key, None where it is new. Raises ServiceError idempotency_conflict."""
        row = self._used(viewer, key, digest)
        return None if row is None else self._replayed(row, viewer)

    def settle(self, viewer: Viewer, asked: Job) -> Job:
        """What would be drawn: clean texts, a seed, styles and pictures that are there. Raises ServiceError."""
        job = self._settled(viewer, asked)
        if isinstance(job, Draw):
            self._style(job)
        return job

    def analyze(self, prompt: str) -> prompts.Analysis:
        """What is known about a prompt before it is asked for. Raises ServiceError."""
        return prompts.analyze(
            take_tags(prompt)[0], self._searcher.encoder, prompts.reader_for(self._readiness.domain())
        )

    def words(self, row: Image, said: str | None = None) -> Words:
        """The words of a picture's prompt as it was drawn; of an upload those of what it is `said` to show, or of a
        guess. Raises ServiceError.
        """
        reader = prompts.reader_for(self._readiness.domain())
        if said is not None:
            return words_of(reader.read(prompts.accept(said, "text")), reader)
        if (recipe := drawn_recipe(row.recipe)) is not None:
            return words_of(drawn_text(recipe), reader)
        return words_of(self._guesser.guess(row), reader, guessed=True)

    def _used(self, viewer: Viewer, key: str, digest: str) -> Generation | None:
        with self._database.read() as session:
            used = session.get(Idempotency, (viewer.owner_id, key))
            if used is None:
                return None
            if used.body_digest not in (digest, ""):  # "": written by an earlier version, in another form
                raise ServiceError("idempotency_conflict")
            return session.get(Generation, used.generation_id)

    def _replayed(self, row: Generation, viewer: Viewer) -> Asked:
        found = self._searcher.near(row.prompt, self._searcher.vector(row.prompt), SIMILAR, viewer)
        shown = self._generations.show(row, viewer)
        return Asked(shown, self._generations.show_found(found if row.vector else [], viewer), replayed=True)

    def _new_row(self, viewer: Viewer, asked: Job) -> Generation:
        job, batch_as = self._settled(viewer, asked), asked
        if isinstance(job, Draw):
            style = self._style(job)
            batch_as = job if style == "lora" else job.changed(style=None, style_weight=1.0)
        return Generation(
            id=new_id(), owner_id=viewer.owner_id, created_at=time.time(), status="queued", kind=job.kind,
            prompt=job.main_text, prompt_key=prompts.search_key(job.main_text), n=job.n, seed=job.seed,
            spec=job.to_row(), visibility=job.visibility, hidden=False, batch_key=batch_as.batch_key(),
            index_id=new_id(), attempt=0, request_id=request_id.current(),
            weights=weights_for(job.kind, self._settings),
            warnings=[vars(one) for one in self._warnings(asked, job)],
        )  # fmt: skip

    def _settled(self, viewer: Viewer, asked: Job) -> Job:
        """The job with clean texts, a seed, and pictures that this person may see. Raises ServiceError."""
        if isinstance(asked, Edit):
            asked = self._settled_edit(viewer, asked)
        elif isinstance(asked, Pattern):
            asked = settled_pattern(asked, self._readiness.facts())
        elif isinstance(asked, Apply):
            asked = self._settled_apply(viewer, asked)
        texts = {asked.TEXT: prompts.accept(asked.main_text, asked.TEXT)}
        texts |= {name: prompts.clean(getattr(asked, name), name) for name in asked.OTHER_TEXTS}
        if asked.visibility == "public":
            prompts.check_publishing(texts[asked.TEXT], (texts[name] for name in asked.OTHER_TEXTS))
        self._require_seen(viewer, asked)
        drawn: dict[str, object] = {}
        if isinstance(asked, Draw):
            style = prompts.style_named(asked.style, self._styles.names() if asked.style else ())
            drawn = {"refine": asked.refine and self._readiness.refines(), "style": style}
            drawn |= _settled_size(asked, self._source_recipe(viewer, asked), self._readiness.shapes())
        seed = secrets.randbelow(SEEDS) if asked.seed is None else asked.seed
        return asked.changed(**texts, **drawn, seed=seed)

    def _require_seen(self, viewer: Viewer, asked: Job) -> None:
        for field, image_id in asked.source_pictures().items():
            if not self._generations.sees_image(viewer, image_id):
                raise ServiceError("unknown_source_image", field)

    def _source_recipe(self, viewer: Viewer, asked: Draw) -> Mapping[str, object] | None:
        """How the picture that a job varies was drawn; None where there is none, or it was not drawn here."""
        parent = asked.parent()
        return None if parent is None else drawn_recipe(self._generations.image(viewer, parent)[0].recipe)

    def _settled_edit(self, viewer: Viewer, asked: Edit) -> Edit:
        """An edit with its new prompt and its noise's seed; what cannot be edited is refused before it waits."""
        self._require_seen(viewer, asked)
        source = self._generations.image(viewer, asked.source_image)[0]
        if asked.mask_image is not None:
            require_mask_size(self._generations.image(viewer, asked.mask_image)[0], (source.width, source.height))
        self._require_styles(styles_of(source.recipe), "source_image")  # an edit is drawn with them, too
        return settled(asked, drawn_recipe(source.recipe), prompts.reader_for(self._readiness.domain()))

    def _settled_apply(self, viewer: Viewer, asked: Apply) -> Apply:
        """A pattern to be put on, with what it is called; what nothing can be put on is refused before it waits."""
        self._require_seen(viewer, asked)
        found = {field: self._generations.image(viewer, id)[0] for field, id in asked.source_pictures().items()}
        return settled_apply(asked, found, self._readiness.facts())

    def _style(self, job: Draw) -> str | None:
        """Whether a job's style is one of words or a LoRA. Raises ServiceError unknown_style, of its `styles` too."""
        self._require_styles((each.name for each in job.styles), "styles")
        if job.style is None:
            return None
        if job.style in prompts.prompt_styles():
            return "words"
        self._require_styles([job.style], "style")
        return "lora"

    def _require_styles(self, names: Iterable[str], field: str = "prompt") -> None:
        if not (wanted := list(names)):
            return
        known = self._styles.names()
        for name in wanted:
            if name not in known:
                there = ", ".join(known if field != "style" else [*prompts.prompt_styles(), *known])
                raise ServiceError("unknown_style", field, style=name, known=there)

    def _warnings(self, asked: Job, job: Job) -> list[Warned]:
        """What of the request will not count, as far as it is known before anything is drawn."""
        if isinstance(job, Edit):
            reader = prompts.reader_for(self._readiness.domain())
            return prompts.warnings(job.prompt, job.prompt, self._searcher.require(), reader)
        if isinstance(asked, Pattern):
            return pattern_warnings(asked)
        if not isinstance(job, Draw):
            return []
        facts = self._readiness.facts()
        reader, encoder = prompts.reader_for(self._readiness.domain()), self._searcher.require()
        found = [Warned("outside")] if reader.outside(job.prompt) else []
        found += prompts.warnings(job.prompt, prompts.with_style(job.prompt, job.style), encoder, reader)
        found += prompts.negative_warnings(job, facts.get("defaults", {}), encoder, reader)
        if job.style in prompts.prompt_styles() and job.style_weight != 1.0:
            found.append(Warned("style_weight_unused"))
        if isinstance(asked, Draw) and asked.refine and "refine" in asked.model_fields_set and not job.refine:
            found.append(Warned("refiner_missing"))
        return found

    def _embed(self, row: Generation, viewer: Viewer) -> list[Found]:
        """Write the prompt's vector into the row, and find what is near to it."""
        started = time.perf_counter()
        vector = self._searcher.vector(row.prompt)
        encoded = time.perf_counter()
        found = self._searcher.near(row.prompt, vector, SIMILAR, viewer)
        row.vector, row.encoder_id = vector.tobytes(), self._searcher.require().encoder_id
        row.timings = {"encode": round(encoded - started, 4), "search": round(time.perf_counter() - encoded, 4)}
        return found

    def _enter(self, session: Session, viewer: Viewer, row: Generation, key: str | None, digest: str) -> None:
        place = jobs.admit(session, self._settings, row.owner_id, viewer.address)
        row.owner_id = ensure_owner(session, row.owner_id)
        if key:
            used = {"owner_id": row.owner_id, "key": key, "body_digest": digest, "generation_id": row.id}
            session.add(Idempotency(**used, created_at=time.time()))
        jobs.line_up(session, row, place)


def _settled_size(job: Draw, source: Mapping[str, object] | None, shapes: Shapes | None) -> dict[str, int | None]:
    """Width and height of a job, both null for the checkpoint's own square; of a variation, those of its source's
    recipe where nothing is asked. Nothing is checked before a worker has said what it draws.

    Raises ServiceError size_square, size_unfit.
    """
    asked = job.width, job.height
    if asked == (None, None):
        settings = source.get("settings") if source is not None else None
        width, height = map(settings.get, ("width", "height")) if isinstance(settings, Mapping) else (None, None)
        if shapes and isinstance(width, int) and isinstance(height, int) and shapes.takes(PictureSize(height, width)):
            return {"width": width, "height": height}
        return {"width": None, "height": None}
    if shapes is None:
        return {"width": job.width, "height": job.height}
    size = PictureSize(job.height or shapes.side, job.width or shapes.side)
    if not shapes.takes(size):
        raise _size_refused(size, shapes, "height" if job.width is None else "width")
    own = size == shapes.own
    return {"width": None if own else size.width, "height": None if own else size.height}


def _size_refused(size: PictureSize, shapes: Shapes, field: str) -> ServiceError:
    if shapes.squares_only:
        return ServiceError("size_square", field, got=str(size), side=str(shapes.side))
    offered = ", ".join(map(str, shapes.offered().values()))
    return ServiceError(
        "size_unfit", field, got=str(size), unit=str(shapes.unit), most=f"{shapes.most_pixels:,}", offered=offered
    )


def _digest(asked: Job) -> str:
    """What tells one request from another. Without styles and sizes it is what it was before there were any."""
    later = ("styles", "width", "height")
    left_out = {name for name in later if isinstance(asked, Draw) and not getattr(asked, name)}
    return hashlib.sha256(asked.model_dump_json(exclude=left_out).encode()).hexdigest()
