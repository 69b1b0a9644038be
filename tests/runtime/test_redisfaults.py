"""What Redis answers when it cannot, in our words."""

from __future__ import annotations

import pytest
from redis import exceptions

from scripts.runtime.stores.redisfaults import fault, reason_of

SECRET = "canary-31aa"


@pytest.mark.parametrize(
    ("error", "status", "says"),
    [
        (exceptions.OutOfMemoryError(SECRET, status_code="OOM"), 507, "has no memory left"),
        (exceptions.ReadOnlyError(SECRET, status_code="READONLY"), 503, "is a replica"),
        (exceptions.BusyLoadingError(SECRET, status_code="LOADING"), 503, "is still loading"),
        (exceptions.NoPermissionError(SECRET, status_code="NOPERM"), 503, "does not let this user"),
        (exceptions.AuthenticationError(SECRET, status_code="NOAUTH"), 503, "wants a password"),
        (exceptions.AuthenticationError(SECRET), 503, "refuses the user name or the password"),
        (exceptions.ResponseError(f"MISCONF {SECRET}"), 503, "cannot save to its disk"),
        (exceptions.ResponseError(f"BUSY {SECRET}"), 503, "is busy with a script"),
        (exceptions.ResponseError(f"WRONGTYPE {SECRET}"), 503, "of another program"),
        (exceptions.ResponseError(f"CROSSSLOT {SECRET}"), 503, "part of a cluster"),
        (exceptions.ResponseError(f"ERR {SECRET}"), 503, "refuses (ERR)"),
        (exceptions.ResponseError("ERR DB index is out of range"), 503, "has no database of the"),
        (exceptions.ResponseError(f"{SECRET} is odd"), 503, "refuses"),
        (exceptions.ResponseError(""), 503, "refuses"),
        (exceptions.InvalidResponse(SECRET), 503, "cannot be reached"),
        (exceptions.ConnectionError(SECRET), 503, "cannot be reached"),
        (OSError(111, SECRET), 503, "cannot be reached"),
    ],
)
def test_every_refusal_has_words_of_ours(error: Exception, status: int, says: str) -> None:
    told = fault(error)
    assert told.status == status
    assert says in told.message
    assert SECRET not in told.message
    assert told.retryable is (status == 503)


def test_the_reason_is_that_of_the_system() -> None:
    refused = exceptions.ConnectionError(f"to {SECRET}")
    refused.__context__ = ConnectionRefusedError(111, "Connection refused")
    assert reason_of(refused) == "Connection refused"
    assert reason_of(ConnectionResetError()) == "ConnectionResetError"
    assert reason_of(exceptions.ConnectionError(SECRET)) == ""
