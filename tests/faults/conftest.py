"""Processes that are killed tell no coverage: they need not be slowed down by counting it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module", autouse=True)
def uncounted() -> Iterator[None]:
    """What a test of this shelf starts runs without coverage; the test itself does not."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
        yield
