"""Runs a model before anybody waits for it, and sees what it gives."""

from __future__ import annotations

from typing import Callable, Mapping, NamedTuple, Sequence

import torch

from .program import Program
from .types import Dim, Port, Symbol, batching_of

# Sizes of dimensions in two trials: different, so that what follows them shows.
_ROWS = (1, 3)
_SIZES = (7, 10)
# What a row may change by, as a share of the largest number: runs of other sizes round otherwise.
_TOLERANCE = 0.1


class Outputs(NamedTuple):
    names: list[str]
    tensors: list[torch.Tensor]


class Signature(NamedTuple):
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    batching: dict[str, object]
    warnings: list[str]


def flatten(result: object) -> Outputs:
    """Tensors in what a model gives: one, a tuple or list, a mapping such as a ModelOutput, nested. Others are left out."""
    found = Outputs([], [])
    _collect(result, "", found)
    if len(found.names) == 1 and found.names[0].startswith("_"):
        found.names[0] = "output"
    return Outputs([f"output{name}" if name.startswith("_") else name for name in found.names], found.tensors)


def _collect(value: object, name: str, found: Outputs) -> None:
    if isinstance(value, torch.Tensor):
        found.names.append(name or "_0")
        found.tensors.append(value)
    elif isinstance(value, (bool, int, float)) and name:
        found.names.append(name)
        found.tensors.append(torch.tensor(value))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            _collect(item, f"{name}_{key}" if name else str(key), found)
    elif isinstance(value, tuple) and hasattr(value, "_fields"):
        for key in value._fields:
            _collect(getattr(value, key), f"{name}_{key}" if name else key, found)
    elif isinstance(value, (tuple, list)):
        for index, item in enumerate(value):
            _collect(item, f"{name}_{index}", found)


def made_up(inputs: Sequence[Port], trial: int, device: torch.device) -> list[torch.Tensor]:
    """Inputs of one row or three. The last row is the same in both: floats from ½ to 1, and zeros, since integers are often indices."""
    sizes: dict[str, int] = {}
    tensors = []
    for port in inputs:
        shape = [_size(dim, axis, trial, sizes) for axis, dim in enumerate(port.dims)]
        tensors.append(_filled(shape, port.dtype).to(device))
    return tensors


def _size(dim: Dim, axis: int, trial: int, sizes: dict[str, int]) -> int:
    if isinstance(dim, int):
        return dim
    wish = _ROWS[trial] if axis == 0 else _SIZES[trial]
    sizes.setdefault(dim.name, max(dim.min, min(wish, dim.max if dim.max is not None else wish)))
    return sizes[dim.name]


def _filled(shape: list[int], dtype: torch.dtype) -> torch.Tensor:
    if not dtype.is_floating_point:
        return torch.zeros(shape, dtype=dtype)
    count = 1
    for size in shape:
        count *= size
    index = torch.arange(count - 1, -1, -1, dtype=torch.float64)
    return (1 - (index * 0.618033988749895) % 1 / 2).view(shape).to(dtype)


def try_out(program: Program, run: Callable[[list[torch.Tensor]], Outputs], device: torch.device) -> Signature:
    """What the model gives, seen in runs of two sizes; raises what the model raises in the first of them."""
    small = made_up(program.inputs, 0, device)
    first = run(small)
    warnings: list[str] = []
    large = made_up(program.inputs, 1, device)
    try:
        second = run(large)
    except Exception as error:
        warnings.append(f"the warm-up with three rows failed: {type(error).__name__}: {str(error)[:200]}")
        large, second = small, first
    outputs = program.outputs or _observed(program.inputs, (small, first), (large, second))
    batching = batching_of(program.inputs, outputs, program.batching_hint)
    if batching["kind"] == "on":
        fault = _row_fault(outputs, small, first, large, second) or (warnings[0] if warnings else None)
        if fault is not None:
            batching = {"kind": "off", "reason": f"{fault}, so that requests cannot share a run"}
            warnings.append(f"batching is off: {batching['reason']}")
    return Signature(program.inputs, outputs, batching, warnings)


Trial = "tuple[list[torch.Tensor], Outputs]"


def _observed(inputs: Sequence[Port], small: Trial, large: Trial) -> tuple[Port, ...]:
    """Output dimensions: those that were a symbol's size in both runs, those that stayed the same, and those of their own."""
    sizes: dict[tuple[int, int], str] = {}
    for port, one, two in zip(inputs, small[0], large[0]):
        for axis, dim in enumerate(port.dims):
            if isinstance(dim, Symbol) and one.shape[axis] != two.shape[axis]:
                sizes.setdefault((one.shape[axis], two.shape[axis]), dim.name)
    ports = []
    for name, one, two in zip(small[1].names, small[1].tensors, large[1].tensors):
        dims: list[Dim] = []
        for axis in range(one.dim()):
            pair = (one.shape[axis], two.shape[axis] if axis < two.dim() else -1)
            if pair in sizes:
                dims.append(Symbol(sizes[pair]))
            else:
                dims.append(pair[0] if pair[0] == pair[1] else Symbol(f"{name}.{axis}", 0))
        ports.append(Port(name, one.dtype, tuple(dims)))
    return tuple(ports)


def _row_fault(
    outputs: Sequence[Port],
    small: list[torch.Tensor],
    first: Outputs,
    large: list[torch.Tensor],
    second: Outputs,
) -> str | None:
    """Why the outputs are not made of independent rows; None: nothing speaks against it."""
    for tensors, result in ((small, first), (large, second)):
        rows = tensors[0].shape[0]
        for port, tensor in zip(outputs, result.tensors):
            if tensor.dim() == 0 or tensor.shape[0] != rows:
                return f"the output '{port.name}' is {list(tensor.shape)} for {rows} rows"
    for port, alone, together in zip(outputs, first.tensors, second.tensors):
        row = together[-1:]
        if not alone.dtype.is_floating_point or alone.shape != row.shape:
            continue
        largest = torch.nan_to_num(torch.cat((alone.flatten(), row.flatten())), 0, 0, 0).abs().max() if row.numel() else 0
        if not torch.allclose(alone, row, rtol=0, atol=float(largest) * _TOLERANCE, equal_nan=True):
            return f"a row of the output '{port.name}' depends on the other rows"
    return None
