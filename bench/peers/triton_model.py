"""The model behind Triton: ONNX Runtime in its Python backend, one run per batch, as `dynamic_batching` hands it over.

Parameters of config.pbtxt: `onnx` and `threads`.
"""

import json

import numpy as np
import onnxruntime
import triton_python_backend_utils as pb


class TritonPythonModel:
    def initialize(self, args):
        config = json.loads(args["model_config"])
        parameters = {key: value["string_value"] for key, value in config["parameters"].items()}
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = int(parameters["threads"])
        self.session = onnxruntime.InferenceSession(parameters["onnx"], options, ["CPUExecutionProvider"])
        self.inputs = [value.name for value in self.session.get_inputs()]

    def execute(self, requests):
        wanted = requests[0].requested_output_names()
        rows = [[pb.get_input_tensor_by_name(request, name).as_numpy() for name in self.inputs] for request in requests]
        feeds = {name: np.concatenate(parts) if len(parts) > 1 else parts[0] for name, parts in zip(self.inputs, zip(*rows))}
        outputs = self.session.run(wanted, feeds)
        responses, start = [], 0
        for parts in rows:
            end = start + len(parts[0])
            tensors = [pb.Tensor(name, np.ascontiguousarray(value[start:end])) for name, value in zip(wanted, outputs)]
            responses.append(pb.InferenceResponse(tensors))
            start = end
        return responses
