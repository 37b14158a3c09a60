"""What a sweep of edge inputs runs on: a program with free sizes, and the inputs that it was exported with."""

import inspect
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from fixture_pack import Skip, export, results_of
from torch import nn
from torch.export import Dim


@dataclass
class Subject:
    """`free[i][d]` is dimension d of input i: a number, or an expression over symbols (sympy)."""

    label: str
    program: object
    example: list[torch.Tensor]
    free: list[list[object]]

    @cached_property
    def kept(self) -> nn.Module:
        return self.program.module()

    @property
    def module(self) -> nn.Module:
        """The program to call; where a call changes what it keeps, that is as in the file."""
        for name, value in self.stored.items():
            self.program.state_dict[name].copy_(value)
        return self.program.module() if self.stored else self.kept

    @cached_property
    def stored(self) -> dict[str, torch.Tensor]:
        changed = set(self.program.graph_signature.buffers_to_mutate.values())
        return {name: value.clone() for name, value in self.program.state_dict.items() if name in changed}

    def symbols(self) -> dict:
        """Every symbol with its size in the example."""
        found = {}
        for tensor, dims in zip(self.example, self.free, strict=True):
            for size, dim in zip(tensor.shape, dims, strict=True):
                if getattr(dim, "is_symbol", False):
                    found.setdefault(dim, size)
        return found

    def declares(self, outputs: list[torch.Tensor]) -> bool:
        """Whether results have the dtypes, ranks and known sizes that the program says."""
        order = [spec.arg.name for spec in self.program.graph_signature.output_specs if hasattr(spec.arg, "name")]
        values = {node.name: node.meta.get("val") for node in self.program.graph.nodes if node.name in order}
        declared = [value for name in order if isinstance(value := values.get(name), torch.Tensor)]
        if len(declared) != len(outputs):
            return True
        return all(fits(a, b) for a, b in zip(declared, outputs))


def fits(declared: torch.Tensor, output: torch.Tensor) -> bool:
    if declared.dtype != output.dtype or declared.dim() != output.dim():
        return False
    return all(not isinstance(size, int) or size == real for size, real in zip(declared.shape, output.shape, strict=True))


class Picked(nn.Module):
    """A module on the rows of its first tensor that a mask keeps: how many there are is known while it runs."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, keep: torch.Tensor, first: torch.Tensor, *rest: torch.Tensor) -> object:
        return self.inner(first[keep], *rest)


def subjects_of(label: str, module: nn.Module, tensors: list[torch.Tensor]) -> Iterator[Subject]:
    """The module with every size free that may be, and behind a mask."""
    yield exported(label, module, tensors)
    if tensors and tensors[0].dim() > 0 and tensors[0].shape[0] > 1:
        keep = torch.arange(tensors[0].shape[0]) >= 0
        try:
            yield exported(f"{label}-picked", Picked(module), [keep, *tensors])
        except Skip:  # the size of its result would not be known
            return


def exported(label: str, module: nn.Module, tensors: list[torch.Tensor]) -> Subject:
    for depth in (8, 1, 0):
        free = [{d: Dim.AUTO for d in range(min(t.dim(), depth))} for t in tensors]
        try:
            program = export(module, tuple(tensors), dynamic_shapes=by_parameter(module, free) if tensors else None)
        except Skip:
            if depth == 0:
                raise
            continue
        return Subject(label, program, tensors, [dims_of(value) for value in values_of(program, len(tensors))])
    raise AssertionError


def by_parameter(module: nn.Module, free: list[dict]) -> tuple:
    """What is free, one entry for each parameter of `forward`: those of `*args` are one."""
    kinds = [parameter.kind for parameter in inspect.signature(module.forward).parameters.values()]
    if inspect.Parameter.VAR_POSITIONAL not in kinds:
        return tuple(free)
    at = kinds.index(inspect.Parameter.VAR_POSITIONAL)
    return (*free[:at], tuple(free[at:])) if len(free) > at else tuple(free)


def values_of(program, count: int) -> list:
    names = program.graph_signature.user_inputs
    nodes = {node.name: node for node in program.graph.nodes if node.op == "placeholder"}
    values = [nodes[name].meta["val"] for name in names]
    if len(values) != count:
        raise Skip("an input is not a tensor")
    return values


def dims_of(value: torch.Tensor) -> list[object]:
    return [size if isinstance(size, int) else size.node.expr for size in value.shape]


def resized(subject: Subject, sizes: dict, rng: np.random.Generator) -> list[torch.Tensor] | None:
    """Inputs of other sizes, with values drawn from the example's. None where an expression has no such size."""
    result = []
    for tensor, dims in zip(subject.example, subject.free, strict=True):
        shape = [dim if isinstance(dim, int) else int(dim.subs(sizes)) for dim in dims]
        if any(size < 0 for size in shape):
            return None
        result.append(drawn(tensor, shape, rng))
    return result


def drawn(tensor: torch.Tensor, shape: list[int], rng: np.random.Generator) -> torch.Tensor:
    if list(tensor.shape) == shape:
        return tensor.clone()
    count = int(np.prod(shape))
    if tensor.numel() == 0:
        return torch.zeros(shape, dtype=tensor.dtype)
    places = torch.from_numpy(rng.integers(0, tensor.numel(), count))
    return tensor.reshape(-1)[places].reshape(shape)


# The processor time for one answer: a loop that an index counts has 2^31 rounds.
ANSWER_SECONDS = 5


class Endless(BaseException):
    """PyTorch has not answered in time. No Exception: nothing on its way may take it for an answer."""


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    def end(*_: object) -> None:
        raise Endless

    before = signal.signal(signal.SIGPROF, end)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def answer(subject: Subject, inputs: list[torch.Tensor]) -> list[torch.Tensor] | str:
    """What PyTorch's own program gives for these inputs, or the text of what it raises. Raises Endless."""
    try:
        with limited(ANSWER_SECONDS), torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # A result may be what the program keeps, and changes in the next call.
            return [result.clone() for result in results_of(subject.module(*[t.clone() for t in inputs]))]
    except Exception as error:
        lines = str(error).strip().splitlines() or [""]
        return f"{type(error).__name__}: {lines[0]}"[:200]
