"""Models with tasks for the benchmark, and the program that people write around transformers' pipelines.

    python bench_tasks.py models TARGET      writes the models, unless they are there
    python bench_tasks.py serve TARGET       serves them over HTTP, a pipeline for each, threads as connections ask
    python bench_tasks.py loop TARGET NAME SECONDS    prints how many answers a second one thread gets, without HTTP
"""

import base64
import json
import os
import shutil
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import tasks.kit as kit
import transformers
from PIL import Image
from tasks.pictures import PHOTOS
from tasks.text_models import export_text
from tasks.vocabularies import wordpiece
from transformers import pipeline

torch = kit.torch
TEXT = "Angela Merkel met Barack Obama in Berlin; they walked along the Spree for an hour."


def resnet(layers, size):
    config = transformers.ResNetConfig(
        embedding_size=64, hidden_sizes=[64, 128, 256, 512], depths=layers, layer_type="basic", num_labels=1000
    )
    processor = transformers.ConvNextImageProcessor(size={"shortest_edge": size}, crop_pct=0.875)
    return kit.seeded(transformers.ResNetForImageClassification, config, 0.05), processor


def bert(layers, hidden):
    tokenizer = wordpiece()
    config = transformers.BertConfig(
        vocab_size=len(tokenizer),
        max_position_embeddings=96,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=hidden // 32,
        intermediate_size=4 * hidden,
        num_labels=3,
    )
    return kit.seeded(transformers.BertForSequenceClassification, config, 0.05), tokenizer


def small_image():
    config = transformers.ResNetConfig(
        embedding_size=16, hidden_sizes=[16, 32], depths=[1, 1], layer_type="basic", num_labels=10
    )
    processor = transformers.ViTImageProcessor(size={"height": 64, "width": 64})
    return kit.seeded(transformers.ResNetForImageClassification, config, 0.1), processor


#: A name, its task, and what makes model and processor.
MODELS = {
    "small-image": ("image-classification", small_image),
    "resnet18": ("image-classification", lambda: resnet([2, 2, 2, 2], 224)),
    "small-text": ("text-classification", lambda: bert(2, 128)),
    "minilm": ("text-classification", lambda: bert(6, 384)),
}


def write(target: Path) -> None:
    for name, (task, make) in MODELS.items():
        folder = target / "models" / name
        if (folder / "done").exists():
            continue
        shutil.rmtree(folder, ignore_errors=True)
        model, processor = make()
        if task == "text-classification":
            export_text(folder, model, processor, task)
        else:
            size = 64 if name == "small-image" else 224
            feeds = {"pixel_values": torch.zeros(2, 3, size, size)}
            kit.write(folder, model, feeds, {"pixel_values": {0: kit.BATCH}}, task=task)
            processor.save_pretrained(folder)
        (folder / "done").touch()
    Image.open(PHOTOS / "china.jpg").resize((320, 214)).save(target / "small.jpg", quality=90)
    (target / "photo.jpg").write_bytes((PHOTOS / "china.jpg").read_bytes())


def pipelines():
    # kit sets one, for tests.
    torch.set_num_threads(os.cpu_count())
    made = {}
    for name, (task, make) in MODELS.items():
        model, processor = make()
        part = "tokenizer" if task == "text-classification" else "image_processor"
        made[name] = pipeline(task, model=model, **{part: processor})
    return made


def answer(pipe, body: bytes):
    with torch.inference_mode():
        if body[:1] == b"{":
            return pipe(json.loads(body)["input"])
        return pipe(base64.b64encode(body).decode())


class Requests(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    pipelines = {}

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        pipe = self.pipelines[self.path.removeprefix("/predict/")]
        text = json.dumps({"prediction": kit.plain(answer(pipe, body))}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


def serve() -> None:
    Requests.pipelines = pipelines()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Requests)
    # A client that ends its load hangs up in the middle.
    server.handle_error = lambda *_: None
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


def loop(target: Path, name: str, seconds: float) -> None:
    task, make = MODELS[name]
    pipe = pipelines()[name]
    body = json.dumps({"input": TEXT}).encode() if task == "text-classification" else (target / "photo.jpg").read_bytes()
    answer(pipe, body)
    count, start = 0, time.monotonic()
    while time.monotonic() - start < seconds:
        answer(pipe, body)
        count += 1
    print(count / (time.monotonic() - start))


command, *rest = sys.argv[1:]
if command == "models":
    write(Path(rest[0]))
elif command == "serve":
    serve()
else:
    loop(Path(rest[0]), rest[1], float(rest[2]))
