"""What stands between requests and a handler: it unpacks what clients of another protocol send, and packs what the handler answers."""

from __future__ import annotations

from typing import Callable, List


class BaseEnvelope:
    def __init__(self, handle_fn: Callable[[list, object], object]) -> None:
        self._handle_fn = handle_fn
        self.context: object = None

    def handle(self, data: list, context: object) -> object:
        self.context = context
        results = self._handle_fn(self.parse_input(data) if data else data, context)
        return self.format_output(results) if results else results

    def parse_input(self, data: list) -> list:
        raise NotImplementedError

    def format_output(self, data: list) -> list:
        raise NotImplementedError


def content_of(row: dict) -> object:
    """What a request holds under the usual names."""
    return row.get("data") or row.get("body")


def contents_of(rows: list) -> List[object]:
    return [content_of(row) for row in rows]
