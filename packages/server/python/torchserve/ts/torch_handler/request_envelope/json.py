"""`{"instances": [...]}` as TensorFlow Serving has it: a request may hold several rows, of which the handler gets one list."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import List

from . import base


class JSONEnvelope(base.BaseEnvelope):
    _counts: List[int] = []

    def parse_input(self, data: list) -> list:
        requests = [_instances(base.content_of(row) or row) for row in data]
        self._counts = [len(instances) for instances in requests]
        return [instance for instances in requests for instance in instances]

    def format_output(self, data: list) -> list:
        answers = []
        start = 0
        for count in self._counts:
            answers.append(json.dumps({"predictions": data[start : start + count]}))
            start += count
        return answers


def _instances(request: dict) -> list:
    rows = request["instances"]
    if not isinstance(rows[0], dict):
        return rows
    return [_plain(row) if _is_base64(row) else {name: _plain(value) for name, value in row.items()} for row in rows]


def _is_base64(value: object) -> bool:
    return isinstance(value, dict) and list(value) == ["b64"]


def _plain(value: object) -> object:
    return b64decode(value["b64"]) if _is_base64(value) else value
