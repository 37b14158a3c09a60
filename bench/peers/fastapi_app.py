"""The program that people write around a model: FastAPI, one route, the engine called in it.

    python fastapi_app.py onnxruntime|torchscript MODEL PORT THREADS OUTPUT NAME=DTYPE ...

Speaks the Open Inference Protocol's JSON, and raw bytes of the first input (`x-shape` says its shape) both ways, so that every server
gets what it can do best. Prints its address once it listens.
"""

import sys

import numpy as np
import uvicorn
from fastapi import FastAPI, Request, Response

engine, model, port, threads, output = sys.argv[1:6]
INPUTS = dict(entry.split("=") for entry in sys.argv[6:])


def onnxruntime_model():
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(threads)
    session = onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    return lambda arrays: session.run([output], dict(zip(names, arrays)))[0]


def torchscript_model():
    import torch

    torch.set_num_threads(int(threads))
    module = torch.jit.load(model).eval()

    def run(arrays):
        with torch.inference_mode():
            return module(*map(torch.from_numpy, arrays)).numpy()

    return run


run = {"onnxruntime": onnxruntime_model, "torchscript": torchscript_model}[engine]()
app = FastAPI()


@app.post("/infer")
async def infer(request: Request):
    body = await request.json()
    tensors = {tensor["name"]: tensor for tensor in body["inputs"]}
    arrays = [np.array(tensors[name]["data"], dtype=dtype).reshape(tensors[name]["shape"]) for name, dtype in INPUTS.items()]
    result = run(arrays)
    return {"outputs": [{"name": output, "shape": list(result.shape), "datatype": "FP32", "data": result.ravel().tolist()}]}


@app.post("/infer-bytes")
async def infer_bytes(request: Request):
    body = await request.body()
    shape = [int(size) for size in request.headers["x-shape"].split(",")]
    return Response(run([np.frombuffer(body, dtype=next(iter(INPUTS.values()))).reshape(shape).copy()]).tobytes())


uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="error", access_log=False)
