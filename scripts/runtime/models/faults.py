"""What a provider's failures become: one kind of error each, without secrets."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import quote

from ..errors import ContextTooLong, ModelError, RateLimitError

MAX_MESSAGE: Final = 500

_RETRYABLE: Final = frozenset({408, 409, 425, 429})
_NO_MONEY: Final = frozenset({"insufficient_quota", "billing_hard_limit_reached"})
_KEY_LIKE: Final = re.compile(
    r"\bsk-[\w*.-]{4,}|\bAIza[\w*-]{4,}|\b(?:Bearer|Basic)\s+[^\s\"',}]+", re.IGNORECASE
)
_REFUSALS: Final = frozenset({400, 413, 422})
_TOO_LONG: Final = re.compile(
    r"context[ _](?:length|window|size)|prompt is too long|input token count"
    r"|input (?:is|are) too long|request_too_large|request too large",
    re.IGNORECASE,
)
_NO_SCHEMA: Final = re.compile(
    r"response_?(?:format|schema|json_?schema)|json[_ ]?schema|output_(?:config|format)"
    r"|response[_ ]?mime|structured output|grammar",
    re.IGNORECASE,
)


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
    if status == 413 or (status in _REFUSALS and _TOO_LONG.search(f"{code} {message}")):
        return ContextTooLong(message, provider=provider, http_status=status)
    is_retryable = status >= 500 or (status in _RETRYABLE and code not in _NO_MONEY)
    error = ModelError(message, provider=provider, retryable=is_retryable, http_status=status)
    error.retry_after = retry_after(headers) if is_retryable else None
    return error


def refuses_schema(error: ModelError) -> bool:
    """Whether the provider took offence at the schema of the answer, and at nothing else."""
    is_refusal = error.http_status in _REFUSALS and not isinstance(error, ContextTooLong)
    return is_refusal and _NO_SCHEMA.search(error.message) is not None


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
