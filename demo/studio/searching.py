"""Similar prompts: the text encoder and the index, opened once, and the question "what is near, that I may see?".

`Searcher.open` runs in a background thread of the web process, so that the server answers while it loads.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from sqlalchemy import Connection, select

from demo.store.database import Database
from demo.store.errors import ServiceError
from demo.store.settings import Settings
from demo.store.tables import Generation
from demo.store.together import Together
from demo.studio.prompts import search_key
from demo.studio.views import PastPrompt
from demo.studio.visibility import NOBODY, Viewer, owned_by, visible_to

if TYPE_CHECKING:
    import numpy as np

logger = logging.getLogger(__name__)
Score = TypeVar("Score", float, "np.ndarray")
OPENING_SECONDS = 8.0  # how long a request waits for an encoder that is being opened
LEXICAL_WEIGHT = 0.5  # of what letters are ahead of meaning; chosen by benchmarks/search.py
ENCODED_TOGETHER = 16  # prompts that came at once
OWN_ROWS = 4000  # of one's own prompts that an own search looks through exactly


class Encoder(Protocol):
    """What `ko_clip.encoder.PromptEncoder` gives: unit vectors, tokens, and who it is."""

    encoder_id: str
    search_dim: int
    max_tokens: int

    def search(self, prompts: Sequence[str]) -> np.ndarray: ...

    def count_tokens(self, text: str) -> int: ...


class OpenEncoder(Protocol):
    """Opens the encoder of a folder; `search`: the folder of another one for search alone, where one is set."""

    def __call__(self, path: Path, search: str = ...) -> Encoder: ...


@dataclass(frozen=True)
class Known:
    """What an index must know of an encoder that is not here."""

    encoder_id: str
    search_dim: int


SHOWN = [getattr(Generation, name) for name in PastPrompt._fields]  # a third of the columns, and none of JSON


class SearchHit(Protocol):
    """A group found: the id of the record that stands for it, and its cosine."""

    @property
    def id(self) -> str: ...

    @property
    def score(self) -> float: ...


class Index(Protocol):
    """What `index.prompt_index.PromptIndex` gives."""

    def add(
        self, id: str, group: str, vector: np.ndarray, owner: str, public: bool, connection: Connection | None = None
    ) -> None: ...

    def set_visibility(self, id: str, public: bool, connection: Connection | None = None) -> None: ...

    def remove(self, id: str, connection: Connection | None = None) -> None: ...

    def removed(self, id: str) -> bool: ...

    def search(self, vector: np.ndarray, k: int, viewer: str | None) -> Sequence[SearchHit]: ...

    def outdated(self, limit: int) -> list[str]: ...

    def live_count(self) -> int: ...

    def stats(self) -> Mapping[str, object]: ...

    def verify(self) -> list[str]: ...

    def rebuild(self) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Found:
    """One similar generation."""

    generation: PastPrompt
    score: float


class Searcher:
    """The encoder and the index behind one door; every method is safe from any thread."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        open_encoder: OpenEncoder,
        open_index: Callable[[Settings, Database, Encoder | Known], Index],
    ) -> None:
        self._settings, self._database = settings, database
        self._open_encoder, self._open_index = open_encoder, open_index
        self._done = threading.Event()
        self._encoding = threading.Lock()
        self._vectors: Together[str, np.ndarray] = Together(self._encode, ENCODED_TOGETHER)
        self._encoder: Encoder | None = None
        self._index: Index | None = None
        self.problem: str | None = None

    def open(self) -> None:
        """Load the encoder and open the index; what fails is kept in `problem`."""
        path, search = Path(self._settings.encoder), self._settings.search_encoder
        try:
            if not path.exists():
                raise FileNotFoundError(f"{path.name}/ does not exist: set ENCODER to the folder of a trained encoder")
            encoder = self._open_encoder(path, search) if search else self._open_encoder(path)
            self._index = self._open_index(self._settings, self._database, encoder)
            self._encoder, self.problem = encoder, None
            logger.info("encoder %s is open, %d dimensions", encoder.encoder_id, encoder.search_dim)
        except Exception as error:
            text = str(error).replace(f"{path.parent}/", "")  # shown to people: no machine's paths
            if self.problem is None:
                logger.warning("the encoder or the index cannot be opened: %s", error, exc_info=path.exists())
            self.problem = text
        finally:
            self._done.set()

    def stay_closed(self) -> None:
        """Do without an encoder: for commands that only delete or read."""
        self.problem = "it was not opened"
        self._done.set()

    @property
    def ready(self) -> bool:
        return self._encoder is not None

    def require(self) -> Encoder:
        """The encoder. Raises ServiceError not_ready while it loads, encoder_missing where there is none."""
        if self._encoder is None and not self._done.wait(OPENING_SECONDS):
            raise ServiceError("not_ready")
        if self._encoder is None:
            raise ServiceError("encoder_missing", detail=self.problem)
        return self._encoder

    @property
    def encoder(self) -> Encoder | None:
        """The encoder if it is open by now."""
        return self._encoder

    @property
    def index(self) -> Index:
        """The index; without an encoder, the one that its records were last written with (for deleting).

        Raises ServiceError while there is none.
        """
        if self._index is None and self._done.wait(OPENING_SECONDS) and self._index is None:
            with self._encoding:
                self._index = self._index or self._last_index()
        if self._index is None:
            self.require()
            assert self._index is not None  # it is open once the encoder is
        return self._index

    def forget(self, index_id: str, connection: Connection) -> bool:
        """Erase a record in the caller's transaction; False when the index never had it."""
        from index.records import UnknownId

        try:
            self.index.remove(index_id, connection=connection)
        except UnknownId:
            return False
        return True

    def close(self) -> None:
        """Stop the index's background thread."""
        if self._index is not None:
            self._index.close()

    def _last_index(self) -> Index | None:
        from index.tables import newest_encoder

        try:
            dim, encoder_id = newest_encoder(self._database.engine)
        except ValueError:
            return None
        return self._open_index(self._settings, self._database, Known(encoder_id, dim))

    def vector(self, prompt: str) -> np.ndarray:
        """(search_dim,) float32, unit length."""
        self.require()
        return self._vectors(prompt)

    def _encode(self, prompts: Sequence[str]) -> list[np.ndarray]:
        import numpy as np

        with self._encoding:
            return list(np.asarray(self.require().search(prompts), dtype=np.float32))

    def near(self, prompt: str, vector: np.ndarray, k: int, viewer: Viewer, scope: str = "all") -> list[Found]:
        """The k generations nearest to a prompt that this person may see, best first.

        `scope`: all (own and public), mine, public; but for mine, of each prompt only the newest. Letters lift what the
        vectors found (benchmarks/search.py).
        """
        letters = letters_of(search_key(prompt))
        if scope == "mine":
            scored = self._near_own(vector, viewer)
        else:
            searcher = viewer if scope == "all" else NOBODY
            wide = min(1000, max(2 * k, k + 20))
            hits = self.index.search(vector, wide, searcher.owner_id)
            scored = self._rows({hit.id: hit.score for hit in hits}, searcher)
        found = [
            Found(row, round(float(together(score, letters.likeness(letters_of(row.prompt_key)))), 4))
            for row, score in scored
        ]
        found.sort(key=lambda one: (-one.score, -one.generation.created_at))
        return (found if scope == "mine" else _one_of_each(found))[:k]

    def _rows(self, scores: dict[str, float], viewer: Viewer) -> list[tuple[PastPrompt, float]]:
        """The rows of index hits that this person may really see (the database has the last word).

        SQLite is asked by id alone and for the truth of the condition: as a condition it would walk through everything
        public instead.
        """
        with self._database.look() as session:
            query = select(visible_to(viewer), *SHOWN).where(Generation.index_id.in_(scores))
            found = [PastPrompt(*row) for visible, *row in session.execute(query) if visible]
        return [(row, scores[row.index_id]) for row in found if row.status == "succeeded"]

    def _near_own(self, vector: np.ndarray, viewer: Viewer) -> list[tuple[PastPrompt, float]]:
        encoder = self.require()
        with self._database.read() as session:
            query = (
                select(Generation.vector, *SHOWN)
                .where(owned_by(viewer), Generation.status == "succeeded", Generation.encoder_id == encoder.encoder_id)
                .order_by(Generation.created_at.desc()).limit(OWN_ROWS)
            )  # fmt: skip
            rows = [row for row in session.execute(query) if row.vector]
        if not rows:
            return []
        import numpy as np

        matrix = np.frombuffer(b"".join(row.vector for row in rows), dtype=np.float32)
        scores = matrix.reshape(len(rows), -1) @ vector  # (rows,)
        return [(PastPrompt(*row[1:]), float(score)) for row, score in zip(rows, scores, strict=True)]


def together(meaning: Score, letters: Score, weight: float = LEXICAL_WEIGHT) -> Score:
    """Letters may lift what the vectors say, never lower it: the other language shares none, and means the same."""
    import numpy as np

    lifted: Score = meaning + weight * np.maximum(0.0, letters - meaning)
    return lifted


class Letters:
    """A search key and its 1-3-grams, to be compared with those of others."""

    def __init__(self, key: str) -> None:
        self.key = key
        text = key.replace(" ", "")[:300]
        self.grams = {text[i : i + n] for n in (1, 2, 3) for i in range(len(text) - n + 1)}

    def likeness(self, other: Letters) -> float:
        """Cosine of the two sets, 0-1; at least 0.9 where this key, two letters or more, is a part of the other."""
        if not self.grams or not other.grams:
            return 0.0
        cosine: float = len(self.grams & other.grams) / (len(self.grams) * len(other.grams)) ** 0.5
        return max(cosine, 0.9) if len(self.key) > 1 and self.key in other.key else cosine


@lru_cache(maxsize=2048)
def letters_of(key: str) -> Letters:
    """The letters of a search key; the same few neighbours are compared with again and again."""
    return Letters(key)


def _one_of_each(found: list[Found]) -> list[Found]:
    """The newest of each prompt, in the order of the best."""
    seen: dict[str, Found] = {}
    for one in found:
        seen.setdefault(one.generation.prompt_key, one)
    return list(seen.values())
