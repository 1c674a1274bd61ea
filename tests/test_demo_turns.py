"""Reads give way to writes in the web process, and never stop."""

from __future__ import annotations

import asyncio
import contextlib

from demo.web.bridge import Turns


async def begun(turns: Turns, names: list[str], name: str, reads: bool, end: asyncio.Event) -> None:
    async with turns.take(reads):
        names.append(name)
        await end.wait()


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def test_each_write_in_flight_takes_the_turn_of_a_read_but_of_the_last_one() -> None:
    async def run() -> None:
        turns, names, writes_end, reads_end = Turns(readers=3), list[str](), asyncio.Event(), asyncio.Event()
        writes = [asyncio.create_task(begun(turns, names, f"write {i}", False, writes_end)) for i in range(5)]
        await settle()
        assert len(names) == 5  # writes never wait
        reads = [asyncio.create_task(begun(turns, names, f"read {i}", True, reads_end)) for i in range(4)]
        await settle()
        assert names[5:] == ["read 0"]
        writes_end.set()
        await settle()
        assert names[5:] == ["read 0", "read 1", "read 2"]
        reads_end.set()
        await asyncio.gather(*writes, *reads)
        assert names[5:] == [f"read {i}" for i in range(4)]

    asyncio.run(run())


def test_a_read_that_is_given_up_passes_its_turn_on() -> None:
    async def run() -> None:
        turns, names, end = Turns(readers=1), list[str](), asyncio.Event()
        tasks = [asyncio.create_task(begun(turns, names, str(i), True, end)) for i in range(3)]
        await settle()
        tasks[1].cancel()  # waits
        await settle()
        end.set()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        assert names == ["0", "2"]
        async with asyncio.timeout(5), turns.take(reads=True):
            pass

    asyncio.run(run())


def test_a_turn_given_to_a_read_that_is_cancelled_in_that_moment_is_not_lost() -> None:
    async def run() -> None:
        turns, names, end = Turns(readers=1), list[str](), asyncio.Event()
        first, second = (asyncio.create_task(begun(turns, names, str(i), True, end)) for i in range(2))
        await settle()
        end.set()
        await first  # its end gives the turn to the second, which has not run yet
        second.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await second
        async with asyncio.timeout(5), turns.take(reads=True):
            pass

    asyncio.run(run())
