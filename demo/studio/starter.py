"""The starter gallery: public example generations drawn by the checkpoint that ships, so that nobody begins alone.

`build` draws demo/starter/prompts.txt and writes gallery.json with one WebP each (all under 1.5 MB); `bring_in` imports
them at the first start, and again when the files have changed.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image as Picture

from demo.store.database import one_at_a_time
from demo.store.tables import Generation, Image, StudioNote, new_id
from demo.studio import pictures, prompts
from demo.studio.visibility import ensure_owner
from jobspec import Draw

if TYPE_CHECKING:
    import numpy as np

    from demo.studio.services import Services

logger = logging.getLogger(__name__)
OWNER = "starter"
MOST_BYTES = 1_500_000
FEWEST = 60
QUALITIES = (90, 82, 74, 66, 58)


@dataclass(frozen=True)
class Example:
    """A prompt and its picture, to be kept as a public or private generation."""

    prompt: str
    data: bytes
    media_type: str
    seed: int
    recipe: dict[str, object]
    source_type: str | None = pictures.GENERATED


def build(
    draw: Callable[[str, int], tuple[Picture.Image, dict[str, object]]], folder: Path, seed: int = 1
) -> tuple[int, int]:
    """Draw every prompt of prompts.txt and write the gallery; returns (pictures, bytes). Raises ValueError."""
    lines = (folder / "prompts.txt").read_text(encoding="utf-8").splitlines()
    asked = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if len(asked) < FEWEST:
        raise ValueError(f"prompts.txt has {len(asked)} prompts, a starter gallery needs {FEWEST}: add some")
    drawn = [(prompt, seed + place, *draw(prompt, seed + place)) for place, prompt in enumerate(asked)]
    for quality in QUALITIES:
        files = [_webp(image, quality) for _, _, image, _ in drawn]
        if sum(map(len, files)) < MOST_BYTES:
            break
    else:
        raise ValueError(f"{len(drawn)} pictures do not fit into {MOST_BYTES} bytes: fewer prompts")
    for old in folder.glob("*.webp"):
        old.unlink()
    entries: list[dict[str, object]] = []
    for (prompt, number, image, recipe), data in zip(drawn, files, strict=True):
        name = f"{len(entries):03}.webp"
        (folder / name).write_bytes(data)
        entries.append({"prompt": prompt, "seed": number, "file": name, "width": image.width, "height": image.height,
                        "recipe": recipe})  # fmt: skip
    text = json.dumps({"entries": entries}, ensure_ascii=False, indent=1) + "\n"
    (folder / "gallery.json").write_text(text, encoding="utf-8")
    return len(entries), sum(map(len, files)) + len(text.encode())


def bring_in(services: Services) -> int:
    """Import the starter gallery if it is not there as it is now; returns how many generations came."""
    listing = Path(services.settings.starter or "/nowhere") / "gallery.json"
    if not listing.is_file():
        return 0
    digest = hashlib.sha256(listing.read_bytes()).hexdigest()
    if _digest_here(services) == digest:
        return 0
    with one_at_a_time(services.database, services.settings.data_dir, "starter"):  # hosts may start together
        return _replace(services, listing, digest)


def _digest_here(services: Services) -> str | None:
    """Which gallery is there: the digest of its listing."""
    with services.database.read() as session:
        note = session.get(StudioNote, "starter")
    return None if note is None else str(note.value.get("sha256"))


def _replace(services: Services, listing: Path, digest: str) -> int:
    """Bring a gallery in, in place of the one that is there; nothing where another process has done so meanwhile."""
    there = _digest_here(services)
    if there == digest:
        return 0
    if there is not None:
        services.deletion.owner(OWNER)
    note = StudioNote(name="starter", value={"sha256": digest})
    count = keep(services, OWNER, _examples(listing), public=True, note=note)
    logger.info("%d examples of the starter gallery are here", count)
    return count


def keep(
    services: Services, owner_id: str, examples: Iterable[Example], public: bool, note: StudioNote | None = None
) -> int:
    """Store examples as finished generations in one commit; returns how many."""
    examples = list(examples)
    if not examples:
        return 0
    encoder = services.searcher.require()
    import numpy as np

    vectors = np.asarray(encoder.search([prompts.clean(example.prompt) for example in examples]), dtype=np.float32)
    now = time.time()
    stored = [
        _rows(services, owner_id, example, vector, encoder.encoder_id, now - place * 0.001, public)
        for place, (example, vector) in enumerate(zip(examples, vectors, strict=True))
    ]
    with services.database.write() as session:
        ensure_owner(session, owner_id)
        session.add_all(generation for generation, _ in stored)
        session.flush()
        session.add_all(image for _, image in stored)
        if note is not None:
            session.merge(note)
        session.flush()
        connection = session.connection()
        for (generation, _), vector in zip(stored, vectors, strict=True):
            services.searcher.index.add(generation.index_id, generation.prompt_key, vector, owner_id, public,
                                        connection=connection)  # fmt: skip
    return len(stored)


def _rows(
    services: Services,
    owner_id: str,
    example: Example,
    vector: np.ndarray,
    encoder_id: str,
    moment: float,
    public: bool,
) -> tuple[Generation, Image]:
    """Write an example's files and make its rows."""
    prompt, id, image_id = prompts.clean(example.prompt), new_id(), new_id()
    picture = pictures.decode(example.data)
    small = pictures.thumbnail(picture, example.source_type)
    files = {
        "final": services.storage.write(image_id, "final", example.media_type, example.data),
        "thumbnail": services.storage.write(image_id, "thumbnail", "image/webp", small),
    }
    settings = example.recipe.get("settings", {})
    assert isinstance(settings, dict)
    refined = bool(settings.get("refine"))
    job = Draw(prompt=prompt, n=1, seed=example.seed, refine=refined)
    generation = Generation(
        id=id, owner_id=owner_id, created_at=moment, started_at=None, finished_at=moment, status="succeeded",
        kind=job.kind, prompt=prompt, prompt_key=prompts.search_key(prompt), n=job.n, seed=example.seed,
        spec=job.to_row(), visibility="public" if public else "private", hidden=False, approved=public, batch_key="",
        vector=vector.tobytes(), encoder_id=encoder_id, index_id=new_id(), warnings=[], timings={}, attempt=1,
    )  # fmt: skip
    image = Image(
        id=image_id, owner_id=owner_id, generation_id=id, position=0, kind="generation", created_at=moment,
        width=picture.width, height=picture.height, seed=example.seed, media_type=example.media_type,
        recipe=example.recipe, source_type=example.source_type, files=files,
        bytes=sum(file["bytes"] for file in files.values()),
    )  # fmt: skip
    return generation, image


def _examples(listing: Path) -> Iterator[Example]:
    for entry in json.loads(listing.read_text(encoding="utf-8"))["entries"]:
        picture = pictures.decode((listing.parent / Path(entry["file"]).name).read_bytes())
        recipe = entry["recipe"] | {"asked": {"prompt": entry["prompt"], "style": None}}
        data = pictures.encode(picture.convert("RGB"), "image/webp", pictures.GENERATED, recipe)
        yield Example(entry["prompt"], data, "image/webp", entry["seed"], recipe)


def _webp(image: Picture.Image, quality: int) -> bytes:
    import io

    out = io.BytesIO()
    image.save(out, "WEBP", quality=quality, method=6)
    return out.getvalue()
