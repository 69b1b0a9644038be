"""What every shelf of tests may use: projects, services, a model stand-in, real agent files."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.project import ROOT, Project
from tests.service import Service
from tests.stand_in import StandIn, executable
from tests.wired import WIRES, Wired, serve_all

IN_CI = os.environ.get("CI") == "true"

# No timing assertions: a slow machine is no finding. CI draws the same examples each time.
settings.register_profile(
    "bmad2pf", deadline=None, derandomize=IN_CI, suppress_health_check=[HealthCheck.too_slow]
)
# For the other Pythons of CI: --hypothesis-profile=brief
settings.register_profile("brief", parent=settings.get_profile("bmad2pf"), max_examples=20)
settings.load_profile("bmad2pf")

StartService = Callable[..., Service]
MakeProject = Callable[..., Project]


@pytest.fixture(autouse=True)
def _logging_as_at_first() -> Iterator[None]:
    """A service that was started in this process set up logging for all tests that come later."""
    ours, root = logging.getLogger("scripts.runtime"), logging.root
    handlers, level = root.handlers[:], root.level
    ours.handlers, ours.propagate = [], True
    ours.setLevel(logging.NOTSET)
    yield
    root.handlers = handlers
    root.setLevel(level)


@pytest.fixture
def project(tmp_path: Path) -> MakeProject:
    """`project({"agents/a.md": "…"})` writes below `bmad/`; `name=` gives another folder."""

    def make(files: Mapping[str, str | bytes], name: str = "project") -> Project:
        root = tmp_path / name
        root.mkdir(exist_ok=True)
        return Project(root).write(files)

    return make


@pytest.fixture
def service(tmp_path: Path) -> Iterator[StartService]:
    """`service(root, environment={…})` serves `root/generated`; all of them are ended."""
    numbers = itertools.count()
    running = contextlib.ExitStack()

    def start(
        root: Path,
        environment: Mapping[str, str] | None = None,
        *,
        command: Sequence[str] = ("-m", "generated"),
        wait: bool = True,
    ) -> Service:
        log = tmp_path / f"service-{next(numbers)}.log"
        child = Service(root, log=log, environment=environment, command=command)
        running.callback(child.stop)
        return child.wait_until_live() if wait else child

    with running:
        yield start


@pytest.fixture(scope="session")
def aimock_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """One stand-in for the whole session; tests take `aimock`."""
    program = executable()
    if program is None and IN_CI:
        pytest.fail("the model stand-in is missing: run make aimock")
    if program is None:
        pytest.skip("no model stand-in: install Node 20.15 or newer, then run make aimock")
    server = StandIn(program, log=tmp_path_factory.mktemp("aimock") / "log")
    try:
        yield server.wait_until_live()
    finally:
        server.stop()


@pytest.fixture
def aimock(aimock_server: StandIn) -> StandIn:
    """The stand-in with its default answer and an empty journal."""
    aimock_server.load_default()
    return aimock_server


@pytest.fixture(scope="session")
def wired_services(
    aimock_server: StandIn, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Sequence[Wired]]:
    """One service for each provider, for the whole session; tests take `wired`."""
    yield from serve_all(tmp_path_factory.mktemp("wired"), aimock_server)


@pytest.fixture(params=range(len(WIRES)), ids=WIRES)
def wired(
    request: pytest.FixtureRequest, wired_services: Sequence[Wired], aimock: StandIn
) -> Wired:
    """A service of this provider with a story of its own; nothing is broken yet."""
    found = wired_services[request.param]
    found.faulty.does()
    return Wired(found.provider, found.service, found.faulty, aimock)


@pytest.fixture(scope="session")
def corpus() -> Path:
    """Real agent files of others, beside the checkout; tests that read them skip without."""
    folder = ROOT.parent / "shared" / "corpus"
    if not folder.is_dir():
        pytest.skip("no corpus of agent files beside the checkout")
    return folder
