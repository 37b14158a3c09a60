"""Makes a `.pt2` of a model that Python code makes, and compares it with the code."""

from __future__ import annotations

import inspect
import traceback
from pathlib import Path
from typing import Callable, Mapping, Sequence

import torch

from .archive_folder import remove_folders
from .errors import ServeError, first_line, refused
from .export_inputs import Sizes
from .export_source import Rejected, Source, accepted, open_source
from .export_trials import compare
from .outputs import flatten
from .program import Program
from .recurrent_shapes import free_lengths
from .reparametrized import pruning_notes
from .types import Port, Symbol


def answer(request: Mapping[str, object]) -> dict[str, object]:
    """`{"spec", "output", "trials"}` → what was exported, or `{"error"}`. Never raises."""
    try:
        return _export(request["spec"], Path(request["output"]), Path(request["trials"]))
    except ServeError as error:
        return _failure(error)
    except Exception as error:
        return _failure(refused(f"{type(error).__name__}: {first_line(error)}", detail=_trace(error)))


def _failure(error: ServeError) -> dict[str, object]:
    return {"error": {"code": error.code, "reason": error.reason, "message": error.message, "detail": error.detail}}


def _export(spec: Mapping[str, object], output: Path, trials: Path) -> dict[str, object]:
    options = {**spec["options"], **(spec["options"].get("python") or {}), "memory": "fast"}
    try:
        return _exported_source(open_source(spec, options), output, trials)
    finally:
        remove_folders()


def _exported_source(source: Source, output: Path, trials: Path) -> dict[str, object]:
    program = source.program
    folder = Path(program.files[0]).parent
    names = _names(program)
    sizes, example = _accepted(program, folder)
    module = _plain(program, names, example)
    exported = _exported(module, names, program, example, folder)
    torch.export.save(exported, str(output))
    # What others will read, and not what is in memory, is compared; there sizes that became constants are numbers, too.
    exported = torch.export.load(str(output))
    return {
        "inputs": [_described(port, axes) for port, axes in zip(program.inputs, _free_axes(exported, program.inputs))],
        "compared": compare(program, _called(exported, names), sizes, trials),
        "torch": torch.__version__,
        "parameters": program.parameter_count,
        "notes": source.notes + pruning_notes(program.module),
    }


def _called(exported: torch.export.ExportedProgram, names: list[str] | None) -> Callable[[Sequence[torch.Tensor]], object]:
    module = exported.module()
    return lambda inputs: module(**dict(zip(names, inputs))) if names is not None else module(*inputs)


def _accepted(program: Program, folder: Path) -> tuple[Sizes, list[torch.Tensor]]:
    try:
        return accepted(program)
    except Rejected as rejected:
        shown = ", ".join(f"{port.name} {list(tensor.shape)}" for port, tensor in zip(program.inputs, rejected.inputs))
        raise refused(
            f"the model fails on made-up inputs ({shown}): {_blame(rejected.error, folder)}; a size that is no choice belongs into the type of its input",
            "model_code_failed",
            _trace(rejected.error),
        ) from rejected


def _names(program: Program) -> list[str] | None:
    """Arguments of `forward` that the inputs are, by name; None: they go by their order."""
    if program.script is not None:
        return None
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


def _plain(program: Program, names: list[str] | None, example: list[torch.Tensor]) -> torch.nn.Module:
    """The module itself where it takes and gives nothing but tensors: its weights keep their names."""
    with torch.inference_mode():
        result = program.call(example)
    is_plain = isinstance(result, torch.Tensor) or (
        type(result) in (tuple, list, dict) and all(isinstance(item, torch.Tensor) for item in (result.values() if isinstance(result, dict) else result))
    )
    if is_plain and not program.constants and program.script is None:
        return program.module
    arguments = [port.name for port in program.inputs]
    given = ", ".join(f"{name}={name}" for name in arguments) if names is not None else ", ".join(arguments)
    scope: dict[str, object] = {"_Plain": _Plain}
    source = f"class Plain(_Plain):\n    def forward(self, {', '.join(arguments)}):\n        return self.call({given})\n"
    if not all(name.isidentifier() for name in arguments):
        raise refused("the inputs' names are no names of arguments in Python")
    exec(source, scope)
    plain = scope["Plain"](program.module, program.constants)
    # What TorchScript was converted to refuses `eval()`; everything inside is in evaluation mode already.
    plain.training = False
    return plain


def _exported(
    module: torch.nn.Module, names: list[str] | None, program: Program, example: list[torch.Tensor], folder: Path
) -> torch.export.ExportedProgram:
    """With as many free sizes as torch.export can keep free. Raises ServeError with what stands against it."""
    args, kwargs = ((), dict(zip(names, example))) if names is not None else (tuple(example), {})
    failure: Exception | None = None
    for axes in _freedoms(program.inputs):
        shapes = [{axis: torch.export.Dim.AUTO for axis in kept} for kept in axes]
        dynamic = dict(zip(names, shapes)) if names is not None else tuple(shapes)
        for strict in (False, True):
            try:
                with free_lengths():
                    return torch.export.export(module, args, kwargs, dynamic_shapes=dynamic, strict=strict)
            except Exception as error:
                failure = failure or error
    raise refused(f"torch.export cannot export the model: {_blame(failure, folder)}", detail=_trace(failure)) from failure


def _freedoms(ports: Sequence[Port]) -> list[list[list[int]]]:
    """Of each input the axes that are free: all of them, else the rows alone."""
    every = [[axis for axis, dim in enumerate(port.dims) if isinstance(dim, Symbol)] for port in ports]
    rows = [[axis for axis in axes if axis == 0] for axes in every]
    return [every] if rows == every or not any(rows) else [every, rows]


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
