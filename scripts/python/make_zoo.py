"""Exports and traces the architectures of zoo_models.py, with PyTorch's own answers at several sizes.

    python make_zoo.py FOLDER [NAME ...]

Writes FOLDER/NAME/: `program.pt2`, `traced.pt`, `scripted.pt`, `meta.json` (what each run feeds and expects), `io.bin` (the tensors). A model that
PyTorch itself cannot export, trace or script has the reason in meta.json. Models that are there already are left alone.
"""

import json
import sys
import time
import traceback
import warnings
from pathlib import Path

import torch

warnings.simplefilter("ignore")
from zoo_models import ZOO, padding_mask  # noqa: E402

SIZES = {"batch": (1, 3), "sequence": (7, 20)}
MOST = {"batch": 64, "sequence": 48}


def perturb(module):
    """Random weights everywhere: zero or one initial values would hide mistakes."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for value in module.parameters():
            value.add_(torch.randn(value.shape, generator=generator) * 0.02)
        for name, value in module.named_buffers():
            if name.endswith("running_mean"):
                value.add_(torch.randn(value.shape, generator=generator) * 0.1)
            if name.endswith("running_var"):
                value.mul_(torch.rand(value.shape, generator=generator) + 0.5)
    return module.eval()


def tensors(value):
    return [leaf for leaf in torch.utils._pytree.tree_leaves(value) if isinstance(leaf, torch.Tensor)]


def resized(inputs, dynamic, sizes):
    generator = torch.Generator().manual_seed(2)
    result = {}
    for name, value in inputs.items():
        shape = [sizes.get(dynamic.get(name, {}).get(axis), size) for axis, size in enumerate(value.shape)]
        if name == "attention_mask":
            continue
        if value.is_floating_point():
            result[name] = torch.randn(shape, generator=generator)
        else:
            result[name] = torch.randint(int(value.min()), int(value.max()) + 1, shape, generator=generator)
    if "attention_mask" in inputs:
        result["attention_mask"] = padding_mask(result["input_ids"])
    return result


def first_line(error):
    return next((line.strip() for line in str(error).splitlines() if line.strip()), "")[:200]


def declared(value, symbols):
    """The input as model.yaml says it: `float32[batch, 3, 64, 64]`."""
    sizes = ", ".join(str(symbols.get(axis, size)) for axis, size in enumerate(value.shape))
    return f"{str(value.dtype).removeprefix('torch.')}[{sizes}]"


class Flat(torch.nn.Module):
    """Positional inputs, a tuple of tensors out: what tracing wants."""

    def __init__(self, module, names):
        super().__init__()
        self.module, self.names = module, names

    def forward(self, *values):
        return tuple(tensors(self.module(**dict(zip(self.names, values)))))


class Io:
    def __init__(self):
        self.parts, self.length = [], 0

    def add(self, tensor):
        data = tensor.detach().contiguous().numpy().tobytes()
        entry = {"dtype": str(tensor.dtype).removeprefix("torch."), "shape": list(tensor.shape), "offset": self.length, "length": len(data)}
        self.parts.append(data)
        self.length += len(data)
        return entry


def cases(module, inputs, dynamic, io):
    symbols = sorted({symbol for dims in dynamic.values() for symbol in dims.values()})
    variants = [("as exported", inputs)]
    for i in range(2):
        sizes = {symbol: SIZES[symbol][i] for symbol in symbols}
        label = ", ".join(f"{symbol} {size}" for symbol, size in sizes.items())
        variants.append((label, resized(inputs, dynamic, sizes)))
    for label, values in variants:
        with torch.no_grad():
            outputs = tensors(module(**values))
        yield {"label": label, "inputs": {name: io.add(value) for name, value in values.items()}, "outputs": [io.add(value) for value in outputs]}


def make(name, folder):
    family, build = ZOO[name]
    torch.manual_seed(0)
    module, inputs, dynamic = build()
    perturb(module)
    folder.mkdir(parents=True)
    io, meta = Io(), {"name": name, "family": family}
    meta["cases"] = list(cases(module, inputs, dynamic, io))
    try:
        with torch.no_grad():
            traced = torch.jit.trace(Flat(module, list(inputs)), tuple(inputs.values()), check_trace=False)
        traced.save(folder / "traced.pt")
    except Exception as error:
        meta["traceError"] = f"{type(error).__name__}: {first_line(error)}"
    try:
        with torch.no_grad():
            torch.jit.freeze(torch.jit.script(module)).save(folder / "scripted.pt")
        meta["scriptInputs"] = {key: declared(value, dynamic.get(key, {})) for key, value in inputs.items()}
    except Exception as error:
        meta["scriptError"] = f"{type(error).__name__}: {first_line(error)}"
    dims = {symbol: torch.export.Dim(symbol, min=1, max=most) for symbol, most in MOST.items()}
    shapes = {key: {axis: dims[symbol] for axis, symbol in dynamic.get(key, {}).items()} for key in inputs}
    try:
        started = time.time()
        with torch.no_grad():
            try:
                program = torch.export.export(module, (), dict(inputs), dynamic_shapes=shapes)
            except Exception:
                auto = {key: {axis: torch.export.Dim.AUTO for axis in axes} for key, axes in shapes.items()}
                program = torch.export.export(module, (), dict(inputs), dynamic_shapes=auto)
        torch.export.save(program, folder / "program.pt2")
        meta["exportSeconds"] = round(time.time() - started, 2)
    except Exception as error:
        meta["exportError"] = f"{type(error).__name__}: {first_line(error)}"
    (folder / "io.bin").write_bytes(b"".join(io.parts))
    (folder / "meta.json").write_text(json.dumps(meta))
    return meta


def main():
    root, names = Path(sys.argv[1]), sys.argv[2:] or list(ZOO)
    torch.set_num_threads(1)
    for name in names:
        folder = root / name
        if (folder / "meta.json").exists():
            continue
        started = time.time()
        try:
            meta = make(name, folder)
            verdict = meta.get("exportError", "exported") + "; " + meta.get("traceError", "traced") + "; " + meta.get("scriptError", "scripted")
        except Exception:
            verdict = traceback.format_exc(limit=1).splitlines()[-1]
        print(f"{name}: {verdict} ({time.time() - started:.1f} s)", flush=True)


main()
