"""What a provider's failures become: one kind of error each, without secrets."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import quote

from ..errors import ModelError, RateLimitError

MAX_MESSAGE: Final = 500

_RETRYABLE: Final = frozenset({408, 409, 425, 429})
_NO_MONEY: Final = frozenset({"insufficient_quota", "billing_hard_limit_reached"})
_KEY_LIKE: Final = re.compile(r"\bsk-[\w*.-]{4,}|\b(?:Bearer|Basic)\s+[^\s\"',}]+", re.IGNORECASE)


def without_secrets(text: str, *secrets: str) -> str:
    """`text` on one line, shortened, with the secrets and whatever looks like a key taken out."""
    for secret in filter(None, secrets):
        for form in {secret, quote(secret, safe="")}:
            text = text.replace(form, "[secret]")
    text = _KEY_LIKE.sub("[secret]", text)
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= MAX_MESSAGE else text[: MAX_MESSAGE - 1] + "…"


def status_fault(
    status: int, message: str, *, provider: str, code: str | None, headers: Mapping[str, str]
) -> ModelError:
    """The error for an HTTP answer that is none; `message` is free of secrets."""
    message = f"{provider} answered {status}: {message}" if message else f"{provider}: {status}"
    if status == 429 and code not in _NO_MONEY:
        return RateLimitError(message, provider=provider, retry_after=retry_after(headers))
    is_retryable = status >= 500 or (status in _RETRYABLE and code not in _NO_MONEY)
    return ModelError(message, provider=provider, retryable=is_retryable, http_status=status)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from `Retry-After-Ms`, or `Retry-After` as a number or a date."""
    millis = _number(headers.get("retry-after-ms"))
    if millis is not None:
        return millis / 1000
    value = headers.get("retry-after")
    seconds = _number(value)
    if seconds is not None or value is None:
        return seconds
    try:
        return max(parsedate_to_datetime(value).timestamp() - time.time(), 0.0)
    except (ValueError, OverflowError):
        return None


def _number(text: str | None) -> float | None:
    if text is None or not re.fullmatch(r"\s*[0-9]{1,9}(?:\.[0-9]{1,9})?\s*", text):
        return None
    return float(text)
