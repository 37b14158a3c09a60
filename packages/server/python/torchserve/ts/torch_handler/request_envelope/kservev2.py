"""The Open Inference Protocol as TorchServe has it: the handler gets the inputs of one request as a list, and each of its results is an output."""

from __future__ import annotations

import json

import numpy as np

from . import base

# By their kind, the datatypes that are not called as numpy calls them.
_NAMES = {"bool": "BOOL", "float16": "FP16", "float32": "FP32", "float64": "FP64", "object": "BYTES"}


class KServev2Envelope(base.BaseEnvelope):
    _names: list = []
    _request_id: object = None

    def parse_input(self, data: list) -> list:
        request = base.content_of(data[0])
        if isinstance(request, (bytes, bytearray)):
            request = json.loads(request.decode("utf8"))
        inputs = request["inputs"]
        self._names = [tensor["name"] for tensor in inputs]
        written = request.get("id")
        self._request_id = written if written and written.strip() else None
        return [{**tensor, "data": _values(tensor)} for tensor in inputs]

    def format_output(self, data: list) -> list:
        model = self.context.manifest.get("model")
        return [
            {
                "id": self._request_id or self.context.get_request_id(0),
                "model_name": model.get("modelName"),
                "model_version": model.get("modelVersion"),
                "outputs": [_output(value, self._names[index]) for index, value in enumerate(data)],
            }
        ]


def _values(tensor: dict) -> object:
    if tensor["datatype"] == "BYTES":
        return tensor["data"][0]
    return np.array(tensor["data"]).reshape(tuple(tensor["shape"])).tolist()


def _output(value: object, name: str) -> dict:
    flat = np.array(value).flatten()
    return {"name": name, "datatype": _datatype(flat.dtype), "data": flat.tolist(), "shape": list(flat.shape)}


def _datatype(dtype: np.dtype) -> str:
    return "BYTES" if dtype.kind == "U" else _NAMES.get(str(dtype), str(dtype).upper())
