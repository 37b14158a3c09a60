"""Takes what handlers report. Nothing is sent anywhere: a number that is overwritten or whose batch is over is gone."""

from __future__ import annotations

from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from .metric_type_enum import MetricTypes


class Report(NamedTuple):
    """A number of one batch. `idx`: the request of the batch that it is about; None: all."""

    name: str
    value: float
    unit: str
    idx: Optional[int]
    dimensions: list


class CachedMetric:
    """A metric that lives as long as the model; a value for each combination of its dimensions' values."""

    def __init__(self, metric_name: str, unit: str, dimension_names: Sequence[str], metric_type: MetricTypes) -> None:
        self.metric_name = metric_name
        self.unit = unit
        self.dimension_names = list(dimension_names)
        self.metric_type = metric_type
        self.values: Dict[Tuple[str, ...], float] = {}

    def add_or_update(self, value, dimension_values: Sequence[str] = (), request_id: str = "") -> None:
        if len(dimension_values) != len(self.dimension_names):
            raise ValueError(f"{self.metric_name} has the dimensions {self.dimension_names}, got values {list(dimension_values)}")
        key = tuple(str(text) for text in dimension_values)
        # As many series as a model's authors can mean: values that clients choose must not fill the memory.
        if key not in self.values and len(self.values) >= 1000:
            return
        is_sum = self.metric_type is MetricTypes.COUNTER
        self.values[key] = self.values.get(key, 0) + value if is_sum else value

    def update(self, value, dimension_values: Sequence[str] = (), request_id: str = "") -> None:
        self.add_or_update(value, dimension_values, request_id)


class MetricsStore:
    """`context.metrics`."""

    def __init__(self, request_ids, model_name: str) -> None:
        self.request_ids = request_ids
        self.model_name = model_name
        self.store: List[Report] = []
        self.cache: Dict[Tuple[MetricTypes, str], CachedMetric] = {}

    def begin(self, request_ids) -> None:
        """A batch begins: the numbers of the one before go."""
        self.request_ids = request_ids
        self.store.clear()

    def add_metric_to_cache(
        self,
        metric_name: str,
        unit: str,
        dimension_names: Sequence[str] = (),
        metric_type: MetricTypes = MetricTypes.COUNTER,
    ) -> CachedMetric:
        """The metric of this name and kind, made where there is none."""
        return self.cache.setdefault(
            (metric_type, metric_name), CachedMetric(metric_name, unit, dimension_names, metric_type)
        )

    def get_metric(self, metric_name: str, metric_type: MetricTypes = MetricTypes.COUNTER) -> CachedMetric:
        if (metric_type, metric_name) not in self.cache:
            raise KeyError(f"there is no {metric_type.value} {metric_name}; make it with add_metric_to_cache")
        return self.cache[metric_type, metric_name]

    def add_metric(self, name, value=0, unit="unit", idx=None, dimensions=None, metric_type=None) -> None:
        self.store.append(Report(name, value, unit, idx, list(dimensions or [])))

    def add_counter(self, name, value=1, idx=None, dimensions=None) -> None:
        self.add_metric(name, value, "count", idx, dimensions)

    def add_time(self, name, value, idx=None, unit="ms", dimensions=None, metric_type=None) -> None:
        self.add_metric(name, value, unit, idx, dimensions)

    def add_size(self, name, value, idx=None, unit="MB", dimensions=None, metric_type=None) -> None:
        self.add_metric(name, value, unit, idx, dimensions)

    def add_percent(self, name, value, idx=None, dimensions=None, metric_type=None) -> None:
        self.add_metric(name, value, "percent", idx, dimensions)

    def add_error(self, name, value, dimensions=None) -> None:
        self.add_metric(name, value, "", None, dimensions)
