"""Writes the archives that TorchServe and Sconce are compared with into a folder: `torchserve_models.py FOLDER [--archiver]`.

Each is packed as torch-model-archiver lays it out, or with `--archiver` by that program itself. Numbers are small whole ones where they can be, so that
every processor gives the same.
"""

import json
import os
import subprocess
import sys
import tempfile

import torch

from archive_kit import bright_picture, saved, write_archive

LINEAR = '''
import torch

class Linear(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(3, 2)

    def forward(self, x):
        return self.layer(x)
'''

# As tutorials write them: derived, rows of JSON.
EAGER = '''
import torch
from ts.torch_handler.base_handler import BaseHandler

class LinearHandler(BaseHandler):
    def preprocess(self, data):
        rows = [row.get("data") or row.get("body") for row in data]
        rows = [row["values"] if isinstance(row, dict) else row for row in rows]
        return torch.tensor(rows, dtype=torch.float32, device=self.device)

    def postprocess(self, data):
        return [{"sums": row, "largest": max(row)} for row in data.tolist()]

    def get_insights(self, tensor_data, raw_data, target=0):
        return [{"target": target, "importances": (tensor_data * self.model.layer.weight[target]).tolist()}]

    def describe_handle(self):
        return {"units": ["first", "second"], "version": 2}
'''

# A function of its module, which does what the request says.
ORDERS = '''
from ts.utils.util import PredictionException

started = []

def handle(data, context):
    if data is None:
        started.append(context.system_properties["model_dir"])
        return None
    return [answer(index, row, context) for index, row in enumerate(data)]

def shown(value):
    return value.decode("latin1") if isinstance(value, (bytes, bytearray)) else value

def answer(index, row, context):
    fields = {name: shown(value) for name, value in row.items()}
    order = fields.get("order") or fields.get("body") or fields.get("data")
    if order == "raise":
        raise ValueError("no")
    if order == "refuse":
        raise PredictionException("no such thing", 404)
    if order == "refuse oddly":
        raise PredictionException("too hot", 513)
    if order == "memory":
        raise MemoryError()
    if order == "bytes":
        context.set_response_content_type(index, "image/x-test")
        context.set_response_header(index, "x-extra", "yes")
        return b"\\x00\\xff"
    if order == "text":
        return "just text"
    if order == "typed text":
        context.set_response_content_type(index, "text/plain; charset=utf-8")
        return "caf\\u00e9"
    if order == "teapot":
        context.set_response_status(code=418, phrase="teapot", idx=index)
        return "short and stout"
    if order == "number":
        return 1.5
    if order == "nothing":
        return None
    if order == "empty":
        return ""
    if order == "list":
        return [1, [2, "three"], {"four": None, "five": True}]
    if order == "unicode":
        return {"caf\\u00e9": "\\u2603"}
    if order == "set":
        return {1, 2}
    if order == "status":
        return list(context.get_response_status(index))
    types = {name: type(value).__name__ for name, value in row.items()}
    return {"fields": fields, "types": types, "header": context.get_request_header(index, "x-custom"), "started": len(started)}
'''

WRONG = '''
def handle(data, context):
    if data is None:
        return None
    order = bytes(data[0]["body"]).decode() if isinstance(data[0]["body"], (bytes, bytearray)) else data[0]["body"]
    if order == "dict":
        return {"not": "a list"}
    if order == "short":
        return []
    return ["fine"] * len(data)
'''

BATCHED = '''
from ts.torch_handler.base_handler import BaseHandler

class Batched(BaseHandler):
    def initialize(self, context):
        self.initialized = True

    def handle(self, data, context):
        rows = [row["body"] for row in data]
        return [{"own": row, "together": len(rows), "of": context.system_properties["batch_size"]} for row in rows]
'''

STREAMING = '''
from ts.handler_utils.utils import send_intermediate_predict_response

def handle(data, context):
    if data is None:
        return None
    words = [(row["body"] if isinstance(row["body"], str) else bytes(row["body"]).decode()).split() for row in data]
    for step in range(3):
        send_intermediate_predict_response([f"{row[step % len(row)]} " for row in words], context.request_ids, "Intermediate Prediction success", 200, context)
    return ["end" for _ in data]
'''

STATEFUL = '''
totals = {}

def handle(data, context):
    if data is None:
        return None
    answers = []
    for index, row in enumerate(data):
        sequence = context.get_sequence_id(index)
        body = row["body"]
        amount = body if isinstance(body, int) else int(body if isinstance(body, str) else bytes(body).decode())
        totals[sequence] = totals.get(sequence, 0) + amount
        answers.append(str(totals[sequence]))
    return answers
'''

# As TorchServe's handlers of language models have it: a piece of each answer in each run, in a batch that requests join and leave.
CONTINUOUS = '''
import time

from ts.torch_handler.base_handler import BaseHandler

def stop_after(handler, count):
    left, waits = [count], count == 2**31

    def stops(piece):
        if waits:
            time.sleep(0.005)
        left[0] -= 1
        return handler.joined if waits else left[0] <= 0

    return stops

class Countdown(BaseHandler):
    def initialize(self, context):
        self.context = context
        self.context.cache = {}
        self.joined = False
        self.initialized = True

    def handle(self, data, context):
        ids = list(context.request_ids.values())
        for gone in set(context.cache) - set(ids):
            del context.cache[gone]
        for request_id, row in zip(ids, data):
            if request_id not in context.cache:
                text = row["body"] if isinstance(row["body"], str) else bytes(row["body"]).decode()
                if text == "raise":
                    raise ValueError("no")
                if text == "join":
                    self.joined = True
                count = 1 if text == "join" else 2**31 if text == "wait" else int(text)
                context.cache[request_id] = {"next": count, "stop": stop_after(self, count)}
        pieces = []
        for request_id in ids:
            own = context.cache[request_id]
            pieces.append(f"{own['next']} ")
            own["next"] -= 1
        context.stopping_criteria = [context.cache[request_id]["stop"] for request_id in ids]
        return pieces
'''

# As TorchServe's example of custom metrics has it: some are made by the handler, some are declared in the server's metrics.yaml.
MEASURED = '''
from ts.metrics.dimension import Dimension
from ts.metrics.metric_type_enum import MetricTypes
from ts.torch_handler.base_handler import BaseHandler

class Measured(BaseHandler):
    def initialize(self, context):
        self.context = context
        self.initialized = True
        self.asked = context.metrics.add_metric_to_cache(
            metric_name="InferenceRequestCount", unit="count", dimension_names=["ModelName", "ModelVersion"], metric_type=MetricTypes.COUNTER)

    def preprocess(self, data):
        metrics, manifest = self.context.metrics, self.context.manifest["model"]
        self.asked.add_or_update(value=len(data), dimension_values=[manifest["modelName"], manifest["modelVersion"]])
        texts = [row["body"] if isinstance(row["body"], str) else bytes(row["body"]).decode() for row in data]
        metrics.get_metric(metric_name="RequestBatchSize", metric_type=MetricTypes.GAUGE).add_or_update(
            value=len(data), dimension_values=[self.context.model_name])
        sizes = metrics.get_metric(metric_name="SizeOfText", metric_type=MetricTypes.HISTOGRAM)
        for text in texts:
            sizes.add_or_update(value=len(text), dimension_values=[self.context.model_name, "kB"])
        metrics.add_time("StepTime", 1.5, None, "ms", [Dimension("Step", "preprocess")])
        metrics.add_size("TextSize", 12, None, "kB", [])
        metrics.add_percent("Share", 33.5, None, [])
        metrics.add_counter("Letters", sum(map(len, texts)), None, [])
        metrics.add_metric("Odd", 2, "things", None, [])
        if "raise" in texts:
            metrics.add_error("Refused", 1, [])
            raise ValueError("no")
        return texts

    def inference(self, texts):
        return texts

    def postprocess(self, texts):
        return texts
'''

METRICS = '''dimensions:
  - &model_name "ModelName"
model_metrics:
  gauge:
    - name: RequestBatchSize
      unit: count
      dimensions: [*model_name]
  histogram:
    - name: SizeOfText
      unit: kB
      dimensions: [*model_name, "Scale"]
'''

ROWS = '''
from ts.torch_handler.base_handler import BaseHandler

class Rows(BaseHandler):
    def preprocess(self, data):
        return super().preprocess([[float(value) for value in row["body"]] for row in data])
'''


class Brightness(torch.nn.Module):
    """Six classes of pictures."""

    def forward(self, x):
        mean = x.mean((1, 2, 3))
        return torch.stack([mean * k for k in (-3, -2, -1, 1, 2, 3)], 1)


class Segments(torch.nn.Module):
    """Three classes for each pixel."""

    def forward(self, x):
        # So far apart that every processor gives the same probabilities.
        return {"out": (x > 0).float() * torch.tensor([0.0, 1000.0, -1000.0]).view(1, 3, 1, 1)}


class Boxes(torch.nn.Module):
    """Three boxes in every picture, one of them doubtful."""

    def forward(self, x):
        count = x.shape[0]
        return [
            {
                "boxes": torch.tensor([[1.0, 2.0, 3.0, 4.0], [0.5, 0.5, 8.0, 8.0], [0.0, 0.0, 1.0, 1.0]]),
                "labels": torch.tensor([1, 2, 1]),
                "scores": torch.tensor([0.75, 0.5, 0.25]),
            }
            for _ in range(count)
        ]


class Words(torch.nn.Module):
    """Two classes of texts."""

    def __init__(self, size):
        super().__init__()
        self.embedding = torch.nn.EmbeddingBag(size, 2, mode="sum")

    def forward(self, tokens, offsets):
        return self.embedding(tokens, offsets)


def scripted(module):
    return saved(torch.jit.script(module.eval()).save, ".pt")


class Packer:
    def __init__(self, folder, archiver):
        self.folder = folder
        self.archiver = archiver

    def pack(self, name, *, handler, files=None, model_file=None, serialized=None, config=None, version="1.0", store_name=None):
        """`handler`: (file name, text) or the name of a built-in one. `files`, `model_file`, `serialized`: contents by name."""
        described = {"modelName": name, "modelVersion": version}
        contents = dict(files or {})
        flags = []
        if isinstance(handler, tuple):
            file, text = handler
            contents[file] = text
            described["handler"] = file
        else:
            described["handler"] = handler
        for key, flag, given in (("serializedFile", "--serialized-file", serialized), ("modelFile", "--model-file", model_file)):
            if given is not None:
                contents[given[0]] = given[1]
                described[key] = given[0]
                flags += [flag, given[0]]
        if config is not None:
            contents["model-config.yaml"] = config
            described["configFile"] = "model-config.yaml"
            flags += ["--config-file", "model-config.yaml"]
        target = os.path.join(self.folder, f"{store_name or name}.mar")
        if self.archiver:
            self.run_archiver(target, described, contents, flags, [key for key in (files or {})])
        else:
            write_archive(target, contents, described)

    def run_archiver(self, target, described, contents, flags, extra):
        with tempfile.TemporaryDirectory() as home:
            for path, content in contents.items():
                with open(os.path.join(home, path), "wb") as file:
                    file.write(content.encode() if isinstance(content, str) else content)
            more = ["--extra-files", ",".join(extra)] if extra else []
            # Not by its name: an environment that was moved has programs that begin with where it was.
            program = "from model_archiver.model_packaging import generate_model_archive; generate_model_archive()"
            command = [sys.executable, "-c", program, "--model-name", described["modelName"]]
            command += ["--version", described["modelVersion"], "--handler", described["handler"], *flags, *more, "--export-path", home]
            subprocess.run(command, cwd=home, check=True, stdout=subprocess.DEVNULL)
            os.replace(os.path.join(home, f"{described['modelName']}.mar"), target)


def pictures(folder):
    from PIL import Image

    bright_picture(folder)
    ramp = Image.new("RGB", (300, 260))
    ramp.putdata([((x * 3) % 256, (y * 5) % 256, (x * y) % 256) for y in range(260) for x in range(300)])
    ramp.save(os.path.join(folder, "ramp.png"))


def linear(home):
    with open(os.path.join(home, "linear.py"), "w") as file:
        file.write(LINEAR)
    sys.path.insert(0, home)
    from linear import Linear

    model = Linear()
    with torch.no_grad():
        model.layer.weight.copy_(torch.tensor([[1.0, 2.0, 3.0], [-1.0, 0.5, 0.25]]))
        model.layer.bias.copy_(torch.tensor([0.5, -0.5]))
    return model.eval()


def words():
    names = ["good", "bad", "film", "the", "is", "not", "do", "the film", "film is", "is good", "is bad", "is not", "not good", "do not", "cafe"]
    vocabulary = {name: index for index, name in enumerate(names)}
    model = Words(len(names))
    with torch.no_grad():
        model.embedding.weight.copy_(torch.tensor([[float(index % 3), float(index % 2)] for index in range(len(names))]))
    return vocabulary, model.eval()


def main(folder, archiver):
    os.makedirs(folder, exist_ok=True)
    with tempfile.TemporaryDirectory() as home:
        pack_all(Packer(folder, archiver), linear(home))
    pictures(folder)


def pack_all(packer, model):
    weights = saved(lambda path: torch.save(model.state_dict(), path), ".pth")
    packer.pack("eager", handler=("linear_handler.py", EAGER), model_file=("linear.py", LINEAR), serialized=("linear.pth", weights))
    packer.pack("eager", handler=("linear_handler.py", EAGER), model_file=("linear.py", LINEAR), serialized=("linear.pth", weights), version="2.0", store_name="eager_v2")
    packer.pack("scripted", handler=("rows.py", ROWS), serialized=("linear.pt", scripted(model)))
    packer.pack("orders", handler=("orders.py", ORDERS), files={"note.txt": "a note\n"})
    packer.pack("wrong", handler=("wrong.py", WRONG))
    config = "minWorkers: 1\nmaxWorkers: 1\nbatchSize: 4\nmaxBatchDelay: 5000\n"
    packer.pack("batched", handler=("batched.py", BATCHED), config=config)
    packer.pack("streaming", handler=("streaming.py", STREAMING))
    continuous = "minWorkers: 1\nmaxWorkers: 1\nbatchSize: 4\nmaxBatchDelay: 20\ncontinuousBatching: true\n"
    packer.pack("continuous", handler=("countdown.py", CONTINUOUS), config=continuous)
    packer.pack("measured", handler=("measured.py", MEASURED))
    with open(os.path.join(packer.folder, "metrics.yaml"), "w") as file:
        file.write(METRICS)
    stateful = "minWorkers: 1\nmaxWorkers: 1\nbatchSize: 2\nmaxBatchDelay: 20\nsequenceBatching: true\nsequenceMaxIdleMSec: 600000\nmaxNumSequence: 4\nmaxSequenceJobQueueSize: 10\n"
    packer.pack("stateful", handler=("stateful.py", STATEFUL), config=stateful)
    names = json.dumps({str(index): [f"n{index}", name] for index, name in enumerate("black dark dim light bright white".split())})
    packer.pack("image", handler="image_classifier", serialized=("model.pt", scripted(Brightness())), files={"index_to_name.json": names})
    packer.pack("segments", handler="image_segmenter", serialized=("model.pt", scripted(Segments())))
    packer.pack("boxes", handler="object_detector", serialized=("model.pt", scripted(Boxes())), files={"index_to_name.json": json.dumps({"1": "cat", "2": "dog"})})
    vocabulary, text = words()
    files = {"index_to_name.json": json.dumps({"0": "dull", "1": "lively"}), "source_vocab.pt": saved(lambda path: torch.save(vocabulary, path), ".pt")}
    packer.pack("text", handler="text_classifier", serialized=("model.pt", scripted(text)), files=files)


if __name__ == "__main__":
    main(sys.argv[1], "--archiver" in sys.argv[2:])
