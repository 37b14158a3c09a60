"""How a family file states its cases."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.export import Dim

BATCH = Dim("batch", min=1, max=64)
LENGTH = Dim("length", min=1, max=512)


@dataclass
class Case:
    """A module and the arguments of its runs: the first are those it is exported with. `precision`: it computes in 16 bits."""

    make: Callable[[], nn.Module]
    runs: Callable[[], list[tuple]]
    dynamic: object = None
    precision: str | None = None


class Function(nn.Module):
    def __init__(self, function: Callable) -> None:
        super().__init__()
        self.function = function

    def forward(self, *args):
        return self.function(*args)


class Cases(dict):
    """Cases by name. `cases.of(arguments…)` decorates a function or a module class; without `runs` one run of the given tensors."""

    def of(
        self,
        *args: object,
        runs: Callable[[], list[tuple]] | None = None,
        dynamic: object = None,
        precision: str | None = None,
    ) -> Callable:
        """`args` are shapes (tuples: standard normal float32) or tensors; `runs` makes several tuples of arguments instead."""

        def add(subject: Callable) -> Callable:
            is_module = isinstance(subject, type)
            make = subject if is_module else (lambda: Function(subject))
            given = runs if runs is not None else lambda: [tuple(tensor_of(a) for a in args)]
            # A function takes *args, so its dynamic shapes are one tuple.
            spec = dynamic if dynamic is None or is_module else (tuple(dynamic),)
            name = subject.__name__.lower() if is_module else subject.__name__
            if name in self:
                raise ValueError(f"two cases are called {name}")
            self[name] = Case(make, given, spec, precision)
            return subject

        return add


def tensor_of(value: object) -> object:
    return torch.randn(*value) if isinstance(value, tuple) else value


def ints(*shape: int, high: int = 10, low: int = 0) -> torch.Tensor:
    return torch.randint(low, high, shape)


def bools(*shape: int) -> torch.Tensor:
    return torch.rand(*shape) > 0.5


def runs_of(*shapes: tuple) -> Callable[[], list[tuple]]:
    """Several runs of one float32 argument."""
    return lambda: [(torch.randn(*shape),) for shape in shapes]
