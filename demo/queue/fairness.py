"""In which order waiting jobs begin, and how many of one person or address may wait: pure functions over numbers.

Time is counted in turns, a number that grows with every job that comes and every batch that begins, so that a wall
clock that jumps changes nobody's place. Two rings decide: addresses take turns, and within an address its people do.
Whoever comes joins the end of the ring: neither a newcomer nor somebody who was away for long passes those who wait.
The share of places is a dynamic threshold: what one may hold shrinks with what is left free.
Ref: Choudhury & Hahne 1998, Dynamic Queue Length Thresholds for Shared-Memory Packet Switches.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

Due = tuple[float, float, str]  # since when one is to be served, when its first job came, its id
JOBS_OF_ONE_OWNER_IN_A_BATCH = 2  # so that somebody else waits for at most two


class Waiting(NamedTuple):
    """What the order of the queue depends on.

    `turn`: when it came; `address_turn`: when a job of its address last began.
    """

    id: str
    owner_id: str
    turn: float
    n: int
    batch_key: str
    attempt: int
    address: str | None = None
    address_turn: float = 0
    weights: str = ""

    @property
    def place(self) -> str:
        """Where it came from: the address, or the person where none is known."""
        return self.address or f"person {self.owner_id}"


def fair_order(waiting: Sequence[Waiting], served: Mapping[str, float]) -> list[Waiting]:
    """Order jobs so that addresses, and the people of each, take turns. `served`: owner → turn of the last service.

    A ring whose members go to its end when they are served is sorted by (rounds before, who was first in the first).
    """
    people: dict[tuple[str, str], list[Waiting]] = defaultdict(list)
    for job in sorted(waiting, key=lambda job: job.turn):
        people[job.place, job.owner_id].append(job)
    places: dict[str, list[tuple[int, Due, Waiting]]] = defaultdict(list)
    for (place, owner), jobs in people.items():
        due = (max(served.get(owner, 0.0), jobs[0].turn), jobs[0].turn, jobs[0].id)
        places[place] += ((rounds, due, job) for rounds, job in enumerate(jobs))
    order: list[tuple[int, Due, Waiting]] = []
    for line in places.values():
        line.sort(key=_by_round)
        came, id = min((job.turn, job.id) for rounds, _, job in line if rounds == 0)
        last = max(job.address_turn if job.address else served.get(job.owner_id, 0.0) for *_, job in line)
        due = (max(last, came), came, id)
        order += ((rounds, due, job) for rounds, (*_, job) in enumerate(line))
    order.sort(key=_by_round)
    return [job for *_, job in order]


def _by_round(entry: tuple[int, Due, Waiting]) -> tuple[int, Due]:
    return entry[:2]


def choose_batch(order: Sequence[Waiting], most_pictures: int) -> list[Waiting]:
    """The first job and those of its batch key that fit beside it; one that killed a worker is drawn alone."""
    head, batch = order[0], [order[0]]
    if head.attempt > 0:
        return batch
    pictures, held = head.n, {head.owner_id: 1}
    for job in order[1:]:
        fits = pictures + job.n <= most_pictures and job.batch_key == head.batch_key and job.attempt == 0
        if fits and held.get(job.owner_id, 0) < JOBS_OF_ONE_OWNER_IN_A_BATCH:
            batch.append(job)
            pictures += job.n
            held[job.owner_id] = held.get(job.owner_id, 0) + 1
    return batch


@dataclass(frozen=True)
class QueueLimits:
    """The waiting places: of everybody (`queue`), of one person, and the share that one address may take."""

    queue: int
    per_owner: int
    address_share: float

    def refusal(self, waiting: int, mine_open: int, mine_waiting: int, from_address: int) -> str | None:
        """Why one more job is refused: too_many_jobs, queue_full, address_full; None when there is a place.

        `waiting`: jobs of everybody that wait; `mine_open`: this person's that wait or run; `mine_waiting`: that wait;
        `from_address`: that wait and came from the same address.
        """
        free = self.queue - waiting
        if mine_open >= self.per_owner:
            return "too_many_jobs"
        if free <= 0:
            return "queue_full"
        if mine_waiting and mine_waiting >= free:
            return "too_many_jobs"
        share = self.address_share
        if share < 1 and from_address and from_address >= free * share / (1 - share):
            return "address_full"
        return None
