"""What depends on the values or on sizes that the caller chooses: refused by name, with the line of the program's source."""

from typing import List

import torch
from fixture_kit import case, rand
from torch import Tensor, nn


class Branch(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        if x.sum() > 0:
            return x * 2
        return x


class PureBranch(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        if bool(x.max() > 0.5):
            y = x + 1
        else:
            y = x - 1
        return y


class While(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        while bool(x.sum() < 100):
            x = x * 2 + 1
        return x


class Repeat(nn.Module):
    def forward(self, x: Tensor, n: Tensor) -> Tensor:
        for _ in range(int(n)):
            x = x + 1
        return x


class Batch(nn.Module):
    """A loop over the batch, whose size the caller chooses."""

    def forward(self, x: Tensor) -> Tensor:
        out: List[Tensor] = []
        for i in range(x.size(0)):
            out.append(x[i] * i)
        return torch.stack(out)


class SizeBranch(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        if x.size(0) > 2:
            return x * 2
        return x


class Values(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        values: List[float] = x.tolist()
        return torch.tensor(values) + x.item() if x.numel() == 1 else torch.tensor(values) * 2


class Item(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * float(x.max())


class Counter(nn.Module):
    """State that outlives a call."""

    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return x * self.calls


class Average(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(3))

    def forward(self, x: Tensor) -> Tensor:
        self.mean = self.mean * 0.9 + x.mean(0) * 0.1
        return x - self.mean


class InPlaceBuffer(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(3))

    def forward(self, x: Tensor) -> Tensor:
        self.mean.add_(x.mean(0))
        return x - self.mean


class Growing(nn.Module):
    def __init__(self):
        super().__init__()
        self.seen: List[int] = [1]

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(2)
        return x * len(self.seen)


def hook(self, inputs: tuple[Tensor]) -> tuple[Tensor]:
    return (inputs[0] * 3,)


def hooked():
    module = nn.Sequential(nn.ReLU())
    module.register_forward_pre_hook(hook)
    return module


case("branch", Branch(), rand(2, 3), refused="control flow")
case("pure-branch", PureBranch(), rand(2, 3), refused="control flow")
case("while", While(), rand(2, 3), refused="control flow")
case("repeat", Repeat(), rand(2, 3), torch.tensor(3), refused="control flow")
case("batch-loop", Batch(), rand(2, 3), also=[(rand(4, 3),)], refused="control flow")
case("size-branch", SizeBranch(), rand(2, 3), also=[(rand(4, 3),)], refused="control flow")
case("values", Values(), rand(4), refused="control flow")
case("item", Item(), rand(2, 3))
case("counter", Counter(), rand(2, 3), refused="state")
case("average", Average(), rand(2, 3), refused="state")
case("in-place-buffer", InPlaceBuffer(), rand(2, 3))
case("growing", Growing(), rand(2, 3), refused="aten.append")
case("hooks", hooked(), rand(2, 3), refused="hooks")
