"""Writes TorchServe archives into a folder, as torch-model-archiver lays them out: `make_archives.py FOLDER`. Prints what eager PyTorch answers."""

import json
import os
import sys
import tempfile

import torch

from archive_kit import bright_picture, saved, write_archive

MODEL = '''
import torch

class Doubler(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(3, 2)

    def forward(self, x):
        return self.layer(x) * 2
'''

# A handler as the tutorials write it: derived, JSON rows, one answer per row.
DERIVED = '''
import torch
from ts.torch_handler.base_handler import BaseHandler

class DoublerHandler(BaseHandler):
    def preprocess(self, data):
        rows = []
        for row in data:
            body = row.get("data") or row.get("body")
            rows.append(body["values"] if isinstance(body, dict) else body)
        self.batch = len(rows)
        return torch.tensor(rows, dtype=torch.float32)

    def postprocess(self, data):
        return [{"answer": values, "batch": self.batch} for values in data.tolist()]
'''

# A function of the module, and everything that a context offers.
FUNCTION = '''
import json, os
from ts.handler_utils.timer import timed
from ts.metrics.dimension import Dimension
from ts.metrics.metric_type_enum import MetricTypes
from ts.utils.util import PredictionException

loaded = {}

def handle(data, context):
    if data is None:
        with open(os.path.join(context.system_properties["model_dir"], "greeting.txt")) as file:
            loaded["greeting"] = file.read().strip()
        loaded["config"] = context.model_yaml_config
        context.metrics.add_metric_to_cache("answered", "count", ["model"], MetricTypes.COUNTER)
        return None
    answers = []
    for index, row in enumerate(data):
        fields = {name: value.decode("latin1") if isinstance(value, (bytes, bytearray)) else value for name, value in row.items()}
        order = fields.get("body")
        if order == "refuse":
            raise PredictionException("no such thing", 404)
        if order == "raise":
            raise ValueError("the secret is in /etc/passwd")
        if order == "raise much":
            raise ValueError("x" * 20_000_000)
        if order == "exit":
            os._exit(3)
        context.metrics.add_counter("rows", 1, index, [Dimension("kind", "test")])
        answered = context.metrics.get_metric("answered", MetricTypes.COUNTER)
        answered.add_or_update(1, ["function"])
        if order == "teapot":
            context.set_response_status(code=418, idx=index)
        if isinstance(row.get("echo"), (bytes, bytearray, str)):
            answers.append(row["echo"])
        elif order == "bytes":
            context.set_response_content_type(index, "image/x-test")
            context.set_response_header(index, "x-extra", "yes")
            answers.append(b"\\x00\\xff")
        elif order == "text":
            answers.append("just text")
        else:
            properties = context.system_properties
            answers.append({
                "greeting": loaded["greeting"],
                "config": loaded["config"],
                "fields": fields,
                "header": context.get_request_header(index, "X-Custom"),
                "id": bool(context.get_request_id(index)),
                "name": context.manifest["model"]["modelName"],
                "batch_size": properties["batch_size"],
                "gpu": properties["gpu_id"],
                "server": properties["server_name"],
                "counted": answered.metric_name == "answered",
            })
    return answers
'''

# Sends a piece, and goes on when the file that the request names is there.
PIECES = '''
import os, time
from ts.handler_utils.utils import send_intermediate_predict_response

def handle(data, context):
    if data is None:
        return None
    order = data[0]["body"]
    send_intermediate_predict_response(["first " for _ in data], context.request_ids, "", 200, context)
    if order == "break":
        raise ValueError("no")
    if order == "exit":
        os._exit(3)
    end = time.monotonic() + 60
    while not os.path.exists(order) and time.monotonic() < end:
        time.sleep(0.01)
    return ["last" for _ in data]
'''

# Does harm, as its request says; within bounds, so that what is not stopped ends by itself.
HARMFUL = '''
import os, sys, threading, time

LONG_S = 120

def handle(data, context):
    if data is None:
        return None
    order = data[0]["body"]
    if order == "kill":
        os.kill(os.getpid(), 9)
    if order == "exit":
        os._exit(0)
    if order == "hang":
        time.sleep(LONG_S)
    if order == "memory":
        held = []
        for _ in range(64):
            held.append(bytearray(os.urandom(1024) * 65536))
            time.sleep(0.02)
        time.sleep(LONG_S)
    if order == "print":
        end = time.monotonic() + LONG_S
        while time.monotonic() < end:
            print("x" * 200)
    if order == "threads":
        for _ in range(100):
            threading.Thread(target=time.sleep, args=(LONG_S,)).start()
    if order.startswith("fork "):
        with open(order[5:], "w") as file:
            for _ in range(20):
                pid = os.fork()
                if pid == 0:
                    time.sleep(LONG_S)
                    os._exit(0)
                file.write(f"{pid} ")
        os._exit(0)
    return ["fine" for _ in data]
'''

# Behind the envelope `body`: the contents of requests, whatever they are called.
WRAPPED = '''
def handle(data, context):
    return None if data is None else [[type(row).__name__, bytes(row).decode() if isinstance(row, bytearray) else row] for row in data]
'''

SCRIPTED = '''
from ts.torch_handler.base_handler import BaseHandler

class Handler(BaseHandler):
    def preprocess(self, data):
        return super().preprocess([[float(value) for value in row["body"]] for row in data])
'''


class Brightness(torch.nn.Module):
    """Two classes of images, dark and bright."""

    def forward(self, x):
        mean = x.mean((1, 2, 3))
        return torch.stack((-mean, mean), 1)


def archive(folder, name, files, model):
    write_archive(os.path.join(folder, f"{name}.mar"), files, {"modelName": name, "modelVersion": "1.0", **model})


def main(folder):
    os.makedirs(folder, exist_ok=True)
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as home:
        with open(os.path.join(home, "doubler_model.py"), "w") as file:
            file.write(MODEL)
        sys.path.insert(0, home)
        from doubler_model import Doubler

        write_all(folder, Doubler().eval())


def write_all(folder, model):
    weights = saved(lambda path: torch.save(model.state_dict(), path), ".pth")
    files = {"model.py": MODEL, "doubler.pth": weights, "doubler_handler.py": DERIVED, "model-config.yaml": "batchSize: 8\nmaxBatchDelay: 50\n"}
    described = {"modelFile": "model.py", "serializedFile": "doubler.pth", "handler": "doubler_handler.py", "configFile": "model-config.yaml"}
    archive(folder, "eager", files, described)
    config = "batchSize: 4\nhandler:\n  threshold: 0.5\n"
    files = {"service.py": FUNCTION, "greeting.txt": "hello\n", "model-config.yaml": config}
    archive(folder, "function", files, {"handler": "service.py:handle", "configFile": "model-config.yaml"})
    os.makedirs(os.path.join(folder, "wrapped"), exist_ok=True)
    with open(os.path.join(folder, "wrapped", "model.yaml"), "w") as file:
        file.write("envelope: body\n")
    archive(os.path.join(folder, "wrapped"), "wrapped", {"wrapped.py": WRAPPED}, {"handler": "wrapped.py:handle"})
    archive(folder, "harmful", {"harmful.py": HARMFUL}, {"handler": "harmful.py"})
    archive(folder, "pieces", {"pieces.py": PIECES}, {"handler": "pieces.py"})
    example = torch.ones(2, 3)
    scripted = saved(torch.jit.script(model).save, ".pt")
    archive(folder, "scripted", {"model.pt": scripted, "h.py": SCRIPTED}, {"serializedFile": "model.pt", "handler": "h.py"})
    program = torch.export.export(model, (example,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    exported = saved(lambda path: torch.export.save(program, path), ".pt2")
    archive(folder, "exported", {"model.pt2": exported, "h.py": SCRIPTED}, {"serializedFile": "model.pt2", "handler": "h.py"})
    picture = saved(torch.jit.script(Brightness()).save, ".pt")
    names = json.dumps({"0": "dark", "1": ["n01", "bright"]})
    files = {"model.pt": picture, "index_to_name.json": names}
    archive(folder, "classifier", files, {"serializedFile": "model.pt", "handler": "image_classifier"})
    bright_picture(folder)
    needs = {"model.pt": scripted, "h.py": SCRIPTED, "requirements.txt": "# what it needs\nno-such-package-at-all>=1\ntorch\n"}
    archive(folder, "needy", needs, {"serializedFile": "model.pt", "handler": "h.py", "requirementsFile": "requirements.txt"})
    archive(folder, "lacking", {"h.py": "import no_such_package\n"}, {"handler": "h.py"})
    archive(folder, "escaping", {"../escaped.txt": "out", "h.py": SCRIPTED}, {"handler": "h.py"})
    print(json.dumps({"answers": model(example[:1] * torch.tensor([1.0, 2.0, 3.0])).tolist()[0]}))


if __name__ == "__main__":
    main(sys.argv[1])
