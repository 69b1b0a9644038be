"""Metrics as Prometheus reads them: what was counted, and how things stand at this moment."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from .. import __version__
from ..series import BOUNDS, Family, Sample
from .openapi import problems
from .problems import NO_ROUTE, Problem
from .route import Route
from .service import Service, service_of

if TYPE_CHECKING:
    from prometheus_client import Metric

PATH: Final = "/metrics"
_TEXT: Final[dict[str, Any]] = {
    "description": "The text format of Prometheus, or OpenMetrics where `Accept` asks for it",
    "content": {"text/plain": {"schema": {"type": "string"}}},
}

router = APIRouter(route_class=Route, tags=["metrics"])


@router.get(PATH, response_model=None, responses={200: _TEXT, **problems(404)})
async def metrics(request: Request) -> Response:
    """What the service has done and what it is doing, for Prometheus."""
    service = service_of(request)
    if service.settings.server.metrics == "off":
        raise Problem(404, "not_found", NO_ROUTE)
    families = [*service.metrics.families(), *_present(service)]
    accepted = request.headers.get("accept", "")
    # In a thread: the first look imports the library, and there may be thousands of lines.
    body, kind = await asyncio.to_thread(_exposed, families, accepted)
    return Response(body, media_type=None, headers={"content-type": kind, "vary": "Accept"})


def _present(service: Service) -> Iterator[Family]:
    """Gauges: how it stands now."""
    lanes = service.services.lanes
    model, store = service.services.model, service.services.memory
    facts = (__version__, model.provider, store.backend if store else "none")
    yield _gauge("bmad_info", "What runs.", ("version", "provider", "memory"), (facts, 1))
    yield _gauge("bmad_ready", "1 while runs can begin.", (), ((), service.unready is None))
    yield _gauge("bmad_runs_active", "Runs going on.", (), ((), service.executor.active))
    yield _gauge("bmad_tasks", "Tasks of asyncio.", (), ((), len(asyncio.all_tasks())))
    yield _gauge("bmad_places_free", "Model calls that could begin.", (), ((), lanes.places.free))
    waiting = [(("concurrency", ""), lanes.places.waiting)]
    waiting += [
        (("rate_limit", provider), lane.rates.waiting)
        for provider, lane in lanes.known.items()
        if lane.rates is not None
    ]
    yield _gauge("bmad_queue_waiting", "Model calls that wait.", ("reason", "provider"), *waiting)
    down = [((provider,), not lane.breaker.closed) for provider, lane in lanes.known.items()]
    yield _gauge("bmad_breaker_open", "1 while a provider is left alone.", ("provider",), *down)


def _gauge(name: str, help: str, labels: tuple[str, ...], *samples: tuple[Any, float]) -> Family:
    found = [Sample(values, float(value)) for values, value in samples]
    return Family("gauge", name, help, labels, found)


class _Collector:
    """The families as the library wants them."""

    def __init__(self, families: Iterable[Family]) -> None:
        self.families = families

    def collect(self) -> Iterator[Metric]:
        from prometheus_client.core import (
            CounterMetricFamily,
            GaugeMetricFamily,
            HistogramMetricFamily,
        )

        for kind, name, help, labels, samples in self.families:
            if kind == "histogram":
                timer = HistogramMetricFamily(name, help, labels=labels)
                for sample in samples:
                    timer.add_metric(sample.labels, _buckets(sample), sample.value)
                yield timer
                continue
            made = CounterMetricFamily if kind == "counter" else GaugeMetricFamily
            family = made(name, help, labels=labels)
            for sample in samples:
                family.add_metric(sample.labels, sample.value)
            yield family


def _buckets(sample: Sample) -> list[tuple[str, float]]:
    names = [*map(str, map(float, BOUNDS)), "+Inf"]
    return list(zip(names, map(float, accumulate(sample.counts)), strict=True))


def _exposed(families: Iterable[Family], accepted: str) -> tuple[bytes, str]:
    # Imported here: it is paid for by whoever asks, and not at the start.
    from prometheus_client import CollectorRegistry, ProcessCollector
    from prometheus_client.exposition import choose_encoder

    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(_Collector(families))
    encode, kind = choose_encoder(accepted)
    return encode(registry), kind
