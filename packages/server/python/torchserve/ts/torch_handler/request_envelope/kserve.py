"""KServe's first protocol: `{"instances": [...]}` comes in, `{"predictions": [...]}` goes out."""

from __future__ import annotations

import json

from . import base


class KServeEnvelope(base.BaseEnvelope):
    def parse_input(self, data: list) -> list:
        # One request at a time, as with TorchServe.
        request = base.content_of(data[0])
        if isinstance(request, (bytes, bytearray)):
            request = json.loads(request.decode())
        return request.get("instances")

    def format_output(self, data: list) -> list:
        asks_why = self.context.get_request_header(0, "explain") == "True"
        return [{"explanations" if asks_why else "predictions": data}]
