"""Compares an exported program with the code that it was made of, and writes down what the code answers."""

from __future__ import annotations

import time
from pathlib import Path
from typing import BinaryIO, Callable, Sequence

import torch

from .errors import ServeError, first_line
from .export_inputs import Sizes, made_inputs, other_sizes
from .outputs import flatten
from .program import Program
from .tensors import datatype_of

_TIMED_RUNS = 5
_TIMED_SECONDS = 2.0
# Of the file that inputs and answers are written to.
_MOST_BYTES = 512 * 1024 * 1024

Call = Callable[[Sequence[torch.Tensor]], object]


def compare(program: Program, exported: Call, chosen: Sizes, file: Path) -> list[dict[str, object]]:
    """
    How far the exported program is from the code at several sizes, and what it refuses, with its words. `file` gets the inputs and the
    code's answers: each trial that was compared says where they lie.
    """
    found: list[dict[str, object]] = []
    with open(file, "wb") as written:
        for sizes in other_sizes(program.inputs, chosen):
            inputs = made_inputs(program.inputs, sizes)
            shapes = None if inputs is None else [list(tensor.shape) for tensor in inputs]
            if inputs is None or any(shapes == known["shapes"] for known in found):
                continue
            trial = _trial(program, exported, inputs, written)
            if trial is not None:
                found.append({"shapes": shapes, **trial})
    return found


def _trial(program: Program, exported: Call, inputs: list[torch.Tensor], file: BinaryIO) -> dict[str, object] | None:
    with torch.inference_mode():
        try:
            want = flatten(program.call(inputs)).tensors
        except Exception:
            return None  # The model itself does not take this size.
        try:
            got = flatten(exported(inputs)).tensors
        except Exception as error:
            return {"refused": first_line(error)}
    error = max((_error(a, b) for a, b in zip(got, want)), default=0.0) if len(got) == len(want) else -1.0
    return {"error": error, **_written(file, program, inputs, want)}


def _written(file: BinaryIO, program: Program, inputs: list[torch.Tensor], want: list[torch.Tensor]) -> dict[str, object]:
    try:
        named = [(port.name, tensor) for port, tensor in zip(program.inputs, inputs)], [(f"output {i}", tensor) for i, tensor in enumerate(want)]
        kinds = [[datatype_of(name, tensor.dtype) for name, tensor in side] for side in named]
    except ServeError:
        return {}
    size = sum(tensor.numel() * tensor.element_size() for side in named for _, tensor in side)
    if file.tell() + size > _MOST_BYTES:
        return {}
    places = [
        [_place(file, kind, tensor) for kind, (_, tensor) in zip(datatypes, side)] for datatypes, side in zip(kinds, named)
    ]
    return {"inputs": places[0], "outputs": places[1], "codeMs": _milliseconds(program.call, inputs)}


def _place(file: BinaryIO, datatype: str, tensor: torch.Tensor) -> dict[str, object]:
    start = file.tell()
    file.write(tensor.detach().to("cpu").contiguous().view(-1).view(torch.uint8).numpy().tobytes() if tensor.numel() else b"")
    return {"datatype": datatype, "shape": list(tensor.shape), "start": start, "end": file.tell()}


def _milliseconds(call: Call, inputs: list[torch.Tensor]) -> float:
    """The fastest of some runs: what else the machine does makes them slower only."""
    times = []
    end = time.perf_counter() + _TIMED_SECONDS
    with torch.inference_mode():
        while len(times) < _TIMED_RUNS and (not times or time.perf_counter() < end):
            started = time.perf_counter()
            call(inputs)
            times.append((time.perf_counter() - started) * 1000)
    return min(times)


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
