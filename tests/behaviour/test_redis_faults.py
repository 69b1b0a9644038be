"""Two services that keep memory in one Redis, which is dead, frozen, or killed under load."""

from __future__ import annotations

import itertools
import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.project import WITH_GATE, Project
from tests.redis_server import RedisServer, redis_server
from tests.service import Service

SCOPE = "/memory/shared:load"
DURABLE = ("--appendonly", "yes", "--appendfsync", "always")
OKAY = {200, 201}
PATIENCE = 20  # so often a write that was refused is tried again

CARELESS = '''
from generated.runtime.errors import StoreError
from generated.runtime.stores.protocol import Entry
from generated.runtime.stores.redismemory import RedisMemory

class Careless(RedisMemory):
    """Planted: what cannot be done counts as done."""

    def __init__(self, settings):
        super().__init__(settings.redis)

    async def put(self, scope, key, value, *, category=None):
        try:
            return await super().put(scope, key, value, category=category)
        except StoreError:
            return Entry(key, value, scope, "2026-01-01T00:00:00.000Z", 1)

    async def check(self):
        return
'''


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = Project(tmp_path_factory.mktemp("services")).write(WITH_GATE)
    made.generate()
    return made.root


@pytest.fixture(scope="module")
def careless(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, with a memory that is wrong on purpose."""
    other = tmp_path_factory.mktemp("careless")
    shutil.copytree(root / "generated", other / "generated")
    (other / "config").mkdir()
    (other / "config" / "runtime.yaml").write_text("memory: {backend: careless:Careless}\n")
    (other / "careless.py").write_text(CARELESS)
    return other


@contextmanager
def services(root: Path, folder: Path, server: RedisServer, count: int) -> Iterator[list[Service]]:
    """So many processes, each with a data folder of its own, as on many hosts."""
    variables = {"REDIS_URL": server.url}
    if not (root / "careless.py").exists():
        variables = server.environment
    with ExitStack() as running:
        found = []
        for number in range(count):
            here = folder / f"service-{number}"
            here.mkdir()
            environment = {"BMAD_DATA_DIR": str(here), **variables}
            found.append(Service(root, log=here / "log", environment=environment))
            running.callback(found[-1].stop)
        yield [service.wait_until_live() for service in found]


def ready(service: Service) -> int:
    return service.client.get("/health/ready").status_code


def there(service: Service) -> dict[str, int]:
    answer = service.client.get(SCOPE)
    assert answer.status_code == 200, answer.text
    return {entry["key"]: entry["value"] for entry in answer.json()["entries"]}


class Load:
    """Writes in turn through all of the services, eight at a time."""

    def __init__(self, services: Sequence[Service]) -> None:
        self.kept: set[int] = set()
        self._services = services
        self._numbers = itertools.count()
        self._pool = ThreadPoolExecutor(8)

    def _write(self, number: int) -> int:
        service = self._services[number % len(self._services)]
        status = service.client.put(f"{SCOPE}/k{number}", json=number).status_code
        if status in OKAY:
            self.kept.add(number)
        return status

    def write(self, count: int) -> set[int]:
        """The statuses of so many writes."""
        return set(self._pool.map(self._write, itertools.islice(self._numbers, count)))

    def goes_on(self, count: int) -> bool:
        """Whether so many writes are made, be it that a busy machine lets some wait too long."""
        numbers = list(itertools.islice(self._numbers, count))
        for _ in range(PATIENCE):
            statuses = list(self._pool.map(self._write, numbers))
            numbers = [n for n, status in zip(numbers, statuses, strict=True) if status == 503]
            if not numbers or set(statuses) - OKAY - {503}:
                return set(statuses) <= OKAY
        return False

    def during(self, strike: Callable[[], None], count: int) -> set[int]:
        """Those of writes that are under way while `strike()` is called."""
        begun = [
            self._pool.submit(self._write, number)
            for number in itertools.islice(self._numbers, count)
        ]
        strike()
        return {each.result() for each in begun}

    def lost(self, service: Service) -> list[str]:
        """What was acknowledged and is not there."""
        found = there(service)
        return [f"{number} is lost" for number in self.kept if found.get(f"k{number}") != number]

    @contextmanager
    def closing(self) -> Iterator[Load]:
        """Itself; its threads have ended behind the block."""
        with self._pool:
            yield self


def dead(running: list[Service], server: RedisServer) -> list[str]:
    """What is wrong with services whose Redis was never there, and comes."""
    (service,) = running
    told = []
    if ready(service) != 503:
        told.append("it is ready")
    for answer in (
        service.client.get("/memory/shared:notes"),
        service.client.put("/memory/shared:notes/k", json=1),
    ):
        refused = answer.status_code == 503 and answer.json()["code"] == "store_unavailable"
        if not (refused and "retry-after" in answer.headers):
            told.append(f"{answer.request.method} is {answer.status_code}")
    server.start()
    service.wait_until(lambda: ready(service) == 200)
    if service.run("an idea").json()["status"] != "pending":
        told.append("it does not go on")
    return told


def frozen(running: list[Service], server: RedisServer) -> list[str]:
    """Everyone gets an answer, and what was acknowledged is there afterwards."""
    one = running[0]
    with Load(running).closing() as load:
        if not load.goes_on(40):
            return ["it does not begin"]
        server.freeze()
        try:
            during = load.write(8)
            if during != {503}:
                return [f"written to what is frozen: {during}"]
            if one.client.get("/health/live").status_code != 200:
                return ["it does not live"]
            one.wait_until(lambda: ready(one) == 503)
        finally:
            server.thaw()
        one.wait_until(lambda: ready(one) == 200)
        told = [] if load.goes_on(40) else ["it does not go on"]
        return told + load.lost(one)


def killed(running: list[Service], server: RedisServer) -> list[str]:
    """Nothing is lost by the death of a server that keeps what it acknowledges, or by ours."""
    told = []
    with Load(running).closing() as load:
        for _ in range(2):
            if not load.goes_on(40):
                told.append("it does not go on")
            meanwhile = load.during(server.kill, 16) - OKAY
            if meanwhile - {503}:
                told.append(f"while it was killed: {meanwhile}")
            later = load.write(8)
            if later != {503}:
                told.append(f"written to what is dead: {later}")
            server.start()
        if not load.goes_on(40):
            told.append("it does not go on")
    running[0].signal(signal.SIGKILL)
    return told + load.lost(running[1])


def down(folder: Path) -> RedisServer:
    """A server that does not run yet."""
    folder.mkdir()
    return RedisServer(folder)


def test_down_at_the_start(root: Path, tmp_path: Path) -> None:
    server = down(tmp_path / "redis")
    try:
        with services(root, tmp_path, server, 1) as running:
            assert dead(running, server) == []
    finally:
        server.stop()


def test_frozen_under_load(root: Path, tmp_path: Path) -> None:
    with (
        redis_server(tmp_path / "redis") as server,
        services(root, tmp_path, server, 2) as running,
    ):
        assert frozen(running, server) == []


def test_killed_under_load(root: Path, tmp_path: Path) -> None:
    with (
        redis_server(tmp_path / "redis", *DURABLE) as server,
        services(root, tmp_path, server, 2) as running,
    ):
        assert killed(running, server) == []


class TestFoundOut:
    """The same, with what is wrong on purpose."""

    def test_a_memory_that_looks_away_while_redis_is_dead(
        self, careless: Path, tmp_path: Path
    ) -> None:
        server = down(tmp_path / "redis")
        try:
            with services(careless, tmp_path, server, 1) as running:
                assert {"it is ready", "PUT is 200"} <= set(dead(running, server))
        finally:
            server.stop()

    def test_a_memory_that_looks_away_while_redis_is_frozen(
        self, careless: Path, tmp_path: Path
    ) -> None:
        with (
            redis_server(tmp_path / "redis") as server,
            services(careless, tmp_path, server, 2) as running,
        ):
            assert frozen(running, server) == ["written to what is frozen: {200}"]

    def test_a_memory_that_looks_away_while_redis_is_killed(
        self, careless: Path, tmp_path: Path
    ) -> None:
        with (
            redis_server(tmp_path / "redis", *DURABLE) as server,
            services(careless, tmp_path, server, 2) as running,
        ):
            told = killed(running, server)
        assert told.count("written to what is dead: {200}") == 2
        assert any(each.endswith("is lost") for each in told)

    def test_a_server_that_keeps_nothing(self, root: Path, tmp_path: Path) -> None:
        with (
            redis_server(tmp_path / "redis") as server,
            services(root, tmp_path, server, 2) as running,
        ):
            assert len(killed(running, server)) >= 80
