"""Memory in Redis beside redis-py's own pipelines: `python -m bench.redis_store`."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from scripts.runtime.settings import RedisSettings
from scripts.runtime.stores.redismemory import HISTORY, RedisMemory
from scripts.runtime.stores.redisscripts import WRITE

from .options import deliver, parse
from .process import Cost, environment
from .report import Aim, Report, Table
from .rounds import Candidate, Samples, interleave

_TOGETHER = 100  # calls that are under way at once, and commands of a pipeline
_AGENTS = 10
_VALUE = "x" * 200
_TTL = 86_400
_START_SECONDS = 10.0

_PUT, _SAME, _SCRIPT, _BARE, _ALONE = (
    "put, ours",
    "put, the same commands",
    "put, our script",
    "put, HSET alone",
    "put, HSET, one by one",
)
_GET, _HGET = "get, ours", "get, HGET and json"
_RUN, _RUN_PIPED, _RUN_ALONE = "run, ours", "run, pipelines", "run, one by one"

Work = Callable[[int], Awaitable[None]]


class Bench:
    """Everything that is measured, on one server; sizes are in calls."""

    def __init__(self, port: int) -> None:
        settings = RedisSettings.model_validate({"url": f"redis://127.0.0.1:{port}/0", "ttl": _TTL})
        self.ours = RedisMemory(settings)
        self.redis = Redis(host="127.0.0.1", port=port)

    async def put(self, calls: int) -> None:
        async def caller(number: int) -> None:
            for _ in range(calls // _TOGETHER):
                await self.ours.put("shared:ours", f"k{number}", _VALUE)

        await asyncio.gather(*map(caller, range(_TOGETHER)))

    async def put_same(self, calls: int) -> None:
        """The four commands that a write needs, without a number that is nobody else's."""
        for _ in range(calls // _TOGETHER):
            pipe = self.redis.pipeline(transaction=False)
            for number in range(_TOGETHER):
                _write(pipe, f"k{number}")
            await pipe.execute()

    async def put_script(self, calls: int) -> None:
        for _ in range(calls // _TOGETHER):
            pipe = self.redis.pipeline(transaction=False)
            for number in range(_TOGETHER):
                more = (f"k{number}", _rest(f"k{number}"), "set", _TTL, b"12345678", "0")
                pipe.evalsha(WRITE.sha, 2, "memory", "history", *more)
            await pipe.execute()

    async def put_bare(self, calls: int) -> None:
        for _ in range(calls // _TOGETHER):
            pipe = self.redis.pipeline(transaction=False)
            for number in range(_TOGETHER):
                pipe.hset("bare", f"k{number}", _rest(f"k{number}"))
            await pipe.execute()

    async def put_alone(self, calls: int) -> None:
        for number in range(calls // 10):  # as a whole it would take too long
            await self.redis.hset("bare", f"k{number % _TOGETHER}", _rest("k"))

    async def get(self, calls: int) -> None:
        async def caller(number: int) -> None:
            for _ in range(calls // _TOGETHER):
                entry = await self.ours.get("shared:ours", f"k{number}")
                assert entry is not None
                assert entry.value == _VALUE

        await asyncio.gather(*map(caller, range(_TOGETHER)))

    async def hget(self, calls: int) -> None:
        for _ in range(calls // _TOGETHER):
            pipe = self.redis.pipeline(transaction=False)
            for number in range(_TOGETHER):
                pipe.hget("bmad_pf_memory:shared:ours", f"k{number}")
            assert all(json.loads(found)["value"] == _VALUE for found in await pipe.execute())

    async def run(self, calls: int) -> None:
        """Ten agents beside each other, each reading its last value and writing one."""

        async def agent(number: int) -> None:
            await self.ours.get("shared:ours", f"k{number}")
            await self.ours.put("shared:ours", f"k{number}", _VALUE)

        for _ in range(calls // _AGENTS):
            await asyncio.gather(*map(agent, range(_AGENTS)))

    async def run_piped(self, calls: int) -> None:
        for _ in range(calls // _AGENTS):
            pipe = self.redis.pipeline(transaction=False)
            for number in range(_AGENTS):
                pipe.hget("bmad_pf_memory:shared:ours", f"k{number}")
            for found in await pipe.execute():
                json.loads(found)
            for number in range(_AGENTS):
                _write(pipe, f"k{number}")
            await pipe.execute()

    async def run_alone(self, calls: int) -> None:
        for _ in range(calls // _AGENTS // 10):
            for number in range(_AGENTS):
                found = await self.redis.hget("bmad_pf_memory:shared:ours", f"k{number}")
                assert found is not None
                json.loads(found)
                pipe = self.redis.pipeline(transaction=False)
                _write(pipe, f"k{number}")
                await pipe.execute()

    async def check(self) -> None:
        """What was written is there, and no more than should be."""
        seq, entries = await self.ours.dump("shared:ours")
        assert {entry.value for entry in entries} == {_VALUE}
        assert len({entry.key for entry in entries}) == _TOGETHER
        assert seq > HISTORY or len(entries) == seq

    async def close(self) -> None:
        await self.ours.close()
        await self.redis.aclose()


def _rest(key: str) -> str:
    """What ours writes for a value, without its number."""
    return (
        f',"key":"{key}","value":{json.dumps(_VALUE)},"scope":"shared:ours",'
        '"timestamp":"2026-01-01T00:00:00.000Z","op":"set"}'
    )


def _write(pipe: Any, key: str) -> None:
    rest = _rest(key)
    pipe.hset("memory", key, rest)
    pipe.xadd("stream", {"entry": rest, "token": b"12345678"}, maxlen=HISTORY, approximate=False)
    pipe.expire("memory", _TTL)
    pipe.expire("stream", _TTL)


def main(arguments: list[str] | None = None) -> None:
    """Measure, then print the table and the aims."""
    options = parse(__doc__ or "", arguments)
    program = shutil.which("redis-server")
    if program is None:
        print("bench.redis_store: not measured, there is no redis-server to measure with")
        return
    calls = 2_000 if options.quick else 10_000
    report = Report("Memory in Redis", options.rounds)
    with _server(program) as port, asyncio.Runner() as runner:
        bench = runner.run(_made(port))
        samples = interleave(list(_candidates(bench, runner, calls)), options.rounds)
        runner.run(bench.check())
        runner.run(bench.close())
    report.tables = [_table(samples)]
    report.aims = list(_aims(samples))
    report.notes.append(
        f"{_TOGETHER} calls under way at once, {len(_VALUE)} B each; a run is ten agents, of which "
        "each reads its last value and writes one. CPU is the client's, not the server's."
    )
    deliver(report, options)


async def _made(port: int) -> Bench:
    bench = Bench(port)
    await bench.put(_TOGETHER)
    await bench.redis.script_load(WRITE.source)
    return bench


def _candidates(bench: Bench, runner: asyncio.Runner, calls: int) -> Iterator[Candidate]:
    works: Sequence[tuple[str, Work, int]] = (
        (_PUT, bench.put, calls),
        (_SAME, bench.put_same, calls),
        (_SCRIPT, bench.put_script, calls),
        (_BARE, bench.put_bare, calls),
        (_ALONE, bench.put_alone, calls // 10),
        (_GET, bench.get, calls),
        (_HGET, bench.hget, calls),
        (_RUN, bench.run, calls // _AGENTS),
        (_RUN_PIPED, bench.run_piped, calls // _AGENTS),
        (_RUN_ALONE, bench.run_alone, calls // _AGENTS // 10),
    )
    for name, work, units in works:
        yield Candidate(name, _timed(runner, work, calls, units))


def _timed(runner: asyncio.Runner, work: Work, calls: int, units: int) -> Callable[[], Cost]:
    """Microseconds of one unit: a call, or a run."""

    async def once() -> None:
        await work(calls)

    def run() -> Cost:
        cpu, wall = time.process_time(), time.perf_counter()
        runner.run(once())
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        return Cost(1e6 * cpu / units, 1e6 * wall / units)

    return run


def _table(samples: Samples) -> Table:
    table = Table("One call, one run", ("", "per second", "wall µs", "CPU µs"))
    for name in samples.costs:
        cost = samples.median(name)
        table.add(name, f"{1e6 / cost.wall:,.0f}", f"{cost.wall:.1f}", f"{cost.cpu:.1f}")
    return table


def _aims(samples: Samples) -> Iterator[Aim]:
    """0.8 times the rate is 1.25 times the time."""
    for ours, theirs, limit in (
        (_PUT, _SAME, 1.25),
        (_PUT, _SCRIPT, 1.25),
        (_PUT, _BARE, None),
        (_GET, _HGET, 1.25),
        (_RUN, _RUN_PIPED, 1.25),
        (_RUN, _RUN_ALONE, None),
    ):
        yield Aim(
            f"{ours} ÷ {theirs.partition(', ')[2]}", samples.ratios(ours, theirs, "wall"), limit
        )


@contextmanager
def _server(program: str) -> Iterator[int]:
    """A redis-server that keeps nothing, on a port of its own."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="bench-redis-") as folder:
        command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
        process = subprocess.Popen(
            command, cwd=folder, env=environment(Path(folder)), stdout=subprocess.DEVNULL
        )
        try:
            _wait_for(port)
            yield port
        finally:
            process.terminate()
            process.wait()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


if __name__ == "__main__":
    main()
