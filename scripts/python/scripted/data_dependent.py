"""What depends on the values or on sizes that the caller chooses: run as the data say, or refused by name, with the line of the source."""

from typing import List, Tuple

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


class TurnsOfSize(nn.Module):
    """As many turns as the caller sends rows."""

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for i in range(x.shape[0]):
            y = torch.tanh(y) + i
        return y * x.shape[0]


class StepsOfSize(nn.Module):
    """A recurrent step for each row."""

    def __init__(self):
        super().__init__()
        self.step = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.zeros(1, 3)
        i = 0
        while i < x.size(0):
            h = torch.tanh(self.step(torch.cat([h, x[i : i + 1]], 1)))
            i += 1
        return h


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


class Nested(nn.Module):
    """Branches in branches, over numbers, and what stays as it is."""

    def __init__(self):
        super().__init__()
        self.fine, self.coarse = nn.Linear(3, 3), nn.Sequential(nn.Linear(3, 3), nn.ReLU(inplace=True))

    def forward(self, x: Tensor) -> Tensor:
        kept = x * 3
        factor = 2
        scale = 1.5
        if bool(x.mean() > 0):
            y = self.fine(x)
            factor = 5
            if bool(y.max() > 0.5):
                y = torch.relu(y) + kept
            else:
                scale = float(2.5)
        else:
            y = self.coarse(x)
            y += 1
        return y * factor + kept * scale


class EarlyExit(nn.Module):
    """The second half only runs where the first one is not sure."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.head = nn.Linear(3, 4), nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tuple[Tensor, Tensor]:
        h = torch.tanh(self.first(x))
        y = torch.softmax(self.head(h), dim=1)
        steps = torch.ones(1, dtype=torch.int64)
        if y.max() < 0.6:
            h = torch.tanh(self.second(h))
            y = torch.softmax(self.head(h), dim=1)
            steps = steps + 1
        return y, steps


class Found(nn.Module):
    """Nothing may be found: then there is nothing to do."""

    def forward(self, x: Tensor) -> Tuple[Tensor, Tensor]:
        rows = x[x[:, 0] > 0.5]
        if rows.numel() > 0:
            best = rows.max(0)[0]
            rows = rows * 2
        else:
            best = torch.zeros(3)
        return rows, best


class Appending(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        parts: List[Tensor] = [x]
        if bool(x.max() > 0.5):
            parts.append(x * 2)
        return torch.cat(parts)


class OtherRanks(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        if bool(x.max() > 0.5):
            y = x.sum(1)
        else:
            y = x
        return y


class Raising(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        if bool(torch.isnan(x).any()):
            raise RuntimeError("not a number")
        return x + 1


class Searching(nn.Module):
    """Numbers, tensors and sizes that change from turn to turn, a branch inside, and an end in the middle."""

    def __init__(self):
        super().__init__()
        self.step = nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tuple[Tensor, Tensor, int]:
        rows = x[:1]
        turns = 0
        while True:
            y = torch.tanh(self.step(rows[-1:]))
            if bool(y.sum() > 0):
                y = y * 0.5
            else:
                y = y - 0.1
            rows = torch.cat([rows, y])
            turns += 1
            if bool(y.abs().max() < 0.3) or turns > 5:
                break
        return rows, rows.sum(0), turns


case("searching", Searching(), rand(2, 3), also=[(rand(4, 3) * 3,), (rand(1, 3) * 0.01,)])
case("branch", Branch(), rand(2, 3), also=[(-rand(4, 3).abs(),), (rand(1, 3).abs(),)])
case("pure-branch", PureBranch(), rand(2, 3), also=[(-rand(4, 3).abs(),), (rand(1, 3).abs() + 1,)])
case("nested-branches", Nested(), rand(2, 3), also=[(-rand(4, 3).abs(),), (rand(1, 3).abs() * 9,), (rand(5, 3).abs(),)])
case("early-exit", EarlyExit(), rand(2, 3), also=[(rand(4, 3) * 9,), (rand(1, 3) * 0.01,)])
case("found", Found(), rand(6, 3), also=[(-rand(4, 3).abs(),), (rand(9, 3).abs() * 3,)])
case("appending", Appending(), rand(2, 3), also=[(-rand(4, 3).abs(),), (rand(1, 3).abs() + 1,)])
case("other-ranks", OtherRanks(), rand(2, 3), refused="control flow")
case("raising", Raising(), rand(2, 3), refused="control flow")
case("while", While(), rand(2, 3), also=[(rand(4, 3) * 99,), (rand(1, 3) * 0.1,)])
case("repeat", Repeat(), rand(2, 3), torch.tensor(3), also=[(rand(4, 3), torch.tensor(0)), (rand(1, 3), torch.tensor(7))])
case("batch-loop", Batch(), rand(2, 3), also=[(rand(4, 3),)])
case("size-branch", SizeBranch(), rand(2, 3), also=[(rand(4, 3),), (rand(3, 3),), (rand(0, 3),)])
case("turns-of-size", TurnsOfSize(), rand(2, 3), also=[(rand(4, 3),), (rand(1, 3),), (rand(0, 3),)])
case("steps-of-size", StepsOfSize(), rand(2, 3), also=[(rand(4, 3),), (rand(1, 3),), (rand(0, 3),)])
case("values", Values(), rand(4), refused="control flow")
case("item", Item(), rand(2, 3))
case("counter", Counter(), rand(2, 3), refused="state")
case("average", Average(), rand(2, 3), refused="state")
case("in-place-buffer", InPlaceBuffer(), rand(2, 3))
case("growing", Growing(), rand(2, 3), refused="aten.append")
case("hooks", hooked(), rand(2, 3), refused="hooks")
