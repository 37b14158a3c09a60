"""Writes cases of the "never wrong" kind: a program, the inputs of some runs, and what PyTorch answers or raises.

`case(out, name, module, example, others)` writes OUT/NAME.pt2 (or OUT/NAME.pt for kind="trace", OUT/NAME/ for "script") and OUT/NAME.json:
{"inputs": [[tensor, ...], ...], "outputs": [[tensor, ...] | {"raises": text}, ...]}, a tensor being {"dtype", "shape", "data"}. NaN and
infinities are strings.
"""

import json
import os
import warnings

import torch
from torch import nn
from torch.utils._pytree import tree_leaves, tree_map

warnings.filterwarnings("ignore")
torch.manual_seed(1)
HALVES = (torch.bfloat16, torch.float16)


class Fn(nn.Module):
    """A function as a module: `function(self, *inputs)`. Keyword arguments become buffers and submodules."""

    def __init__(self, function, **weights):
        super().__init__()
        self.function = function
        for name, value in weights.items():
            if isinstance(value, nn.Module):
                setattr(self, name, value)
            else:
                self.register_buffer(name, value)

    def forward(self, *inputs):
        return self.function(self, *inputs)


def _number(value):
    is_strange = isinstance(value, float) and (value != value or value in (float("inf"), float("-inf")))
    return str(value) if is_strange else value


def tensor_json(tensor):
    """A tensor as a case holds it."""
    data = (tensor.float() if tensor.dtype in HALVES else tensor).flatten().tolist()
    return {"dtype": str(tensor.dtype)[6:], "shape": list(tensor.shape), "data": [_number(v) for v in data]}


def _flat(outputs):
    leaves = [leaf for leaf in tree_leaves(outputs) if leaf is not None]
    return [leaf if torch.is_tensor(leaf) else torch.tensor(leaf, dtype=torch.float64 if isinstance(leaf, float) else None) for leaf in leaves]


def _write_program(module, example, dynamic, kind, path, kwargs):
    if kind == "pt2":
        shapes = (dynamic,) if dynamic and isinstance(module, Fn) else dynamic
        program = torch.export.export(module, example, kwargs, dynamic_shapes=shapes)
        torch.export.save(program, path)
        return program.module()
    if kind == "trace":
        torch.jit.save(torch.jit.trace(module, example, check_trace=False), path)
        return torch.jit.load(path)
    # A scripted program does not say what its inputs look like: model.yaml does.
    made = torch.jit.script(module)
    folder = path.removesuffix(".pt")
    os.makedirs(folder, exist_ok=True)
    names = [argument.name for argument in made.forward.schema.arguments[1:]]
    types = {name: f"{str(tensor.dtype)[6:]}{list(tensor.shape)}" for name, tensor in zip(names, example)}
    with open(f"{folder}/model.yaml", "w") as file:
        json.dump({"inputs": types}, file)
    torch.jit.save(made, f"{folder}/model.pt")
    return torch.jit.load(f"{folder}/model.pt")


def case(out, name, module, example, others=(), dynamic=None, kind="pt2", kwargs=None):
    """Exports, traces or scripts `module` with `example`, and asks PyTorch for the answers to it and to `others`. `kwargs`: of the example alone."""
    os.makedirs(out, exist_ok=True)
    with torch.no_grad():
        path = f"{out}/{name}.{'pt2' if kind == 'pt2' else 'pt'}"
        run = _write_program(module.eval(), example, dynamic, kind, path, kwargs)
        answers = []
        for inputs in [example, *others]:
            try:
                given = tree_map(torch.clone, inputs)
                answers.append([tensor_json(tensor) for tensor in _flat(run(*given, **(kwargs or {})))])
            except Exception as error:  # noqa: BLE001 whatever PyTorch raises is its answer
                answers.append({"raises": f"{type(error).__name__}: {str(error).splitlines()[0][:160]}"})
    inputs = [[tensor_json(tensor) for tensor in tree_leaves((given, kwargs or {}))] for given in [example, *others]]
    with open(f"{out}/{name}.json", "w") as file:
        json.dump({"inputs": inputs, "outputs": answers}, file)
