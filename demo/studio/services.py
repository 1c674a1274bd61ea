"""All services over one database, composed in one place: for the web process and for command lines."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from demo.queue.events import Watcher
from demo.queue.leases import Leases
from demo.queue.relay import Relay, open_relay
from demo.queue.wake import Wake, open_wake
from demo.store.database import Database, open_database
from demo.store.installation import belong_together
from demo.store.settings import Settings
from demo.store.space import Reserve, Space
from demo.store.storage import Storage
from demo.studio.about import About
from demo.studio.asking import Asking
from demo.studio.closet import Closets
from demo.studio.cloth import Cloths, Segmenter
from demo.studio.cloth import open_segmenter as _open_segmenter
from demo.studio.deletion import Deletion
from demo.studio.drafting import Drafting
from demo.studio.generations import Generations
from demo.studio.guessing import Guesser, PictureReader
from demo.studio.guessing import open_describer as _open_describer
from demo.studio.lists import Lists
from demo.studio.owners import Owners
from demo.studio.prompts import reader_for
from demo.studio.publishing import Publishing
from demo.studio.readiness import Readiness
from demo.studio.searching import Encoder, Index, Known, OpenEncoder, Searcher
from demo.studio.styles import Styles
from demo.studio.trash_can import TrashCan
from demo.studio.uploads import Uploads
from demo.studio.user_data import UserData
from demo.studio.zipping import Zipping


@dataclass(frozen=True)
class Services:
    """What views and command lines call."""

    settings: Settings
    database: Database
    storage: Storage
    owners: Owners
    searcher: Searcher
    readiness: Readiness
    generations: Generations
    asking: Asking
    drafting: Drafting
    uploads: Uploads
    deletion: Deletion
    closets: Closets
    cloths: Cloths
    publishing: Publishing
    lists: Lists
    zipping: Zipping
    trash_can: TrashCan
    user_data: UserData
    watcher: Watcher
    about: About
    styles: Styles
    leases: Leases
    space: Space
    reserve: Reserve
    wake: Wake
    relay: Relay

    def warm_up(self) -> threading.Thread:
        """Open the encoder and bring in the starter gallery, beside the answering of requests."""
        from demo.studio.opening import warm_up

        thread = threading.Thread(target=warm_up, args=(self,), name="warm-up", daemon=True)
        thread.start()
        return thread

    def close(self) -> None:
        self.watcher.close()
        self.wake.close()
        self.relay.close()
        self.searcher.close()
        self.database.close()


def open_encoder(path: Path, search: str = "") -> Encoder:
    """The Korean text encoder on one thread: the other cores draw. `search`: folder of another, for search alone."""
    import torch

    from ko_clip.existing import WithSearch, open_prompt_encoder, open_search_encoder

    torch.set_num_threads(1)
    logging.getLogger("ko_clip").setLevel(logging.ERROR)  # its warnings quote prompts; ours go to the person
    encoder = open_prompt_encoder(path)
    return WithSearch(encoder, open_search_encoder(search)) if search else encoder


def open_index(settings: Settings, database: Database, encoder: Encoder | Known, background: bool = True) -> Index:
    """The index of INDEX_URL; the web process keeps the files of a local one fresh in the background."""
    if settings.index_url.startswith("pgvector"):
        return _open_pgvector(database, encoder)
    from index import IndexOptions, PromptIndex

    options = IndexOptions(engine=settings.index_engine, background=background)
    return PromptIndex(settings.index_dir, database.engine, encoder.search_dim, encoder.encoder_id, options)


def open_worker_index(settings: Settings, database: Database, encoder: Encoder | Known) -> Index:
    """A worker and the command line only write records; they leave the files to the web process."""
    return open_index(settings, database, encoder, background=False)


def _open_pgvector(database: Database, encoder: Encoder | Known) -> Index:
    try:
        from index.pgvector_index import PgVectorIndex
    except ImportError as error:
        raise ValueError("INDEX_URL=pgvector needs pgvector: pip install -r requirements-cluster.txt") from error
    return PgVectorIndex(database.engine, encoder.search_dim, encoder.encoder_id)


def open_services(
    settings: Settings,
    open_encoder: OpenEncoder = open_encoder,
    open_index: Callable[[Settings, Database, Encoder | Known], Index] = open_index,
    open_describer: Callable[[Path], PictureReader] = _open_describer,
    open_segmenter: Callable[[Path], Segmenter] = _open_segmenter,
) -> Services:
    """Open the database and everything over it; the encoder is opened by `warm_up`."""
    database = open_database(settings)
    storage = Storage(settings.files_url)
    belong_together(database, storage)
    searcher = Searcher(settings, database, open_encoder, open_index)
    space, reserve = Space(settings, database, storage), Reserve(settings.data_dir)
    readiness = Readiness(settings, database, storage, searcher, space)
    relay = open_relay(settings)
    database.tell = relay.tell
    generations = Generations(database, searcher, relay)
    styles = Styles(database)
    wake, guesser = open_wake(settings), Guesser(settings, storage, open_describer)
    uploads = Uploads(settings, database, storage, space)
    deletion = Deletion(database, storage, searcher, reserve)
    asking = Asking(settings, database, searcher, readiness, generations, wake, styles, guesser)
    watcher, drafting = Watcher(database, relay), Drafting(settings, readiness, asking)
    return Services(
        settings=settings, database=database, storage=storage, owners=Owners(settings, database), searcher=searcher,
        readiness=readiness, generations=generations, asking=asking, drafting=drafting, watcher=watcher,
        uploads=uploads, space=space, reserve=reserve, wake=wake, relay=relay, zipping=Zipping(database, uploads),
        deletion=deletion, trash_can=TrashCan(settings, database, searcher, deletion),
        leases=Leases(database, settings.lease_seconds),
        user_data=UserData(database, storage, searcher), about=About(settings, readiness, searcher, styles, drafting),
        styles=styles, closets=Closets(database), cloths=Cloths(settings, storage, open_segmenter),
        publishing=Publishing(database, searcher),
        lists=Lists(database, searcher, lambda: reader_for(readiness.domain())),
    )  # fmt: skip
