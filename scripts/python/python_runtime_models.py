"""
Writes models that only PyTorch runs, into a folder of models, and what eager PyTorch answers:
`python python_runtime_models.py FOLDER` prints JSON, a list of {model, inputs, outputs}.
"""

import importlib.util
import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

ROOT = Path(sys.argv[1])
CASES = []

CHECKPOINT = '''
import torch


class Block(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = torch.nn.LayerNorm(width)
        self.layer = torch.nn.Linear(width, width)

    def forward(self, x):
        return x + torch.relu(self.layer(self.norm(x)))


class Net(torch.nn.Module):
    def __init__(self, width: int = 8, depth: int = 2):
        super().__init__()
        self.enter = torch.nn.Linear(4, width)
        self.blocks = torch.nn.ModuleList(Block(width) for _ in range(depth))
        self.drop = torch.nn.Dropout(0.5)

    def forward(self, x: "float32[batch, 4]"):
        x = self.enter(x)
        for block in self.blocks:
            x = block(x)
        return self.drop(x).softmax(-1)
'''

NAMED = '''
import torch
import helper


class Embed(torch.nn.Module):
    def __init__(self, rows, width):
        super().__init__()
        self.table = torch.nn.Embedding(rows, width)

    def forward(self, ids, scale):
        found = self.table(ids) * scale.unsqueeze(-1)
        return {"mean": helper.mean(found), "first": (found[:, 0], ids[:, 0])}
'''

MASKED = '''
import torch


class Masked(torch.nn.Module):
    def forward(self, x: "float32[rows, 3]"):
        kept = x[x.sum(-1) > 0]
        return {"kept": kept, "count": kept.shape[0]}
'''

RANDOM = '''
import torch


class Noise(torch.nn.Module):
    def forward(self, x: "float32[batch, 3]"):
        seeded = torch.Generator().manual_seed(5)
        same = x + torch.rand(3, generator=seeded).to(x.device)
        return {"same": same, "other": torch.rand(x.shape[0], 2, device=x.device), "on_cuda": int(x.is_cuda)}
'''

EXAMPLE = '''
import torch

example_inputs = {"x": torch.zeros(2, 3, 5), "y": torch.zeros(2, 5, dtype=torch.float64)}


class Sum(torch.nn.Module):
    def forward(self, x, y):
        return x.sum(1) + y
'''


def module_of(folder: Path, name: str):
    sys.path.insert(0, str(folder))
    spec = importlib.util.spec_from_file_location("model", folder / "model.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.path.pop(0)
    return getattr(module, name)


def folder_of(name: str, code: str = "", yaml: str = "") -> Path:
    folder = ROOT / name
    folder.mkdir(parents=True)
    if code:
        (folder / "model.py").write_text(code)
    if yaml:
        (folder / "model.yaml").write_text(yaml)
    return folder


def tensor(name: str, value: torch.Tensor) -> dict:
    types = {torch.float32: "FP32", torch.float64: "FP64", torch.int64: "INT64", torch.bool: "BOOL", torch.float16: "FP16"}
    return {"name": name, "datatype": types[value.dtype], "shape": list(value.shape), "data": value.flatten().tolist()}


def case(model: str, inputs: dict, outputs: dict) -> None:
    CASES.append(
        {
            "model": model,
            "inputs": [tensor(name, value) for name, value in inputs.items()],
            "outputs": [tensor(name, value) for name, value in outputs.items()],
        }
    )


@torch.inference_mode()
def write_all() -> None:
    torch.manual_seed(0)
    x = torch.randn(5, 4)

    folder = folder_of("checkpoint", CHECKPOINT, "arguments: {depth: 3}\n")
    net = module_of(folder, "Net")(depth=3).eval()
    state = {f"module.{name}": value for name, value in net.state_dict().items()}
    torch.save({"epoch": 3, "state_dict": state, "optimizer": {"lr": 0.1}}, folder / "weights.pth")
    case("checkpoint", {"x": x}, {"output": net(x)})

    folder = folder_of("safetensors", CHECKPOINT, "memory: shared\n")
    net = module_of(folder, "Net")().eval()
    save_file(net.state_dict(), folder / "model.safetensors")
    case("safetensors", {"x": x}, {"output": net(x)})

    yaml = 'class: Embed\narguments: {rows: 10, width: 3}\ninputs: {ids: "int64[batch, length]", scale: "float32[batch, length]"}\nrename: {first_1: id}\n'
    folder = folder_of("named", NAMED, yaml)
    (folder / "helper.py").write_text("def mean(x):\n    return x.mean(1)\n")
    embed = module_of(folder, "Embed")(10, 3).eval()
    torch.save(embed.state_dict(), folder / "embed.pt")
    ids, scale = torch.tensor([[1, 9, 3], [4, 0, 0]]), torch.rand(2, 3)
    found = embed(ids, scale)
    case("named", {"ids": ids, "scale": scale}, {"mean": found["mean"], "first_0": found["first"][0], "id": found["first"][1]})

    folder = folder_of("masked", MASKED)
    masked = module_of(folder, "Masked")()
    for rows in (1, 6):
        values = torch.randn(rows, 3)
        found = masked(values)
        case("masked", {"x": values}, {"kept": found["kept"], "count": torch.tensor(found["count"])})

    folder = folder_of("random", RANDOM)
    case("random", {"x": x[:, :3]}, {"same": module_of(folder, "Noise")()(x[:, :3])["same"]})

    folder = folder_of("example", EXAMPLE)
    a, b = torch.randn(4, 3, 5), torch.randn(4, 5, dtype=torch.float64)
    case("example", {"x": a, "y": b}, {"output": a.sum(1) + b})


class Eigen(torch.nn.Module):
    def forward(self, Matrix, scale: float = 2.0):
        values = torch.linalg.eigvals(Matrix)
        return {"radius": values.abs().amax(-1) * scale, "Matrix": Matrix + 1}


class Halve(torch.nn.Module):
    def forward(self, x):
        steps = 0
        while bool(x.abs().max() > 1.0):
            x = x / 2
            steps += 1
        return x, steps


def write_programs() -> None:
    eigen = Eigen().eval()
    batch = torch.export.Dim("batch", min=1, max=16)
    example = (torch.randn(2, 3, 3), 2.0)
    program = torch.export.export(eigen, example, dynamic_shapes={"Matrix": {0: batch}, "scale": None})
    folder = folder_of("exported")
    torch.export.save(program, folder / "model.pt2")
    matrices = torch.randn(4, 3, 3)
    found = eigen(matrices)
    case("exported", {"Matrix": matrices}, {"radius": found["radius"], "Matrix_": found["Matrix"]})
    folder = folder_of("python-only", "", "runtime: onnx\n")
    torch.export.save(program, folder / "model.pt2")

    folder = folder_of("scripted", "", 'inputs: {x: "float32[batch, 3]"}\n')
    halve = torch.jit.script(Halve().eval())
    halve.save(folder / "model.pt")
    values = torch.tensor([[9.0, 1.0, 0.5]])
    x, steps = halve(values)
    case("scripted", {"x": values}, {"output_0": x, "output_1": torch.tensor(steps)})

    plain = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Softmax(-1)).eval()
    program = torch.export.export(plain, (torch.zeros(2, 4),), dynamic_shapes=({0: torch.export.Dim("batch")},))
    for name, yaml in (("translated", ""), ("forced", "runtime: python\n")):
        folder = folder_of(name, "", yaml)
        torch.export.save(program, folder / "model.pt2")
        values = torch.randn(3, 4)
        case(name, {"input": values}, {"output": plain(values).detach()})

    folder = folder_of("pickled")
    torch.save(plain, folder / "whole.pth")
    (folder / "model.yaml").write_text('inputs: {input: "float32[batch, 4]"}\n')

    folder = folder_of("mismatch", CHECKPOINT, "class: Net\n")
    torch.save({"enter.weight": torch.zeros(8, 5), "stray": torch.zeros(1)}, folder / "weights.pth")
    folder_of("silent", "import torch\n\nclass Net(torch.nn.Module):\n    def forward(self, image):\n        return image\n")
    folder_of("faulty", "import torch\n\nraise ValueError('this code in /a/secret is not ready')\n")
    folder_of("leaving", "", "python: /usr/bin/python3\n").joinpath("model.py").write_text(MASKED)


@torch.inference_mode()
def write_transformers() -> None:
    import transformers

    try:
        kind = transformers.BertForSequenceClassification
    except ImportError as error:
        # Such as by a torchvision that does not fit the torch beside it.
        print(f"no case of transformers: {error}", file=sys.stderr)
        return
    config = transformers.BertConfig(
        vocab_size=50, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, num_labels=3
    )
    bert = kind(config).eval()
    # In several files, as large models are.
    bert.save_pretrained(ROOT / "bert", max_shard_size="20KB")
    ids = torch.tensor([[1, 7, 9, 0], [3, 4, 0, 0]])
    mask = (ids != 0).long()
    logits = bert(input_ids=ids, attention_mask=mask).logits
    case("bert", {"input_ids": ids, "attention_mask": mask}, {"logits": logits})


write_all()
write_programs()
write_transformers()
print(json.dumps(CASES))
