"""A BentoML service around a model, without its adaptive batches: of so small a model they answered some requests with 503 at 32 in flight and carried no more."""

import base64

import bentoml
from peer_model import SETTINGS, bytes_arrays, json_answer, json_arrays, load


@bentoml.service(workers=SETTINGS["workers"], threads=1, traffic={"timeout": 60})
class Served:
    def __init__(self):
        self.run = load()

    @bentoml.api
    def infer(self, inputs: list[dict]) -> dict:
        return json_answer(self.run(json_arrays({"inputs": inputs})))

    @bentoml.api
    def infer_base64(self, input: str) -> dict:
        return json_answer(self.run(bytes_arrays(base64.b64decode(input), SETTINGS["shape"])))
