"""The model that every Python peer serves, and the two forms of its requests: the Open Inference Protocol's JSON and raw bytes.

`SCONCE_PEER` in the environment is a JSON object: `engine` ("onnxruntime" or "torchscript"), `model` (a file), `port`, `threads`,
`maxBatchSize`, `output` (its name) and `inputs` (dtypes by name, in the program's order).
"""

import json
import os

import numpy as np

SETTINGS = json.loads(os.environ["SCONCE_PEER"])


def load():
    """A function of a list of arrays, one per input, that returns the output's array."""
    return {"onnxruntime": _onnxruntime, "torchscript": _torchscript}[SETTINGS["engine"]]()


def _onnxruntime():
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = SETTINGS["threads"]
    session = onnxruntime.InferenceSession(SETTINGS["model"], options, ["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    return lambda arrays: session.run([SETTINGS["output"]], dict(zip(names, arrays)))[0]


def _torchscript():
    import torch

    torch.set_num_threads(SETTINGS["threads"])
    module = torch.jit.load(SETTINGS["model"]).eval()

    def run(arrays):
        with torch.inference_mode():
            return module(*map(torch.from_numpy, arrays)).numpy()

    return run


def run_rows(run, requests):
    """One run for the arrays of several requests; a list with each one's part of the output."""
    if len(requests) == 1:
        return [run(requests[0])]
    result = run([np.concatenate(parts) for parts in zip(*requests)])
    return np.split(result, np.cumsum([len(arrays[0]) for arrays in requests])[:-1])


def json_arrays(body):
    tensors = {tensor["name"]: tensor for tensor in body["inputs"]}
    return [
        np.array(tensors[name]["data"], dtype=dtype).reshape(tensors[name]["shape"]) for name, dtype in SETTINGS["inputs"].items()
    ]


def json_answer(result):
    output = {"name": SETTINGS["output"], "shape": list(result.shape), "datatype": "FP32", "data": result.ravel().tolist()}
    return {"outputs": [output]}


def bytes_arrays(body, shape):
    """The first input; `shape`: `1,3,224,224`."""
    dtype = next(iter(SETTINGS["inputs"].values()))
    return [np.frombuffer(body, dtype=dtype).reshape([int(size) for size in shape.split(",")]).copy()]
