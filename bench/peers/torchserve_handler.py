"""A handler of TorchServe around a TorchScript model that speaks the same JSON as the other peers, in batches."""

import numpy as np
from peer_model import SETTINGS, bytes_arrays, json_answer, json_arrays, load, run_rows


class Served:
    def initialize(self, context):
        self.run = load()
        self.is_initialized = True

    def handle(self, data, context):
        results = run_rows(self.run, [self.arrays(row) for row in data])
        return [np.ascontiguousarray(result).tobytes() if self.is_binary(row) else json_answer(result) for row, result in zip(data, results)]

    def is_binary(self, row):
        return not isinstance(row.get("body") or row.get("data"), dict)

    def arrays(self, row):
        body = row.get("body") or row.get("data")
        return json_arrays(body) if isinstance(body, dict) else bytes_arrays(bytes(body), SETTINGS["shape"])
