"""PyTorch's side of the running benchmark: exports each model and times it, eager and compiled.

    python bench_models.py FOLDER THREADS MODEL ...

Writes FOLDER/MODEL.pt2 (dynamic batch) once, and, unless THREADS is 0, prints one JSON line per model and batch size: the median milliseconds of eager PyTorch
and of torch.compile on the same inputs, which FOLDER/MODEL-BATCH.bin holds for the other side.
"""

import json
import statistics
import sys
import time
from pathlib import Path

import torch

BATCHES = (1, 8)


def resnet50():
    from zoo_models import tv

    return tv.resnet50(weights=None), lambda n: {"x": torch.randn(n, 3, 224, 224)}


def vit_b_16():
    from zoo_models import tv

    return tv.vit_b_16(weights=None), lambda n: {"x": torch.randn(n, 3, 224, 224)}


def text(**config):
    from zoo_models import hf

    model = hf.BertModel(hf.BertConfig(**config))
    return model, lambda n: {"input_ids": torch.randint(5, 30000, (n, 128)), "attention_mask": torch.ones(n, 128, dtype=torch.int64)}


def digits():
    from torch import nn

    model = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3, padding=1),
                          nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10), nn.Softmax(1))
    return model, lambda n: {"input": torch.rand(n, 1, 8, 8)}


MODELS = {
    "digits": digits,
    "minilm": lambda: text(hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536),
    "bert-base": text,
    "resnet50": resnet50,
    "vit-b-16": vit_b_16,
}


def median_ms(run, budget_s=4.0):
    for _ in range(2):
        run()
    times, end = [], time.perf_counter() + budget_s
    while len(times) < 5 or (time.perf_counter() < end and len(times) < 300):
        started = time.perf_counter()
        run()
        times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times)


def export(model, inputs, path):
    batch = torch.export.Dim("batch", min=1, max=64)
    shapes = {name: {0: batch} for name in inputs}
    keyword = {} if len(inputs) == 1 else dict(inputs)
    args = tuple(inputs.values()) if not keyword else ()
    if not keyword:
        shapes = ({0: batch},)
    torch.export.save(torch.export.export(model, args, keyword, dynamic_shapes=shapes), path)


def main():
    folder, threads, names = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(max(threads, 1))
    for name in names:
        torch.manual_seed(0)
        model, make = MODELS[name]()
        model.eval()
        path = folder / f"{name}.pt2"
        if not path.exists():
            with torch.no_grad():
                export(model, make(2), path)
        for batch in BATCHES if threads > 0 else ():
            inputs = make(batch)
            (folder / f"{name}-{batch}.bin").write_bytes(b"".join(v.numpy().tobytes() for v in inputs.values()))
            call = (lambda m: (lambda: m(**inputs))) if len(inputs) > 1 else (lambda m: (lambda: m(*inputs.values())))
            with torch.inference_mode():
                eager = median_ms(call(model))
                try:
                    compiled = median_ms(call(torch.compile(model)))
                except Exception as error:
                    compiled = None
                    print(f"{name}: torch.compile failed: {str(error).splitlines()[0]}", file=sys.stderr)
            shapes = {k: [str(v.dtype).removeprefix("torch."), list(v.shape)] for k, v in inputs.items()}
            print(json.dumps({"model": name, "batch": batch, "inputs": shapes, "eagerMs": eager, "compiledMs": compiled}), flush=True)


if __name__ == "__main__":
    main()
