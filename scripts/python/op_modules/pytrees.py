"""Nested inputs and outputs, and the corners of a signature."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import nn
from torch.utils import _pytree as pytree

from op_modules.case import Cases

cases = Cases()


class Pair(NamedTuple):
    first: torch.Tensor
    second: torch.Tensor


@dataclass
class Output:
    logits: torch.Tensor
    hidden: torch.Tensor | None = None


torch.export.register_dataclass(Output, serialized_type_name="op_modules.Output")
pytree._register_namedtuple(Pair, serialized_type_name="op_modules.Pair")


@cases.of((2, 3))
def dictionary(x):
    return {"b": x + 1, "a": x * 2, "nested": {"c": x - 1, "list": [x, x + 3]}}


@cases.of((2, 3))
def tuples_and_lists(x):
    return x, (x + 1, [x + 2, (x + 3,)]), None


@cases.of((2, 3))
def named_tuple(x):
    return Pair(x + 1, x * 2)


@cases.of((2, 3))
def data_class(x):
    return Output(x + 1)


@cases.of((2, 3))
def only_one(x):
    return x.sum()


@cases.of((2, 3))
def list_of_one(x):
    return [x + 1]


@cases.of((2, 3))
def the_input_itself(x):
    return x, x + 0


@cases.of((2, 3))
def the_same_twice(x):
    y = x + 1
    return y, y, {"again": y}


@cases.of((2, 3))
def a_constant(x):
    return x + 1, torch.tensor([1, 2, 3]), torch.ones(2)


@cases.of((2, 3))
def with_none(x):
    return None, x * 2, None


@cases.of(runs=lambda: [({"x": torch.randn(2, 3), "y": torch.randn(3)},)])
class DictInput(nn.Module):
    def forward(self, inputs):
        return inputs["x"] * inputs["y"]


@cases.of(runs=lambda: [([torch.randn(2, 3), torch.randn(2, 3)], (torch.randn(3), {"z": torch.randn(1)}))])
class NestedInput(nn.Module):
    def forward(self, items, more):
        return items[0] + items[1] * more[0] - more[1]["z"]


@cases.of(runs=lambda: [(torch.randn(2, 3), None, torch.randn(3))])
class OptionalInput(nn.Module):
    def forward(self, x, mask=None, bias=None):
        y = x if mask is None else x.masked_fill(mask, 0)
        return y if bias is None else y + bias


@cases.of(runs=lambda: [(torch.randn(2, 3), 3, 0.5, True)])
class ConstantInputs(nn.Module):
    def forward(self, x, times, scale, flag):
        return x * times * scale if flag else x


@cases.of((2, 3), (2, 3))
class UnusedInput(nn.Module):
    def forward(self, x, unused):
        return x * 2


@cases.of((2, 3))
class NoParameters(nn.Module):
    def forward(self, input):  # noqa: A002
        return {"output": input, "input": input + 1}


@cases.of((2, 3))
def sizes_as_outputs(x):
    return x + 1, x.shape[0], x.numel() * 2


@cases.of((2, 3))
def scalar_tensors(x):
    return x.sum(), x.max(), (x > 0).any(), x.argmax(), x.mean().to(torch.float64)
