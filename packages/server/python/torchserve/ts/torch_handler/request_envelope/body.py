"""Handlers get what a request holds, and not under which name."""

from __future__ import annotations

from . import base


class BodyEnvelope(base.BaseEnvelope):
    def parse_input(self, data: list) -> list:
        return base.contents_of(data)

    def format_output(self, data: list) -> list:
        return data
