"""Reads give way to writes in the web process, and never stop."""

from __future__ import annotations

import asyncio
import contextlib

from demo.web.bridge import LEAST_READERS, Turns


async def begun(turns: Turns, names: list[str], name: str, reads: bool, end: asyncio.Event) -> None:
    async with turns.take(reads):
        names.append(name)
        await end.wait()


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def test_each_write_in_flight_takes_the_turn_of_a_read_but_of_the_last_ones() -> None:
    async def run() -> None:
        turns, names, writes_end, reads_end = Turns(LEAST_READERS + 2), list[str](), asyncio.Event(), asyncio.Event()
        writes = [asyncio.create_task(begun(turns, names, f"write {i}", False, writes_end)) for i in range(5)]
        await settle()
        assert len(names) == 5  # writes never wait
        reads = [asyncio.create_task(begun(turns, names, f"read {i}", True, reads_end)) for i in range(6)]
        await settle()
        assert names[5:] == [f"read {i}" for i in range(LEAST_READERS)]
        writes_end.set()
        await settle()
        assert names[5:] == [f"read {i}" for i in range(LEAST_READERS + 2)]
        reads_end.set()
        await asyncio.gather(*writes, *reads)
        assert names[5:] == [f"read {i}" for i in range(6)]

    asyncio.run(run())


def test_a_read_that_is_given_up_passes_its_turn_on() -> None:
    async def run() -> None:
        turns, names, end = Turns(LEAST_READERS), list[str](), asyncio.Event()
        tasks = [asyncio.create_task(begun(turns, names, str(i), True, end)) for i in range(LEAST_READERS + 2)]
        await settle()
        tasks[LEAST_READERS].cancel()  # waits
        await settle()
        end.set()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        assert names == [str(i) for i in range(LEAST_READERS + 2) if i != LEAST_READERS]
        async with asyncio.timeout(5), turns.take(reads=True):
            pass

    asyncio.run(run())


def test_a_turn_given_to_a_read_that_is_cancelled_in_that_moment_is_not_lost() -> None:
    async def run() -> None:
        turns, names, end = Turns(LEAST_READERS), list[str](), asyncio.Event()
        tasks = [asyncio.create_task(begun(turns, names, str(i), True, end)) for i in range(LEAST_READERS + 1)]
        await settle()
        end.set()
        await tasks[0]  # its end gives the turn to the last, which has not run yet
        tasks[-1].cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        async with asyncio.timeout(5), contextlib.AsyncExitStack() as turns_again:
            for _ in range(LEAST_READERS):
                await turns_again.enter_async_context(turns.take(reads=True))

    asyncio.run(run())
