"""What OpenTelemetry is told, kept in memory: its own SDK and exporters, set up once in a process."""

from __future__ import annotations

import json
import threading
from functools import lru_cache
from typing import Any, Dict, List, Tuple

from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

PATIENCE = 20.0


class Exporter(InMemorySpanExporter):
    """The SDK's, which can also be waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.exported = threading.Condition()

    def export(self, spans: Any) -> Any:
        with self.exported:
            result = super().export(spans)
            self.exported.notify_all()
        return result


class Recorder:
    """Spans and metrics since the test began."""

    def __init__(self) -> None:
        self._exporter = Exporter()
        delta = {Histogram: AggregationTemporality.DELTA, Counter: AggregationTemporality.DELTA}
        self._reader = InMemoryMetricReader(preferred_temporality=delta)
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        trace.set_tracer_provider(provider)
        metrics.set_meter_provider(MeterProvider([self._reader]))
        self.tracer = trace.get_tracer("the program")

    def forget(self) -> None:
        self._exporter.clear()
        self._reader.get_metrics_data()

    @property
    def spans(self) -> List[ReadableSpan]:
        """The SDK's spans that have ended, in that order."""
        ended = self._exporter.get_finished_spans()
        return [span for span in ended if _scope(span) == "nexusai"]

    @property
    def span(self) -> ReadableSpan:
        """The only one."""
        (only,) = self.spans
        return only

    def wait_for(self, count: int) -> List[ReadableSpan]:
        """Until so many have ended."""
        with self._exporter.exported:
            assert self._exporter.exported.wait_for(lambda: len(self.spans) >= count, PATIENCE)
        return self.spans

    def measured(self) -> Dict[str, List[Tuple[Dict[str, Any], Any]]]:
        """Of each of our metrics since it was last asked: attributes, and sum or point."""
        data = self._reader.get_metrics_data()
        found: Dict[str, List[Tuple[Dict[str, Any], Any]]] = {}
        for of_resource in data.resource_metrics if data is not None else []:
            for of_scope in of_resource.scope_metrics:
                if of_scope.scope.name != "nexusai":  # OpenTelemetry measures itself, in some versions
                    continue
                for metric in of_scope.metrics:
                    points = [(dict(point.attributes or {}), point) for point in metric.data.data_points]
                    found.setdefault(metric.name, []).extend(points)
        return found

    def everything(self) -> str:
        """All that was told, as text."""
        spans = [span.to_json() for span in self._exporter.get_finished_spans()]
        return json.dumps(spans, ensure_ascii=False) + repr(self.measured())


def _scope(span: ReadableSpan) -> str:
    return span.instrumentation_scope.name if span.instrumentation_scope is not None else ""


@lru_cache(maxsize=1)
def recorder() -> Recorder:
    return Recorder()
