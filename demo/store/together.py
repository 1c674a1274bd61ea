"""Work that is cheaper together: whoever comes while some is being done is served by the next round, all at once.

A commit waits for the disk and an encoder's layers cost a start each: forty requests at once are one commit and one
batch. There is no thread and no delay: somebody who comes alone does their work alone, at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from sqlalchemy.orm import Session

from demo.store.database import Database
from demo.store.errors import ServiceError

Given = TypeVar("Given")
Got = TypeVar("Got")


class _Ticket(Generic[Given, Got]):
    def __init__(self, given: Given) -> None:
        self.given = given
        self.got: Got | None = None
        self.error: BaseException | None = None
        self.done = False
        self._woken = threading.Lock()
        self._woken.acquire()

    def wait(self) -> None:
        """Until `wake` was called, once."""
        self._woken.acquire()

    def wake(self) -> None:
        self._woken.release()


class Together(Generic[Given, Got]):
    """Call it from many threads; `work` gets up to `most` givens and answers each with a result or an exception.

    One of those who wait does the next round. Each is woken by itself: a lock that all of them take one after the
    other would keep the next round waiting for every one of the last.
    """

    def __init__(self, work: Callable[[Sequence[Given]], Sequence[Got | Exception]], most: int) -> None:
        self._work, self._most = work, most
        self._guard = threading.Lock()
        self._working = False
        self._waiting: list[_Ticket[Given, Got]] = []

    def __call__(self, given: Given) -> Got:
        """The result for `given`. Raises what `work` answered or raised."""
        ticket = _Ticket[Given, Got](given)
        with self._guard:
            self._waiting.append(ticket)
            mine, self._working = not self._working, True
        if not mine:
            ticket.wait()
        if not ticket.done:
            self._round()
        if ticket.error is not None:
            raise ticket.error
        return ticket.got  # type: ignore[return-value]

    def _round(self) -> None:
        """Answer the first of those who wait, this thread's ticket before all, and let the next one do the rest."""
        with self._guard:
            tickets, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
        try:
            answers = self._work([ticket.given for ticket in tickets])
            for ticket, answer in zip(tickets, answers, strict=True):
                if isinstance(answer, Exception):
                    ticket.error = answer
                else:
                    ticket.got = answer
        except BaseException as error:
            for ticket in tickets:
                ticket.error = error
        finally:
            for ticket in tickets:
                ticket.done = True
            with self._guard:
                self._working = bool(self._waiting)
                following = self._waiting[:1]
            for ticket in [*following, *tickets[1:]]:
                ticket.wake()


Change = Callable[[Session], object]


class GroupCommit:
    """Run changes of many threads in few transactions; each is whole or not there, and on the disk when it returns.

    A change raises ServiceError only before it has written anything that must not stay.
    """

    def __init__(self, database: Database, most: int = 64) -> None:
        self._database = database
        self._together: Together[Change, object] = Together(self._commit, most)

    def __call__(self, change: Change) -> object:
        """What `change(session)` returned, once it is committed. Raises what it raised, or the commit did."""
        return self._together(change)

    def _commit(self, changes: Sequence[Change]) -> list[object]:
        try:
            with self._database.write() as session:
                return [_result(change, session) for change in changes]
        except Exception:
            if len(changes) == 1:
                raise
        return self._commit_each(changes)

    def _commit_each(self, changes: Sequence[Change]) -> list[object]:
        """All again, each behind a savepoint: one of them fails, and the others must not."""
        results: list[object] = []
        with self._database.write() as session:
            for change in changes:
                try:
                    with session.begin_nested():
                        results.append(change(session))
                except Exception as error:
                    results.append(error)
        return results


def _result(change: Change, session: Session) -> object:
    """What a change returned, or the ServiceError with which it refused."""
    try:
        return change(session)
    except ServiceError as error:
        return error
