"""What a client wants to read."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request

from .problems import Problem


def choose(request: Request, offers: Sequence[str]) -> str:
    """The offered media type that `Accept` likes best; the first one for `*/*` or none.

    Raises Problem 406 when none is wanted.
    """
    header = ",".join(request.headers.getlist("accept")).strip()
    if not header:
        return offers[0]
    wanted = [_range(part) for part in header.split(",")]
    best, best_quality = None, 0.0
    for offer in offers:
        quality = _quality(offer, wanted)
        if quality > best_quality:
            best, best_quality = offer, quality
    if best is None:
        raise Problem(406, "not_acceptable", f"this is offered as {' or '.join(offers)}")
    return best


def prefers(request: Request, offer: str, *others: str) -> bool:
    """Whether `Accept` names `offer` and likes it better than all the others."""
    header = ",".join(request.headers.getlist("accept"))
    if offer not in header.lower():
        return False
    wanted = [_range(part) for part in header.split(",")]
    return _quality(offer, wanted) > max(_quality(other, wanted) for other in others)


def _range(part: str) -> tuple[str, float]:
    name, *parameters = part.split(";")
    quality = 1.0
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip().lower() == "q":
            try:
                quality = min(max(float(value), 0.0), 1.0)
            except ValueError:
                quality = 0.0
    return name.strip().lower(), quality


def _quality(offer: str, wanted: Sequence[tuple[str, float]]) -> float:
    """The most specific range decides, as RFC 9110 has it."""
    for name in (offer, f"{offer.partition('/')[0]}/*", "*/*"):
        for candidate, quality in wanted:
            if candidate == name:
                return quality
    return 0.0
