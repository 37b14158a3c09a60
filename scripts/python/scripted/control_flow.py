"""Branches and loops whose conditions are known before the program runs, and what surrounds them."""

from typing import List, Optional

import torch
from fixture_kit import case, rand
from torch import Tensor, nn


class Training(nn.Module):
    def __init__(self):
        super().__init__()
        self.bn = nn.BatchNorm1d(4)

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            x = x + torch.rand_like(x)
        else:
            x = self.bn(x) * 2
        return nn.functional.dropout(x, 0.5, self.training)


class OptionalArgument(nn.Module):
    def forward(self, x: Tensor, mask: Optional[Tensor] = None, scale: Optional[float] = None) -> Tensor:
        if mask is not None:
            x = x * mask
        if scale is None:
            scale = 0.5
        return x * scale


class OptionalAttribute(nn.Module):
    def __init__(self):
        super().__init__()
        self.bias: Optional[Tensor] = None
        self.gain: Optional[float] = 3.0

    def forward(self, x: Tensor) -> Tensor:
        bias = self.bias
        if bias is not None:
            x = x + bias
        gain = self.gain
        if gain is not None:
            x = x * gain
        return x


class Sizes(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        if x.dim() == 3:
            x = x.flatten(1)
        elif x.dim() == 2:
            x = x + 1
        if x.size(1) > 5 and x.shape[1] % 2 == 0:
            x = x[:, ::2]
        else:
            x = x[:, 1:]
        assert x.size(1) == 6, f"width is {x.size(1)}"
        return x


class EarlyReturn(nn.Module):
    def __init__(self, mode: str):
        super().__init__()
        self.mode = mode

    def forward(self, x: Tensor) -> Tensor:
        if self.mode == "relu":
            return torch.relu(x)
        if self.mode == "tanh":
            y = torch.tanh(x)
            if y.size(1) == 3:
                return y * 2
            return y * 3
        raise RuntimeError(f"no mode {self.mode}")


class Loops(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        for i in range(5):
            if i == 1:
                continue
            if i == 4:
                break
            x = x + i
        n = 0
        while n < 3:
            x = x * (n + 1)
            n += 1
        while True:
            n += 2
            if n > 6:
                break
            x = x - n
        for i in range(8, 0, -3):
            x = x + i * 0.5
        for _ in range(x.size(1)):
            x = x / 2
        return x


class NestedBreak(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        for i in range(3):
            for j in range(4):
                if j == i + 1:
                    break
                if (i + j) % 2 == 0:
                    continue
                x = x * (i + 2) + j
            else_count = i * 2
            x = x - else_count
        return x


class ReturnInLoop(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        for i in range(10):
            x = x + i
            if i * i > 10:
                return x * 100
        return x


class Rows(nn.Module):
    """A loop over a size that the caller does not choose."""

    def forward(self, x: Tensor) -> Tensor:
        out: List[Tensor] = []
        for t in range(x.size(1)):
            out.append(x[:, t] * t)
        return torch.stack(out, 1)


class Walk(nn.Module):
    """Iterating a tensor of known size."""

    def forward(self, x: Tensor) -> Tensor:
        total = torch.zeros(3)
        for row in x:
            total = total + row * 2
        return total


class BoolLogic(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.names = True, False, ["x", "y"]

    def forward(self, x: Tensor) -> Tensor:
        if self.a and not self.b or x.size(0) == 77:
            x = x + 1
        if self.a != self.b:
            x = x * 3
        if "y" in self.names and "z" not in self.names:
            x = x - 5
        y = 2.0 if self.b else 7.0
        return x * y


class Isinstance(nn.Module):
    def forward(self, x: Tensor, more: Optional[Tensor] = None) -> Tensor:
        if isinstance(more, Tensor):
            x = x + more
        if torch.jit.isinstance(x, Tensor):
            x = x * 2
        if torch.jit.is_scripting():
            x = x + 0
        return x


class DtypeChecks(nn.Module):
    def forward(self, x: Tensor, ids: Tensor) -> Tensor:
        if x.dtype == torch.float32 and ids.dtype != torch.float32:
            x = x * 2
        if ids.is_floating_point():
            x = x + ids
        elif not x.is_cuda and x.device.type == "cpu":
            x = x - ids.to(x.dtype)
        return x.to(ids.device)


class DeadText(nn.Module):
    def __init__(self):
        super().__init__()
        self.kind = "sum"

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() != 2:
            raise ValueError("expected 2 dims, got {} with {}".format(x.dim(), self.kind))
        torch._assert(x.size(1) == 3, f"expected 3, got {x.size(1)}")
        assert self.kind in ["sum", "mean"], "kind is %s" % self.kind
        if self.kind == "sum":
            return x.sum(1)
        return x.mean(1)


class DeadConstruct(nn.Module):
    """What cannot be read stands in a branch that is never taken."""

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            values: List[int] = x.tolist()
            print(values)
            for v in values:
                x = x + v
        return x + 1


case("training-flag", Training(), rand(3, 4), also=[(rand(5, 4, seed=3),)])
case("optional-argument-absent", OptionalArgument(), rand(2, 3), also=[(rand(4, 3),)])
case("optional-argument-given", OptionalArgument(), rand(2, 3), rand(2, 3, seed=1), also=[(rand(4, 3), rand(4, 3, seed=2))])
case("optional-argument-none", OptionalArgument(), rand(2, 3), None)
case("optional-attribute", OptionalAttribute(), rand(2, 3), also=[(rand(4, 3),)])
case("sizes", Sizes(), rand(2, 3, 4), also=[(rand(5, 3, 4),)])
case("early-return-first", EarlyReturn("relu"), rand(2, 3), also=[(rand(4, 3),)])
case("early-return-inner", EarlyReturn("tanh"), rand(2, 3), also=[(rand(4, 3),)])
case("loops", Loops(), rand(2, 3), also=[(rand(4, 3),)])
case("nested-break", NestedBreak(), rand(2, 3), also=[(rand(4, 3),)])
case("return-in-loop", ReturnInLoop(), rand(2, 3), also=[(rand(4, 3),)])
case("rows", Rows(), rand(2, 5, 3), also=[(rand(4, 5, 3),)])
case("walk", Walk(), rand(4, 3))
case("bool-logic", BoolLogic(), rand(2, 3), also=[(rand(4, 3),)])
case("isinstance", Isinstance(), rand(2, 3), also=[(rand(4, 3),)])
case("dtype-checks", DtypeChecks(), rand(2, 3), torch.tensor([[1, 2, 3], [4, 5, 6]]))
case("dead-text", DeadText(), rand(2, 3), also=[(rand(4, 3),)])
case("dead-construct", DeadConstruct(), rand(2, 3), also=[(rand(4, 3),)])
