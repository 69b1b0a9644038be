"""What each test of the runtime begins with."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

import pytest

from scripts.runtime.logs import ROOT


@contextlib.contextmanager
def _log_settings_kept() -> Iterator[None]:
    """An application sets up logging for its process, which here is that of all tests."""
    ours, root = logging.getLogger(ROOT), logging.root
    before = [(each, each.level, each.handlers[:], each.propagate) for each in (ours, root)]
    yield
    for logger, level, handlers, propagate in before:
        logger.setLevel(level)
        logger.handlers[:] = handlers
        logger.propagate = propagate


@pytest.fixture(scope="module", autouse=True)
def log_settings_of_the_module() -> Iterator[None]:
    with _log_settings_kept():
        yield


@pytest.fixture(autouse=True)
def log_settings() -> Iterator[None]:
    with _log_settings_kept():
        yield
