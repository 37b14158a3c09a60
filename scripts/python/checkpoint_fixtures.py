"""Writes packages/torch/fixtures/checkpoint: small files of weights in every layout, with what PyTorch reads from them.

Run with torch 2.13, numpy and safetensors: python scripts/python/checkpoint_fixtures.py
"""

import inspect
import json
import pathlib
import zipfile

import torch

FOLDER = pathlib.Path(__file__).parents[2] / "packages/torch/fixtures/checkpoint"


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(3, 2)
        self.norm = torch.nn.BatchNorm1d(2)
        self.tied = self.linear
        self.register_buffer("scratch", torch.ones(2), persistent=False)
        self.register_buffer("turned", torch.arange(6.0).reshape(2, 3).t())

    def forward(self, x):
        return self.norm(self.linear(x))


def kinds():
    """One tensor of every dtype, view and kind that a checkpoint may hold."""
    names = "uint8 int8 int16 int32 int64 float16 float32 float64 complex64 bool bfloat16 uint16 uint32 uint64 "
    names += "float8_e4m3fn float8_e5m2"
    values = {name: torch.tensor([0, 1, 1, 2]).to(getattr(torch, name)) for name in names.split()}
    base = torch.arange(24.0).reshape(2, 3, 4)
    values |= {"scalar": torch.tensor(3), "empty": torch.zeros(2, 0), "slice": base[:, 1:, ::2], "whole": base}
    values |= {"turned": base.permute(2, 0, 1), "repeated": torch.tensor([1.0, 2.0]).expand(3, 2)}
    values |= {"nested": {"list": [torch.ones(1), "text"], "parameter": torch.nn.Parameter(torch.ones(2))}}
    values |= {"conjugate": torch.tensor([1 + 2j]).conj(), "sparse": torch.eye(3).to_sparse()}
    values |= {"meta": torch.empty(3, device="meta"), "nan": torch.tensor([float("nan"), float("-inf")])}
    return values


def flatten(value, name=""):
    if isinstance(value, torch.Tensor):
        yield name, value
        return
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else []
    for key, child in items:
        yield from flatten(child, f"{name}.{key}" if name else str(key))


def describe(tensors):
    """What the reader must answer: dtype, shape and the dense bytes in hex; null for tensors that it must skip by name."""
    table = {}
    for name, tensor in tensors:
        if tensor.is_meta or tensor.is_sparse or tensor.is_conj():
            table[name] = None
            continue
        raw = tensor.detach().contiguous().reshape(-1).view(torch.uint8) if tensor.numel() else torch.empty(0)
        table[name] = {
            "dtype": str(tensor.dtype).removeprefix("torch."),
            "shape": list(tensor.shape),
            "hex": bytes(raw.to(torch.uint8).tolist()).hex(),
        }
    return table


def save_traced(model, path):
    """Saves without the source positions (`*.debug_pkl`), which are paths of this machine."""
    model.save(path)
    with zipfile.ZipFile(path) as whole:
        kept = [(entry, whole.read(entry)) for entry in whole.infolist() if not entry.filename.endswith(".debug_pkl")]
    with zipfile.ZipFile(path, "w") as target:
        for entry, data in kept:
            target.writestr(entry.filename, data, compress_type=entry.compress_type)


def main():
    # The old layout stores where a class was written: again a path of this machine.
    inspect.getsourcefile = lambda _: "net.py"
    FOLDER.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    net = Net()
    optimizer = torch.optim.Adam(net.parameters())
    net(torch.rand(4, 3)).sum().backward()
    optimizer.step()
    state = net.state_dict()
    training = {"epoch": 3, "note": "ü", "model_state_dict": state, "optimizer_state_dict": optimizer.state_dict()}
    files = {
        "state_dict.pth": (state, {}),
        "state_dict_old.pth": (state, {"_use_new_zipfile_serialization": False}),
        "state_dict_protocol5.pth": (state, {"pickle_protocol": 5}),
        "module.pth": (net, {}),
        "module_old.pth": (net, {"_use_new_zipfile_serialization": False}),
        "training.pth": (training, {}),
        "kinds.pth": (kinds(), {}),
        "kinds_old.pth": (kinds(), {"_use_new_zipfile_serialization": False}),
    }
    expected = {}
    for name, (value, options) in files.items():
        torch.save(value, FOLDER / name, **options)
        expected[name] = describe(flatten(value if name.startswith("kinds") else state))
    traced = torch.jit.trace(net.eval(), torch.rand(4, 3))
    save_traced(traced, FOLDER / "traced.pt")
    expected["traced.pt"] = describe(traced.state_dict().items())
    (FOLDER / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


main()
