"""
Loads three small models in every form that a Python worker has, compares what it answers with eager PyTorch, and prints the differences as JSON.
Arguments: the folder of `sconce_worker`, a folder to write to, and `compile` where compiled forms are wanted.
"""

from __future__ import annotations

import copy
import json
import os
import sys
from pathlib import Path

import torch
from torch import nn


class Gated(nn.Module):
    """A multilayer perceptron with a branch of sizes."""

    def __init__(self) -> None:
        super().__init__()
        self.up, self.gate, self.down = nn.Linear(16, 64), nn.Linear(16, 64), nn.Linear(64, 4)

    def forward(self, x):
        return self.down(self.up(x) * torch.sigmoid(self.gate(x)))


class Pooled(nn.Module):
    """A convolution, a norm, a pooled classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.norm, self.classify = nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.Linear(8, 5)

    def forward(self, x):
        return self.classify(torch.relu(self.norm(self.convolution(x))).mean((2, 3)))


class Attending(nn.Module):
    """A layer of a transformer over sequences of any length."""

    def __init__(self) -> None:
        super().__init__()
        self.mix, self.out, self.norm = nn.Linear(16, 48), nn.Linear(16, 16), nn.LayerNorm(16)

    def forward(self, x):
        query, key, value = self.mix(x).chunk(3, -1)
        weights = torch.softmax(query @ key.transpose(-1, -2) / 4, -1)
        return self.norm(x + self.out(weights @ value))


# Name, class, inputs as model.yaml says them, and shapes that are asked.
MODELS = (
    ("gated", Gated, "float32[batch, 16]", ((1, 16), (5, 16))),
    ("pooled", Pooled, "float32[batch, 1, 8, 8]", ((1, 1, 8, 8), (4, 1, 8, 8))),
    ("attending", Attending, "float32[batch, length, 16]", ((1, 3, 16), (2, 11, 16))),
)
FORMS = {
    "eager": {},
    "scripted": {},
    "exported": {},
    "bfloat16": {"precision": "bfloat16"},
    "scripted bfloat16": {"precision": "bfloat16"},
    "exported bfloat16": {"precision": "bfloat16"},
    "shared": {"memory": "shared"},
    "scripted shared": {"memory": "shared"},
    "exported shared": {"memory": "shared"},
    "sharded": {},
    "int8": {"precision": "int8"},
    "compiled": {"compile": True},
}


def main() -> None:
    worker, folder = sys.argv[1:3]
    sys.path.insert(0, worker)
    torch.manual_seed(1)
    results = []
    for name, kind, port, shapes in MODELS:
        model = kind().eval()
        files = written(Path(folder) / name, model, kind, shapes)
        for form, options in FORMS.items():
            # One of them is compiled: a compiler takes seconds.
            if form == "compiled" and (sys.argv[3:] != ["compile"] or name != "gated"):
                continue
            file = files[form.split()[0] if form.split()[0] in files else "eager"]
            results.append({"model": name, "form": form, **checked(file, {**options, "port": port}, (model, shapes))})
        if name == "gated":
            shared = shared_bytes(files)
    print(json.dumps({"forms": results, "without compiler": without_compiler(files["eager"]), "shared": shared, "without shard": without_shard(files["sharded"])}))


def without_shard(file: Path) -> str:
    """What the worker says where a part of a checkpoint is missing."""
    from sconce_worker.errors import ServeError

    file.with_name("model-00002-of-00002.bin").unlink()
    try:
        checked(file, {"port": "float32[1, 16]"}, (nn.Identity(), ()))
    except ServeError as error:
        return error.message
    return ""


def shared_bytes(files: dict[str, Path]) -> list[int]:
    """How much of the weights becomes pages of the file: what is smaller than a page does not."""
    from sconce_worker.shared_weights import share_weights

    scripted, exported = torch.jit.load(files["scripted"]), torch.export.load(files["exported"]).module()
    return [share_weights(scripted, files["scripted"]), share_weights(exported, files["exported"])]


def without_compiler(file: Path) -> str:
    """What the worker says where there is none."""
    from sconce_worker.errors import ServeError

    os.environ["CXX"] = "no-such-compiler"
    try:
        checked(file, {"compile": True, "port": "float32[1, 16]"}, (nn.Identity(), ()))
    except ServeError as error:
        return error.message
    return ""


def written(folder: Path, model: nn.Module, kind: type, shapes: tuple[tuple[int, ...], ...]) -> dict[str, Path]:
    folder.mkdir()
    source = Path(__file__).read_text(encoding="utf-8")
    begin, end = source.index(f"class {kind.__name__}("), source.index("\n\n\n", source.index(f"class {kind.__name__}("))
    (folder / "model.py").write_text(f"import torch\nfrom torch import nn\n\n\n{source[begin:end]}\n", encoding="utf-8")
    torch.save(model.state_dict(), folder / "model.pth")
    torch.jit.script(copy.deepcopy(model)).save(str(folder / "scripted.pt"))
    free = {axis: torch.export.Dim.AUTO for axis, (a, b) in enumerate(zip(*shapes)) if a != b}
    torch.export.save(torch.export.export(model, (torch.rand(shapes[1]),), dynamic_shapes=(free,)), folder / "exported.pt2")
    shards = [folder / "sharded" / f"model-{number:05}-of-00002.bin" for number in (1, 2)]
    shards[0].parent.mkdir()
    (shards[0].parent / "model.py").write_text((folder / "model.py").read_text(encoding="utf-8"), encoding="utf-8")
    state = list(model.state_dict().items())
    torch.save(dict(state[:3]), shards[0])
    torch.save(dict(state[3:]), shards[1])
    return {"eager": folder / "model.pth", "sharded": shards[0], "scripted": folder / "scripted.pt", "exported": folder / "exported.pt2"}


def checked(file: Path, options: dict[str, object], asked: tuple[nn.Module, tuple[tuple[int, ...], ...]]) -> dict[str, object]:
    """The largest difference from eager PyTorch in float32, and from the same form of it made here, over all shapes; and what the worker says."""
    from sconce_worker.load import load_model
    from sconce_worker.tensors import encode_tensors

    model, shapes = asked
    port = options.pop("port")
    precision = options.get("precision", "float32")
    python = {"compile": options.get("compile", False), "class": None, "arguments": None, "outputs": None, "device": "cpu", "allowsPickle": False}
    spec = {
        "file": str(file),
        "codeFile": str(file.parent / "model.py") if file.suffix in (".pth", ".bin") else None,
        "options": {
            "threadsPerInstance": 1,
            "memory": options.get("memory", "fast"),
            "precision": precision,
            "weightsFile": None,
            "inputs": None if file.suffix == ".pt2" else {"x": port},
            "warmupRuns": 1,
            "python": python,
        },
    }
    loaded = load_model({"spec": spec, "wantsDigest": True}, lambda stage: None)
    same = reference(model, precision)
    differences = {"float32": 0.0, "same": 0.0}
    for shape in shapes:
        x = torch.rand(shape)
        header, chunks = encode_tensors([x], 0)
        _, chunks, outputs = loaded.run(memoryview(header), memoryview(b"".join(bytes(chunk) for chunk in chunks)))
        (got,) = outputs.tensors
        assert got.dtype == torch.float32, got.dtype
        with torch.inference_mode():
            for key, want in (("float32", model(x)), ("same", same(x))):
                differences[key] = max(differences[key], float((got - want).abs().max()))
    return {**differences, "kind": loaded.loaded["description"]["runtimeReason"]}


def reference(model: nn.Module, precision: str):
    """Eager PyTorch in that precision."""
    own = copy.deepcopy(model)
    if precision == "bfloat16":
        own = own.to(torch.bfloat16)
        return lambda x: own(x.to(torch.bfloat16)).to(torch.float32)
    return torch.ao.quantization.quantize_dynamic(own, {nn.Linear}, dtype=torch.qint8) if precision == "int8" else own


main()
