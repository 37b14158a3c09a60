"""Takes what handlers report, for the server to show."""

from __future__ import annotations

import math
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from .metric_type_enum import MetricTypes

# Reports of one batch: what is more is dropped, so that a handler in a loop fills no memory.
_MOST_REPORTS = 1000
_UNITS = {
    "ms": "Milliseconds",
    "s": "Seconds",
    "percent": "Percent",
    "count": "Count",
    "MB": "Megabytes",
    "GB": "Gigabytes",
    "kB": "Kilobytes",
    "B": "Bytes",
    "": "unit",
}


class Report(NamedTuple):
    """A number. `dimensions`: names and values."""

    kind: str
    name: str
    value: float
    unit: str
    dimensions: List[Tuple[str, str]]


class CachedMetric:
    """A metric that lives as long as the model, with a value for each combination of its dimensions' values."""

    def __init__(
        self, store: "MetricsStore", metric_name: str, unit: str, dimension_names: Sequence[str], metric_type: MetricTypes
    ) -> None:
        self._store = store
        self.metric_name = metric_name
        self.unit = _UNITS.get(unit, unit)
        self.dimension_names = list(dimension_names or ())
        self.metric_type = metric_type

    def add_or_update(self, value, dimension_values: Sequence[str] = (), request_id: str = "") -> None:
        if len(dimension_values) != len(self.dimension_names):
            raise ValueError(f"{self.metric_name} has the dimensions {self.dimension_names}, got values {list(dimension_values)}")
        dimensions = [(str(name), str(text)) for name, text in zip(self.dimension_names, dimension_values)]
        if self.metric_type is MetricTypes.COUNTER and value < 0:
            raise ValueError("Counter metric update value cannot be negative")
        self._store.report(Report(self.metric_type.value, str(self.metric_name), float(value), str(self.unit), dimensions))

    def update(self, value, dimension_values: Sequence[str] = (), request_id: str = "") -> None:
        self.add_or_update(value, dimension_values, request_id)


class MetricsStore:
    """`context.metrics`."""

    def __init__(self, request_ids, model_name: str, declared: Sequence[dict] = ()) -> None:
        """`declared`: the metrics of the server's metrics.yaml, each with `kind`, `name`, `unit` and `dimensions`."""
        self.request_ids = request_ids
        self.model_name = model_name
        self.cache: Dict[Tuple[MetricTypes, str], CachedMetric] = {}
        self._reports: List[Report] = []
        for one in declared:
            metric = self.add_metric_to_cache(one["name"], one["unit"], one["dimensions"], MetricTypes(one["kind"]))
            metric.unit = one["unit"]

    def set_request_ids(self, request_ids) -> None:
        self.request_ids = request_ids

    def report(self, report: Report) -> None:
        if math.isfinite(report.value) and len(self._reports) < _MOST_REPORTS:
            self._reports.append(report)

    def take(self) -> List[Report]:
        """What was reported since the last time."""
        taken, self._reports = self._reports, []
        return taken

    def add_metric_to_cache(
        self,
        metric_name: str,
        unit: str,
        dimension_names: Sequence[str] = (),
        metric_type: MetricTypes = MetricTypes.COUNTER,
    ) -> CachedMetric:
        """Makes the metric of this name and kind anew."""
        metric = CachedMetric(self, metric_name, unit, dimension_names, metric_type)
        self.cache[metric_type, metric_name] = metric
        return metric

    def get_metric(self, metric_name: str, metric_type: MetricTypes = MetricTypes.COUNTER) -> CachedMetric:
        if (metric_type, metric_name) not in self.cache:
            raise KeyError(
                f"there is no {metric_type.value} {metric_name}: add_metric_to_cache makes it, or the server's metrics.yaml (--torchserve-metrics)"
            )
        return self.cache[metric_type, metric_name]

    def add_metric(
        self, name, value=0, unit="unit", idx=None, dimensions=None, metric_type: Optional[MetricTypes] = MetricTypes.COUNTER
    ) -> None:
        given = [(str(one.name), str(one.value)) for one in dimensions or ()]
        names = {key for key, _ in given}
        # As TorchServe adds them; what is reported outside a batch is of no model there.
        defaults = [("ModelName", self.model_name), ("Level", "Model")] if self.request_ids else [("Level", "Error")]
        given += [one for one in defaults if one[0] not in names]
        kind = (metric_type or MetricTypes.COUNTER).value
        self.report(Report(kind, str(name), float(value), _UNITS.get(unit, str(unit)), given))

    def add_counter(self, name, value=1, idx=None, dimensions=None) -> None:
        self.add_metric(name, value, "count", idx, dimensions)

    def add_time(self, name, value, idx=None, unit="ms", dimensions=None, metric_type=MetricTypes.GAUGE) -> None:
        _require(unit, ("ms", "s"), "timed")
        self.add_metric(name, value, unit, idx, dimensions, metric_type)

    def add_size(self, name, value, idx=None, unit="MB", dimensions=None, metric_type=MetricTypes.GAUGE) -> None:
        _require(unit, ("MB", "kB", "GB", "B"), "size based")
        self.add_metric(name, value, unit, idx, dimensions, metric_type)

    def add_percent(self, name, value, idx=None, dimensions=None, metric_type=MetricTypes.GAUGE) -> None:
        self.add_metric(name, value, "percent", idx, dimensions, metric_type)

    def add_error(self, name, value, dimensions=None) -> None:
        """`value`: how many, or words, which a metric cannot hold: they go to the log, and one is counted."""
        if isinstance(value, str):
            print(f"{name}: {value[:1000]}")
            value = 1
        given = [(str(one.name), str(one.value)) for one in dimensions or ()]
        self.report(Report(MetricTypes.COUNTER.value, str(name), float(value), "unit", [*given, ("Level", "Error")]))


def _require(unit: str, units: Sequence[str], what: str) -> None:
    if unit not in units:
        raise ValueError(f"the unit of a {what} metric is one of {', '.join(units)}, got {str(unit)[:40]}")
