"""A real redis-server for the tests: a port of its own, nothing on the disk unless asked for."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import redis

from scripts.runtime.settings import RedisSettings
from tests.process import Process, clean_environment, free_port

MISSING = "no redis-server: apt-get install redis-server, or brew install redis"


def executable() -> str:
    """The server's path. Skips the test when there is none; in CI that is a failure."""
    found = shutil.which("redis-server")
    if found is None and os.environ.get("CI") == "true":
        pytest.fail(MISSING)
    if found is None:
        pytest.skip(MISSING)
    return found


class RedisServer:
    """A server that can be killed, frozen and started again on the same port."""

    def __init__(self, folder: Path, options: Sequence[str] = ()) -> None:
        """`folder` is for its log and, with options that ask for it, its data."""
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder = folder
        self._options = list(options)
        self._process: Process | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What a service needs to keep its memory here."""
        return {"MEMORY_BACKEND": "redis", "REDIS_URL": self.url}

    def settings(self, **values: Any) -> RedisSettings:
        return RedisSettings.model_validate({"url": self.url, **values})

    def start(self) -> RedisServer:
        command = [executable(), "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        command += ["--dir", str(self._folder), "--daemonize", "no", *self._options]
        self._process = Process(
            command,
            cwd=self._folder,
            environment=clean_environment(),
            log=self._folder / "redis.log",
        )
        self._process.wait_until(self._answers)
        return self

    def kill(self) -> None:
        """SIGKILL: what was not on the disk is gone."""
        self._running.kill()
        self._process = None

    def restart(self) -> None:
        """SIGTERM, which lets it end in order, and start again."""
        self._running.stop()
        self.start()

    def freeze(self) -> None:
        """SIGSTOP: connections stay open, nothing is answered."""
        self._running.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._running.signal(signal.SIGCONT)

    def stop(self) -> None:
        if self._process is not None:
            self.thaw()
            self._process.kill()
            self._process = None

    @contextlib.contextmanager
    def client(self) -> Iterator[redis.Redis]:
        """redis-py's own client, to look at what is there and to break it."""
        with redis.Redis(host="127.0.0.1", port=self.port) as client:
            yield client

    @property
    def _running(self) -> Process:
        assert self._process is not None, "the server does not run"
        return self._process

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                answer = connection.recv(64)
        except OSError:
            return False
        return answer.startswith((b"+PONG", b"-NOAUTH", b"-LOADING"))


@contextlib.contextmanager
def redis_server(folder: Path, *options: str) -> Iterator[RedisServer]:
    """A running server until the end of the block."""
    folder.mkdir(parents=True, exist_ok=True)
    server = RedisServer(folder, options)
    try:
        yield server.start()
    finally:
        server.stop()
