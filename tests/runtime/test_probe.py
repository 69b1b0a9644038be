"""Whether memory can be used: asked seldom, and never waited for long."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from scripts.runtime.errors import StoreUnavailable
from scripts.runtime.stores.probe import Probe
from scripts.runtime.stores.protocol import MemoryStore


class Asked:
    """A store of which only its health is asked; `answer` says how it is."""

    backend = "asked"

    def __init__(self, answer: Callable[[], Awaitable[None]]) -> None:
        self.answer = answer
        self.times = 0

    async def check(self) -> None:
        self.times += 1
        await self.answer()


def probe(store: Asked, **options: Any) -> Probe:
    return Probe(cast(MemoryStore, store), **options)


async def well() -> None:
    await asyncio.sleep(0)


async def gone() -> None:
    raise StoreUnavailable("it is away", store="memory")


def test_many_who_ask_are_one_question() -> None:
    async def run() -> None:
        store = Asked(well)
        probed = probe(store, every=60)
        for _ in range(20):
            found = await asyncio.gather(*(probed.fault() for _ in range(20)))
            assert found == [None] * 20
        assert store.times == 1

    asyncio.run(run())


def test_it_is_seen_to_go_and_to_come_back() -> None:
    async def run() -> None:
        store = Asked(well)
        probed = probe(store, every=0)
        assert await probed.fault() is None
        store.answer = gone
        assert await probed.fault() == "memory (asked): it is away"
        store.answer = well
        assert await probed.fault() is None
        assert store.times == 3

    asyncio.run(run())


def test_of_a_store_that_hangs_one_question_is_under_way() -> None:
    async def run() -> None:
        end = asyncio.Event()

        async def hang() -> None:
            await end.wait()

        store = Asked(hang)
        probed = probe(store, every=0, wait=0.01)
        for _ in range(3):
            found = await asyncio.gather(*(probed.fault() for _ in range(5)))
            assert found == ["memory (asked) does not answer"] * 5
        assert store.times == 1
        end.set()
        store.answer = well
        await asyncio.sleep(0)
        assert await probed.fault() is None
        store.answer = hang
        end.clear()
        assert await probed.fault() is not None
        await probed.close()

    asyncio.run(run())


def test_a_class_that_is_broken_is_a_fault(caplog: pytest.LogCaptureFixture) -> None:
    async def broken() -> None:
        raise KeyError("canary")

    found = asyncio.run(probe(Asked(broken)).fault())
    assert found == "memory (asked) could not be checked"
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
