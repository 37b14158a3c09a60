"""Parameters, buffers and constants: tied, strided, narrow dtypes, mutated."""

import torch
import torch.nn.functional as F
from torch import nn

from op_modules.case import BATCH, Cases, ints, runs_of

cases = Cases()


@cases.of(runs=runs_of((2, 64), (5, 64)), dynamic=({0: BATCH},))
class Big(nn.Module):
    """Weights large enough to be left in the file."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(64, 96), nn.GELU(), nn.Linear(96, 64), nn.LayerNorm(64))

    def forward(self, x):
        return self.layers(x)


@cases.of(runs=lambda: [(ints(2, 3),)])
class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(10, 8)
        self.output = nn.Linear(8, 10, bias=False)
        self.output.weight = self.embedding.weight

    def forward(self, ids):
        return self.output(self.embedding(ids))


@cases.of((2, 4))
class Strided(nn.Module):
    """Buffers that are slices and transposes of one storage."""

    def __init__(self) -> None:
        super().__init__()
        base = torch.arange(32.0).reshape(4, 8)
        self.register_buffer("transposed", base.t())
        self.register_buffer("sliced", base[1:3, 2:6])
        self.register_buffer("stepped", base[:, ::2])
        self.register_buffer("expanded", base[0, :1].expand(4))

    def forward(self, x):
        return x @ self.stepped + self.expanded, self.transposed.sum(0), self.sliced * 2


@cases.of((2, 4))
class ParameterOfView(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(6, 4).t()[:, 1:5])

    def forward(self, x):
        return F.linear(x, self.weight)


def narrow(dtype: torch.dtype) -> type:
    class Narrow(nn.Module):
        """Weights of 16 bits, activations cast on the way in and out."""

        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 8)).to(dtype)
            self.register_buffer("scale", torch.linspace(0.5, 2, 8, dtype=dtype))

        def forward(self, x):
            return (self.layers(x.to(dtype)) * self.scale).float()

    Narrow.__name__ = f"narrow_{str(dtype).removeprefix('torch.')}"
    return Narrow


def all_narrow(dtype: torch.dtype) -> type:
    class AllNarrow(nn.Module):
        """Inputs and outputs of 16 bits too."""

        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(8, 8).to(dtype)
            self.norm = nn.LayerNorm(8).to(dtype)

        def forward(self, x):
            return torch.softmax(self.norm(self.linear(x)), -1)

    AllNarrow.__name__ = f"all_narrow_{str(dtype).removeprefix('torch.')}"
    return AllNarrow


for _dtype in (torch.float16, torch.bfloat16):
    cases.of((2, 16), precision=str(_dtype).removeprefix("torch."))(narrow(_dtype))
    cases.of(runs=lambda dtype=_dtype: [(torch.randn(2, 8).to(dtype),)])(all_narrow(_dtype))


@cases.of((2, 8), precision="bfloat16")
class NarrowConv(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, 4, 3).to(torch.bfloat16)
        self.norm = nn.BatchNorm1d(4).to(torch.bfloat16)

    def forward(self, x):
        return self.norm(self.conv(x.unsqueeze(1).bfloat16())).float()


@cases.of((2, 4))
class Double(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 3).double()

    def forward(self, x):
        return self.linear(x.double())


@cases.of((2, 4))
class Int8Weights(nn.Module):
    """Weight-only quantization as models write it by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("weight", torch.randint(-127, 128, (3, 4), dtype=torch.int8))
        self.register_buffer("scale", torch.rand(3, 1) / 127)
        self.register_buffer("zero", torch.randint(0, 255, (3, 1), dtype=torch.uint8))

    def forward(self, x):
        weight = (self.weight.float() - self.zero.to(torch.float32)) * self.scale
        return F.linear(x, weight)


@cases.of((2, 3))
class ManyDtypes(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        for name in ("int8", "int16", "int32", "int64", "uint8", "bool", "float64", "float16"):
            self.register_buffer(name, torch.tensor([0, 1, 2]).to(getattr(torch, name)))

    def forward(self, x):
        return [x + getattr(self, name) for name in ("int8", "int16", "int32", "int64", "uint8", "bool", "float16")] + [
            self.int32 + self.int8,
            self.bool | True,
            self.float64 * 2,
        ]


@cases.of((2, 3))
class Counter(nn.Module):
    """A buffer that counts calls, written and read."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))
        self.register_buffer("total", torch.ones(3))

    def forward(self, x):
        self.calls += 1
        self.total.mul_(0.5).add_(x.sum(0))
        return x * self.calls, self.total


@cases.of((2, 3))
class NonPersistent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("table", torch.arange(6.0).reshape(2, 3), persistent=False)
        self.constant = torch.tensor([1.0, 2.0, 3.0])

    def forward(self, x):
        return x + self.table * self.constant + torch.tensor([0.5]) + torch.tensor(2)


@cases.of((2, 3))
class Unused(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.used = nn.Linear(3, 2)
        self.unused = nn.Linear(100, 100)
        self.register_buffer("empty", torch.zeros(0, 3))

    def forward(self, x):
        return self.used(torch.cat([self.empty, x]))


@cases.of((2, 3))
class ScalarParameter(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(2.5))

    def forward(self, x):
        return x * self.gain.exp()


@cases.of((2, 3))
class ReturnsItsWeights(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3))
        self.register_buffer("version", torch.tensor([7]))

    def forward(self, x):
        return x * self.weight, self.weight, self.version


@cases.of((2, 3, 8))
class ParametrizedNorms(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.utils.parametrizations.weight_norm(nn.Conv1d(3, 4, 3))
        self.linear = nn.utils.parametrizations.spectral_norm(nn.Linear(6, 5))

    def forward(self, x):
        return self.linear(self.conv(x))


@cases.of((2, 3, 8))
class OldWeightNorm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.utils.weight_norm(nn.Conv1d(3, 4, 3))

    def forward(self, x):
        return self.conv(x)


@cases.of((2, 4))
class SharedSubmodule(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.block = nn.Linear(4, 4)
        self.again = self.block

    def forward(self, x):
        return self.again(torch.relu(self.block(x)))
