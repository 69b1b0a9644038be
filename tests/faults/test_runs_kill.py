"""SIGKILL at any moment of runs: what was kept is not paid again, and every run ends."""

from __future__ import annotations

import contextlib
import json
import random
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from scripts.runtime.stores.record import BadLine, unseal
from tests.faults.rounds import ROUNDS
from tests.faults.runs_child import BEFORE
from tests.project import ROOT

KILLS = 30 * ROUNDS
STORIES = 6
Asked = tuple[str, str]  # story, step


class Counting(socketserver.ThreadingTCPServer):
    """Answers each question after a moment, and notes it when it comes."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, chance: random.Random) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.chance = chance
        self.asked: list[tuple[str, Asked]] = []  # the life in which it was, too
        self.life = 0

    @property
    def port(self) -> int:
        port: int = self.server_address[1]
        return port

    def asked_now(self) -> list[Asked]:
        """What this life of the process has asked."""
        return [asked for life, asked in self.asked if life == str(self.life)]


class _Answer(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, Counting)
        question = self.rfile.readline().decode()
        if not question.endswith("\n"):
            return  # killed while it asked
        life, story, step = question.split()
        self.server.asked.append((life, (story, step)))
        time.sleep(self.server.chance.uniform(0, 0.02))
        with contextlib.suppress(ConnectionError):  # killed meanwhile
            self.wfile.write(f"{step}-of-{story}\n".encode())


@contextmanager
def counting(chance: random.Random) -> Iterator[Counting]:
    with Counting(chance) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()


def start(
    folder: Path, server: Counting, durability: str, stories: list[str]
) -> subprocess.Popen[str]:
    server.life += 1
    command = [sys.executable, "-m", "tests.faults.runs_child"]
    command += [str(folder), str(server.port), durability, str(server.life), *stories]
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline().rstrip() == "ready"
    return child


def recorded(folder: Path, kills: int) -> tuple[dict[str, str], set[Asked]]:
    """The run of each story, and its finished steps; each kill may have torn one line of it."""
    runs: dict[str, str] = {}
    steps: set[Asked] = set()
    for path in (folder / "memory" / "runs").glob("*.jsonl"):
        torn = 0
        for line in filter(None, path.read_bytes().split(b"\n")):
            try:
                found = unseal(line)
            except BadLine:
                torn += 1
                assert torn <= kills, f"{path.name}: {line!r}"
                continue
            if found["op"] == "run":
                story = found["story_id"]
                runs[story] = found["run_id"]
            elif found["op"] == "step":
                steps.add((story, found["step"]))
    return runs, steps


class Life:
    """What may be asked in one life of the process, given what was recorded at its start."""

    def __init__(self, before: set[Asked]) -> None:
        self.before = before

    def check(self, asked: list[Asked], after: set[Asked], stories: list[str]) -> None:
        assert len(asked) == len(set(asked)), "a step was asked twice in one life"
        assert not self.before & set(asked), "a recorded step was asked again"
        for story, step in asked:
            if story not in stories:
                continue
            for earlier in BEFORE[step]:
                assert (story, earlier) in after, f"{step} began before {earlier} was on disk"


@pytest.mark.parametrize("durability", ["commit", "always"])
def test_no_recorded_step_is_asked_again(tmp_path: Path, durability: str) -> None:
    chance = random.Random(durability)
    kills = rounds = 0
    kept: list[int] = []
    with counting(chance) as server:
        while kills < KILLS // 2:
            rounds += 1
            stories = [f"S-{rounds}-{number}" for number in range(STORIES)]
            kills += until_all_end(tmp_path, server, durability, stories, KILLS // 2 - kills, kept)
            assert list((tmp_path / "memory" / "runs").glob("*")) == []
    assert kills == KILLS // 2
    assert sum(number > 0 for number in kept) > kills // 3, "too few kills met a run at work"


def until_all_end(
    folder: Path, server: Counting, durability: str, stories: list[str], kills: int, kept: list[int]
) -> int:
    """Kill and start again, `kills` times at most, until the stories have ended.

    `kept` takes the number of new steps that each life has left.
    """
    done, known = 0, dict[str, str]()
    while True:
        runs, before = recorded(folder, done)
        for story, run_id in runs.items():
            assert known.setdefault(story, run_id) == run_id, "it went on as another run"
        # Without a file a story has not begun, or has ended: then it starts afresh.
        known = {story: run_id for story, run_id in known.items() if story in runs}
        child = start(folder, server, durability, stories)
        # Later lives have less to do: in the last of them there may be too little time.
        if done == kills or not killed(child, server, before):
            output, _ = child.communicate(timeout=60)
            assert child.returncode == 0
            ended = dict(line.split() for line in output.splitlines())
            assert ended.keys() == set(stories)
            assert known.items() <= ended.items()
            assert not before & set(server.asked_now())
            return done
        done += 1
        runs, after = recorded(folder, done)
        Life(before).check(server.asked_now(), after, list(runs))
        kept.append(len(after - before))


def killed(child: subprocess.Popen[str], server: Counting, before: set[Asked]) -> bool:
    """Kill it when it has asked for some steps; whether it was still running then.

    Every second life is left to keep a step first, however slow the machine is.
    """
    wanted = server.chance.randint(0, 2 * STORIES)

    def is_time() -> bool:
        asked = server.asked_now()
        if server.life % 2:
            return any({(story, each) for each in BEFORE[step]} - before for story, step in asked)
        return len(asked) >= wanted

    while child.poll() is None and not is_time():
        time.sleep(0.001)
    try:
        child.wait(server.chance.uniform(0, 0.03))
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
        assert child.stdout is not None
        child.stdout.close()
        return True
    return False


def test_the_check_would_see_a_step_that_is_paid_twice() -> None:
    life = Life({("S", "plan")})
    with pytest.raises(AssertionError, match="asked again"):
        life.check([("S", "plan")], set(), ["S"])
    with pytest.raises(AssertionError, match="before plan was on disk"):
        life.check([("S", "left")], set(), ["S"])


def test_the_files_are_json_for_ordinary_tools(tmp_path: Path) -> None:
    with counting(random.Random(1)) as server:
        child = start(tmp_path, server, "commit", ["S-1"])
        while not list((tmp_path / "memory" / "runs").glob("*")):
            assert child.poll() is None
        child.kill()
        child.communicate()
    for path in (tmp_path / "memory" / "runs").glob("*"):
        for line in path.read_text("ascii").splitlines():
            found: dict[str, Any] = json.loads(line)
            assert list(found)[-1] == "crc"
        assert path.stat().st_mode & 0o777 == 0o600
