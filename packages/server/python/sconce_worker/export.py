"""Makes a `.pt2` of a model that Python code makes, and compares it with the code."""

from __future__ import annotations

import inspect
import traceback
from pathlib import Path
from typing import Mapping, Sequence

import torch

from .archive_model import is_archive
from .errors import ServeError, first_line, refused
from .load import open_program
from .outputs import flatten
from .program import Program
from .types import Dim, Port, Symbol

# Two rows: torch.export takes 1 for a constant. The others are primes, so that no two sizes are equal by chance.
_ROWS = 2
_SIZES = (11, 13, 17, 19, 23)
# Sizes of rows, and of every other free dimension, at which both are compared.
_TRIALS = ((2, 11), (1, 11), (3, 7), (8, 16), (1, 2))


def answer(request: Mapping[str, object]) -> dict[str, object]:
    """`{"spec", "output"}` → what was exported, or `{"error"}`. Never raises."""
    try:
        return _export(request["spec"], Path(request["output"]))
    except ServeError as error:
        return {"error": {"code": error.code, "reason": error.reason, "message": error.message, "detail": error.detail}}


def _export(spec: Mapping[str, object], output: Path) -> dict[str, object]:
    if is_archive(Path(spec["file"])):
        raise refused("an archive of TorchServe is served as it is; to export its model, name the folder of its model.py and weights")
    options = {**spec["options"], **(spec["options"].get("python") or {}), "memory": "fast"}
    program = open_program(spec, options, torch.device("cpu"))
    if program.module is None:
        raise refused(f"there is nothing to export: {program.kind}; sconce inspect says whether it runs without Python")
    if isinstance(program.module, torch.jit.ScriptModule):
        raise refused("a TorchScript program is served as it is; export the Python module that it was made of")
    names = _names(program)
    module = _plain(program, names)
    example = _inputs(program.inputs, _ROWS, None)
    exported = _exported(module, names, program, example, Path(spec["file"]).parent)
    torch.export.save(exported, str(output))
    # What others will read, and not what is in memory, is compared; there sizes that became constants are numbers, too.
    exported = torch.export.load(str(output))
    return {
        "inputs": [_described(port, axes) for port, axes in zip(program.inputs, _free_axes(exported, program.inputs))],
        "compared": _compared(program, exported, names),
        "torch": torch.__version__,
        "parameters": program.parameter_count,
    }


def _names(program: Program) -> list[str] | None:
    """Arguments of `forward` that the inputs are, by name; None: they go by their order."""
    parameters = inspect.signature(program.module.forward).parameters
    names = [port.name for port in program.inputs]
    positional = inspect.Parameter.POSITIONAL_ONLY
    return names if all(name in parameters and parameters[name].kind is not positional for name in names) else None


class _Plain(torch.nn.Module):
    """Gives tensors by name, whatever class of its own the model answers with, and takes tensors alone."""

    def __init__(self, model: torch.nn.Module, constants: Mapping[str, object]) -> None:
        super().__init__()
        self.model = model
        self._constants = dict(constants)

    def call(self, *args: torch.Tensor, **kwargs: torch.Tensor) -> dict[str, torch.Tensor]:
        found = flatten(self.model(*args, **kwargs, **self._constants))
        return dict(zip(found.names, found.tensors))


def _plain(program: Program, names: list[str] | None) -> torch.nn.Module:
    """The module itself where it takes and gives nothing but tensors: its weights keep their names."""
    inputs = _inputs(program.inputs, _ROWS, None)
    try:
        with torch.inference_mode():
            result = program.call(inputs)
    except Exception as error:
        shown = ", ".join(f"{port.name} {list(tensor.shape)}" for port, tensor in zip(program.inputs, inputs))
        raise refused(
            f"the model fails on made-up inputs ({shown}): {_blame(error, Path(program.files[0]).parent)}; a size that is no choice belongs into the type of its input",
            "model_code_failed",
            _trace(error),
        ) from error
    is_plain = isinstance(result, torch.Tensor) or (
        type(result) in (tuple, list, dict) and all(isinstance(item, torch.Tensor) for item in (result.values() if isinstance(result, dict) else result))
    )
    if is_plain and not program.constants:
        return program.module
    arguments = [port.name for port in program.inputs]
    given = ", ".join(f"{name}={name}" for name in arguments) if names is not None else ", ".join(arguments)
    scope: dict[str, object] = {"_Plain": _Plain}
    source = f"class Plain(_Plain):\n    def forward(self, {', '.join(arguments)}):\n        return self.call({given})\n"
    if not all(name.isidentifier() for name in arguments):
        raise refused("the inputs' names are no names of arguments in Python")
    exec(source, scope)
    return scope["Plain"](program.module, program.constants).eval()


def _inputs(ports: Sequence[Port], rows: int, size: int | None) -> list[torch.Tensor]:
    """Floats are normal, integers 0 and 1. `size`: of every free dimension but the rows; None: each has its own."""
    sizes: dict[str, int] = {}
    generator = torch.Generator().manual_seed(1)
    tensors = []
    for port in ports:
        shape = [_size(dim, axis, (rows, size), sizes) for axis, dim in enumerate(port.dims)]
        if port.dtype.is_floating_point:
            tensors.append(torch.randn(shape, generator=generator).to(port.dtype))
        else:
            tensors.append(torch.randint(0, 2, shape, generator=generator).to(port.dtype))
    return tensors


def _size(dim: Dim, axis: int, wish: tuple[int, int | None], sizes: dict[str, int]) -> int:
    if isinstance(dim, int):
        return dim
    if dim.name not in sizes:
        rows, size = wish
        asked = rows if axis == 0 else size if size is not None else _SIZES[len(sizes) % len(_SIZES)]
        sizes[dim.name] = max(dim.min, asked if dim.max is None else min(asked, dim.max))
    return sizes[dim.name]


def _exported(
    module: torch.nn.Module, names: list[str] | None, program: Program, example: list[torch.Tensor], folder: Path
) -> torch.export.ExportedProgram:
    shapes = [
        {axis: torch.export.Dim.AUTO for axis, dim in enumerate(port.dims) if isinstance(dim, Symbol)}
        for port in program.inputs
    ]
    args, kwargs = ((), dict(zip(names, example))) if names is not None else (tuple(example), {})
    dynamic = dict(zip(names, shapes)) if names is not None else tuple(shapes)
    failure: BaseException | None = None
    for strict in (False, True):
        try:
            return torch.export.export(module, args, kwargs, dynamic_shapes=dynamic, strict=strict)
        except Exception as error:
            failure = failure or error
    raise refused(f"torch.export cannot export the model: {_blame(failure, folder)}", detail=_trace(failure)) from failure


def _blame(error: BaseException, folder: Path) -> str:
    """What went wrong, and the line of the model's own code where it did."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if folder in Path(frame.filename).parents]
    where = f" (at {Path(frames[-1].filename).name}, line {frames[-1].lineno}: {frames[-1].line})" if frames else ""
    return f"{type(error).__name__}: {first_line(error)}{where}"


def _trace(error: BaseException) -> str:
    return "".join(traceback.format_exception(type(error), error, error.__traceback__))


def _free_axes(exported: torch.export.ExportedProgram, ports: Sequence[Port]) -> list[set[int]]:
    placeholders = {node.name: node.meta["val"] for node in exported.graph.nodes if node.op == "placeholder"}
    values = [placeholders[name] for name in exported.graph_signature.user_inputs]
    return [
        {axis for axis, size in enumerate(value.shape) if not isinstance(size, int)} if isinstance(value, torch.Tensor) else set()
        for value, _ in zip(values, ports)
    ]


def _described(port: Port, free: set[int]) -> dict[str, object]:
    fixed = [axis for axis, dim in enumerate(port.dims) if isinstance(dim, Symbol) and axis not in free]
    return {**port.spec(), "fixed": fixed}


def _compared(
    program: Program, exported: torch.export.ExportedProgram, names: list[str] | None
) -> list[dict[str, object]]:
    """How far the exported program is from the code, for inputs of several sizes; what it refuses, with its words."""
    module = exported.module()
    found = []
    for rows, size in _TRIALS:
        inputs = _inputs(program.inputs, rows, size)
        shapes = [list(tensor.shape) for tensor in inputs]
        if any(shapes == known["shapes"] for known in found):
            continue
        with torch.inference_mode():
            try:
                want = flatten(program.call(inputs)).tensors
            except Exception:
                continue  # The model itself does not take this size.
            try:
                result = module(**dict(zip(names, inputs))) if names is not None else module(*inputs)
            except Exception as error:
                found.append({"shapes": shapes, "refused": first_line(error)})
                continue
        errors = [_error(got, expected) for got, expected in zip(flatten(result).tensors, want)]
        found.append({"shapes": shapes, "error": max(errors, default=0.0)})
    return found


def _error(got: torch.Tensor, want: torch.Tensor) -> float:
    """Relative to 1 + |want|; −1 where shapes differ or one is not a number alone (JSON has no infinity)."""
    if got.shape != want.shape:
        return -1.0
    if want.numel() == 0:
        return 0.0
    got, want = got.double(), want.double()
    same = (got == want) | (got.isnan() & want.isnan())
    error = torch.where(same, 0.0, (got - want).abs() / (1 + want.abs())).max().item()
    return error if error == error and error != float("inf") else -1.0
