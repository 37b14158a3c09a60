"""Takes what handlers report of one batch. The numbers are kept with the batch, and go when it does."""

from __future__ import annotations

from typing import Dict, List, NamedTuple, Optional


class Metric(NamedTuple):
    name: str
    value: float
    unit: str
    idx: Optional[int]
    dimensions: list


class MetricsStore:
    def __init__(self, request_ids, model_name: str) -> None:
        self.request_ids = request_ids
        self.model_name = model_name
        self.store: List[Metric] = []
        self.cache: Dict[str, Metric] = {}

    def add_metric(self, name, value=0, unit="unit", idx=None, dimensions=None, metric_type=None) -> None:
        self.store.append(Metric(name, value, unit, idx, list(dimensions or [])))

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
