"""One call of an op as TorchScript source: what a user would have written in a scripted `forward`."""

import itertools
import linecache
import math
import sys
import types

import torch
from fixture_pack import Skip, reason_of
from torch import nn
from torch.utils import _pytree as pytree

NAMESPACES = ("torch", "torch.nn.functional", "torch.linalg", "torch.fft", "torch.special")


class Name(str):
    """Stands for a tensor in the source."""


def literal(value: object) -> str:
    if isinstance(value, Name):
        return str(value)
    if isinstance(value, bool) or value is None or isinstance(value, (int, str)):
        return repr(value)
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else f"float('{value}')"
    if isinstance(value, (torch.dtype, torch.layout, torch.memory_format)):
        return str(value)
    if isinstance(value, torch.device):
        return f"torch.device('{value}')"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(literal(item) for item in value) + "]"
    raise Skip(f"a {type(value).__name__} has no literal")


def names_of(info) -> list[str]:
    base = info.name.rsplit(".", 1)[-1]
    found = [info.name] if info.name.startswith("nn.functional.") else []
    return [f"torch.{name}" for name in found] + [f"{space}.{base}" for space in NAMESPACES]


def exists(path: str) -> bool:
    value: object = torch
    for part in path.split(".")[1:]:
        value = getattr(value, part, None)
    return callable(value)


def script_call(info, args: object) -> torch.jit.ScriptModule:
    leaves, spec = pytree.tree_flatten(args)
    tensors = iter(range(len(leaves)))
    named = [Name(f"x{next(tensors)}") if isinstance(leaf, torch.Tensor) else leaf for leaf in leaves]
    positional, keywords = pytree.tree_unflatten(named, spec)
    call = ", ".join([*(literal(value) for value in positional), *(f"{key}={literal(value)}" for key, value in keywords.items())])
    params = "".join(f", {name}: Tensor" for name in named if isinstance(name, Name))
    methods = [f"{literal(positional[0])}.{info.name.rsplit('.', 1)[-1]}"]
    rest = ", ".join(call.split(", ")[1:]) if len(positional) > 0 else call
    error: Exception | None = None
    for function, given in [*((name, call) for name in names_of(info) if exists(name)), *((name, rest) for name in methods)]:
        try:
            return torch.jit.script(module_of(f"def forward(self{params}):\n        return {function}({given})\n")).eval()
        except Exception as failure:
            error = error or failure
    raise Skip(f"torch.jit.script refuses it: {reason_of(error)}" if error else "it has no function in TorchScript")


numbers = itertools.count()


def module_of(forward: str) -> nn.Module:
    """A module of its own class, whose source `inspect` finds."""
    name = f"Call{next(numbers)}"
    source = f"class {name}(nn.Module):\n    {forward}"
    file = f"<{name}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    scope = {"torch": torch, "nn": nn, "Tensor": torch.Tensor, "__name__": name}
    module = types.ModuleType(name)
    module.__file__ = file
    module.__dict__.update(scope)
    sys.modules[name] = module
    exec(compile(source, file, "exec"), module.__dict__)
    return module.__dict__[name]()
