"""MLServer's custom runtime around a model; MLServer itself makes the batches."""

import base64

import numpy as np
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse
from peer_model import SETTINGS, bytes_arrays, load


class Served(MLModel):
    async def load(self) -> bool:
        self.served = load()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        inputs = {value.name: value for value in payload.inputs}
        arrays = [self.array(inputs[name], dtype) for name, dtype in SETTINGS["inputs"].items()]
        result = self.served(arrays)
        return InferenceResponse(model_name=self.name, outputs=[NumpyCodec.encode_output(SETTINGS["output"], result)])

    def array(self, value, dtype):
        if value.datatype == "BYTES":
            shape = SETTINGS["shape"]
            return np.concatenate([bytes_arrays(base64.b64decode(text), shape)[0] for text in value.data])
        return NumpyCodec.decode_input(value).astype(dtype, copy=False)
