"""Runs a model before anybody waits for it, and sees what it gives."""

from __future__ import annotations

from typing import Callable, List, NamedTuple, Sequence, Tuple

import torch

from .errors import ServeError, refused
from .outputs import Outputs
from .program import Program
from .types import Dim, Port, Symbol, batching_of

# Sizes of dimensions in two trials: different, so that what follows them shows.
_ROWS = (1, 3)
_SIZES = (7, 10)
# What a row may change by, as a share of the largest number: runs of other sizes round otherwise.
_TOLERANCE = 0.1


class Signature(NamedTuple):
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    batching: dict[str, object]
    warnings: list[str]


def made_up(inputs: Sequence[Port], trial: int) -> list[torch.Tensor]:
    """Inputs of one row or three. The last row is the same in both: floats from ½ to 1, and zeros, since integers are often indices."""
    sizes: dict[str, int] = {}
    tensors = []
    for port in inputs:
        shape = [_size(dim, axis, trial, sizes) for axis, dim in enumerate(port.dims)]
        tensors.append(_filled(shape, port.dtype))
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


def try_out(
    program: Program, run: Callable[[list[torch.Tensor]], Outputs], outputs: tuple[Port, ...] | None, times: int
) -> Signature:
    """
    Runs on the inputs that came with the file, which must work, and on made-up ones of two sizes. `outputs`: what is known of them; where
    nothing is, runs show it, and an error of the first is raised. Raises ServeError.
    """
    if times > 0 and program.samples is not None:
        _run_samples(program.samples, run)
    warnings: list[str] = []
    trials = []
    if times > 0 or outputs is None:
        for size in (0, 1):
            inputs = made_up(program.inputs, size)
            try:
                trials.append((inputs, [run(inputs) for _ in range(max(1, times))][0]))
            except ServeError as error:
                if outputs is None and size == 0:
                    shown = ", ".join(f"{port.name} {list(tensor.shape)}" for port, tensor in zip(program.inputs, inputs))
                    raise refused(
                        f"the model fails on made-up inputs ({shown}): {error.message}", "warmup_failed", error.detail
                    ) from error
                warnings.append(f"the warm-up with made-up inputs failed: {error.message}")
                break
    known = outputs or _observed(program.inputs, trials[0], trials[-1])
    batching = batching_of(program.inputs, known, program.batching_hint)
    if batching["kind"] == "on" and trials:
        fault = _count_fault(known, trials) or _row_fault(known, trials[0], trials[-1])
        if outputs is None and len(trials) < 2:
            fault = fault or warnings[0]
        if fault is not None:
            batching = {"kind": "off", "reason": f"{fault}, so that requests cannot share a run"}
            warnings.append(f"batching is off: {batching['reason']}")
    return Signature(program.inputs, known, batching, warnings)


def _run_samples(samples: list[torch.Tensor], run: Callable[[list[torch.Tensor]], Outputs]) -> None:
    try:
        run(samples)
    except ServeError as error:
        raise refused(
            f"the model fails on the sample inputs it was exported with: {error.message}", "warmup_failed", error.detail
        ) from error


Trial = Tuple[List[torch.Tensor], Outputs]


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


def _count_fault(outputs: Sequence[Port], trials: Sequence[Trial]) -> str | None:
    """The first output that has not a row for every row of the inputs; None: there is none."""
    for tensors, result in trials:
        rows = tensors[0].shape[0]
        for port, tensor in zip(outputs, result.tensors):
            if tensor.dim() == 0 or tensor.shape[0] != rows:
                return f"the output '{port.name}' is {list(tensor.shape)} for {rows} rows"
    return None


def _row_fault(outputs: Sequence[Port], small: Trial, large: Trial) -> str | None:
    """The first output whose last row is another one when it was calculated alone; None: there is none."""
    for port, alone, together in zip(outputs, small[1].tensors, large[1].tensors):
        row = together[-1:]
        if not alone.dtype.is_floating_point or alone.shape != row.shape:
            continue
        largest = torch.nan_to_num(torch.cat((alone.flatten(), row.flatten())), 0, 0, 0).abs().max() if row.numel() else 0
        if not torch.allclose(alone, row, rtol=0, atol=float(largest) * _TOLERANCE, equal_nan=True):
            return f"a row of the output '{port.name}' depends on the other rows"
    return None
