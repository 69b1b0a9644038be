"""What Redis answers when it cannot, in our words: its own may quote what was sent to it."""

from __future__ import annotations

from typing import Final

from redis.exceptions import AuthenticationError, RedisError, ResponseError

from ..errors import StoreError, StoreUnavailable

# By the first word of its answer.
_REFUSALS: Final = {
    "LOADING": "is still loading its data",
    "READONLY": "is a replica that takes no writes",
    "MASTERDOWN": "is a replica without its master",
    "MISCONF": "cannot save to its disk, and so takes no writes",
    "BUSY": "is busy with a script",
    "NOPERM": "does not let this user do that",
    "NOAUTH": "wants a password",
    "WRONGPASS": "refuses the user name or the password",
    "WRONGTYPE": "keeps something of another program under this key",
    "MOVED": "is part of a cluster, which is not supported",
    "CROSSSLOT": "is part of a cluster, which is not supported",
    "CLUSTERDOWN": "is part of a cluster that is down",
}
_NO_DATABASE: Final = "DB index is out of range"
_WORDS: Final = 40  # characters of an unknown code that are shown


def unreachable(why: str) -> StoreUnavailable:
    """`why` is the rest of a sentence; where the server is, clients need not know."""
    return StoreUnavailable(f"Redis {why}", store="memory")


def damaged(scope: str) -> StoreError:
    """Someone has written over the number of the last write."""
    message = f"memory in Redis is damaged: #seq of {scope} is no number"
    return StoreError(message, store="memory")


def fault(error: BaseException) -> StoreError:
    """The StoreError for what redis-py or the system raised: 507 without room, 500 for damage, else
    503."""
    code = code_of(error)
    if code == "DAMAGED":  # as our own script says
        return damaged("this scope")
    if code == "OOM":
        return StoreError("Redis has no memory left for more", store="memory", status=507)
    if code in _REFUSALS:
        return unreachable(_REFUSALS[code])
    if isinstance(error, AuthenticationError):
        return unreachable(_REFUSALS["WRONGPASS"])
    if isinstance(error, ResponseError) and _NO_DATABASE in str(error):
        return unreachable("has no database of the number in its URL")
    if isinstance(error, ResponseError):
        return unreachable(f"refuses ({code})" if code else "refuses")
    return unreachable("cannot be reached")


def code_of(error: BaseException) -> str:
    """The code that an answer of Redis begins with, empty where there is none."""
    if not isinstance(error, RedisError):
        return ""
    code = error.status_code or str(error).partition(" ")[0]
    known = code.isascii() and code.isalpha() and code.isupper() and len(code) < _WORDS
    return code if known else ""


def reason_of(error: BaseException | None) -> str:
    """What the system or TLS says of a connection: for the log, and never what was sent on it."""
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__ or error.__context__
    return (error.strerror or type(error).__name__) if error is not None else ""
