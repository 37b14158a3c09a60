"""Loops of unknown end that return from inside and lengthen lists: as decoders, beams and iterative methods do."""

from typing import List, Tuple

import torch
from fixture_kit import case, rand
from torch import Tensor, nn


class ReturningInLoop(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        while bool(x.sum() < 100):
            x = x * 2
            if bool(x.max() > 7):
                return x
        return x + 1


class ReturningPair(nn.Module):
    """A tensor and a number, out of two loops, with `continue` and `break` beside."""

    def forward(self, x: Tensor, n: Tensor) -> Tuple[Tensor, int]:
        for i in range(int(n)):
            for j in range(3):
                x = x + 1
                if int(x.sum()) % 2 == 0:
                    continue
                if bool(x.sum() > 25):
                    return x * 2, i * 10 + j
                if bool(x.max() > 9):
                    break
        return x, -1


class Appending(nn.Module):
    """As many items as the data say, in front of some that are known."""

    def forward(self, x: Tensor, n: Tensor) -> Tuple[Tensor, Tensor, int]:
        parts: List[Tensor] = [x]
        for i in range(int(n)):
            parts.append(x * i)
            parts += [x + i, x - i]
        return torch.stack(parts, 1), torch.cat(parts, -1), len(parts)


class AppendingNothing(nn.Module):
    """The list may be empty at the end: only then it is not joined."""

    def forward(self, x: Tensor, n: Tensor) -> Tensor:
        parts: List[Tensor] = []
        for i in range(int(n)):
            if bool(x[i % 2].sum() > 0):
                parts.append(x[i % 2] * i)
        if len(parts) == 0:
            return torch.zeros(1, 3)
        return torch.stack(parts) + parts[-1] + parts[0]


class StackingNothing(nn.Module):
    def forward(self, x: Tensor, n: Tensor) -> Tensor:
        parts: List[Tensor] = []
        for i in range(int(n)):
            parts.append(x * i)
        return torch.stack(parts)


class Walking(nn.Module):
    """The list is read item by item, inside the loop and behind it."""

    def forward(self, x: Tensor) -> Tensor:
        states: List[Tensor] = [x]
        while bool(states[-1].sum() < 50):
            states.append(states[-1] * 2 + len(states))
        total = torch.zeros_like(x)
        for state in states:
            total = total + state.flip(0)
        return total / len(states)


class Nested(nn.Module):
    """A list within a loop within a loop, and one across both."""

    def forward(self, x: Tensor, n: Tensor) -> Tuple[Tensor, Tensor]:
        sums: List[Tensor] = []
        firsts: List[float] = [0.5]
        for i in range(int(n)):
            rows: List[Tensor] = [x[0]]
            for j in range(int(n) - i):
                if j == 2:
                    break
                rows.append(x[0] * j)
                firsts.append(float(x[0, 0]) + j)
            sums.append(torch.stack(rows).sum(0))
        if len(sums) > 3:
            return torch.stack(sums), torch.tensor(firsts)
        return x, torch.tensor(firsts)


class States(nn.Module):
    """A list whose items every turn replaces."""

    def forward(self, x: Tensor, n: Tensor) -> Tensor:
        states = [x, x + 1]
        for _ in range(int(n)):
            states[0] = states[1] * 0.5
            states = [states[1] + 1, states[0]]
        return states[0] - states[1] * 2


class Greedy(nn.Module):
    """Greedy decoding: a token after the other until the end-of-text one comes."""

    def __init__(self, end: int):
        super().__init__()
        self.end = end
        self.embed, self.cell, self.head = nn.Embedding(7, 8), nn.GRUCell(8, 8), nn.Linear(8, 7)

    def forward(self, x: Tensor, most: Tensor) -> Tensor:
        tokens: List[int] = [1]
        h = torch.tanh(x[:1])
        while len(tokens) < int(most):
            h = self.cell(self.embed(torch.tensor([tokens[-1]])), h)
            token = int(self.head(h).argmax())
            tokens.append(token)
            if token == self.end:
                return torch.tensor(tokens)
        return torch.tensor(tokens) * 10


class Beams(nn.Module):
    """Beams: the logits of each step are kept and stacked."""

    def __init__(self):
        super().__init__()
        self.step, self.head = nn.Linear(4, 4), nn.Linear(4, 6)

    def forward(self, x: Tensor, most: Tensor) -> Tuple[Tensor, Tensor]:
        logits: List[Tensor] = []
        picks: List[Tensor] = []
        score = torch.zeros(3)
        h = x[:1].expand(3, 4)
        for t in range(int(most)):
            h = torch.tanh(self.step(h) + t)
            out = self.head(h).log_softmax(-1)
            best = (score.unsqueeze(1) + out).flatten().topk(3)
            score = best[0]
            h = h.index_select(0, best[1] // 6)
            logits.append(out)
            picks.append(best[1] % 6)
            if bool(score.max() < -6):
                break
        return torch.stack(logits, dim=1), torch.cat(picks)


class Refining(nn.Module):
    """Iterative refinement until it converges, with the way there."""

    def __init__(self):
        super().__init__()
        self.step = nn.Linear(3, 3)
        self.step.weight.data *= 0.5

    def forward(self, x: Tensor) -> Tuple[Tensor, Tensor]:
        errors: List[Tensor] = []
        for _ in range(20):
            y = torch.tanh(self.step(x))
            error = (y - x).abs().max()
            errors.append(error)
            x = y
            if bool(error < 1e-2):
                return x, torch.stack(errors)
        return x, torch.stack(errors)


class Found(nn.Module):
    """A function returns from its loop, a list beside."""

    def find(self, x: Tensor, n: int) -> Tuple[Tensor, List[int]]:
        seen: List[int] = []
        for i in range(n):
            x = x + 1
            seen.append(i * 2)
            if bool(x.sum() > 9):
                return x, seen
        return x, [5]

    def forward(self, x: Tensor, n: Tensor) -> Tuple[Tensor, Tensor]:
        y, seen = self.find(x, int(n))
        return y, torch.tensor(seen)


class Suppressing(nn.Module):
    """Boxes are kept one by one until none is left, each in a list."""

    def forward(self, boxes: Tensor) -> Tensor:
        keep: List[Tensor] = []
        order = boxes[:, 2].argsort(descending=True)
        while order.numel() > 0:
            first = order[0]
            keep.append(first)
            rest = order[1:]
            order = rest[(boxes[rest, :2] - boxes[first, :2]).abs().sum(1) > 1.0]
        return torch.stack(keep)


class Filling(nn.Module):
    """What loops and branches write into a tensor around them, through views as well, every name of it sees."""

    def forward(self, x: Tensor, n: Tensor) -> Tensor:
        out = torch.zeros(4, 3)
        row = out[1]
        for i in range(int(n)):
            for j in range(int(n)):
                if bool(x[0, 0] > i - j):
                    out[i % 4, j % 3] = x[0, 1] * i + j
                else:
                    out[i % 4] += 1
            column = out.t()[i % 3]
            column.mul_(0.5)
        return out + row


class Counting(nn.Module):
    """In place, under two names."""

    def forward(self, x: Tensor, n: Tensor) -> Tensor:
        x = x.clone()
        y = x
        for _ in range(int(n)):
            x += 1
        if bool(x.sum() > 9):
            x *= 2
        return y


class ReturningList(nn.Module):
    """Refused: how many tensors it answers only the data say."""

    def forward(self, x: Tensor, n: Tensor) -> List[Tensor]:
        parts: List[Tensor] = []
        for i in range(int(n)):
            parts.append(x * i)
        return parts


class AppendingOne(nn.Module):
    """Refused: the items of its list are one tensor, which it goes on to change."""

    def forward(self, x: Tensor, n: Tensor) -> Tensor:
        x = x.clone()
        parts: List[Tensor] = []
        for _ in range(int(n)):
            parts.append(x[0])
            x += 1
        return torch.stack(parts)


class SharedMemory(nn.Module):
    """Refused: a loop writes into one tensor and reads another that lies in it."""

    def forward(self, x: Tensor, n: Tensor) -> Tensor:
        x = x.clone()
        first, total = x[0], torch.zeros(3)
        for _ in range(int(n)):
            x += 1
            total = total + first
        return total


def count(n: int) -> Tensor:
    return torch.tensor(n)


case("returning-in-loop", ReturningInLoop(), rand(2, 3), also=[(rand(4, 3) * 99,), (-rand(1, 3).abs() + 2,), (rand(2, 3) * 0 + 40,)])
case("returning-pair", ReturningPair(), rand(2, 2), count(4), also=[(rand(2, 2), count(0)), (rand(2, 2) + 5, count(3)), (rand(2, 2) - 30, count(2))])
case("appending-in-loop", Appending(), rand(2, 3), count(2), also=[(rand(4, 3), count(0)), (rand(1, 3), count(5)), (rand(0, 3), count(1))])
case("appending-nothing", AppendingNothing(), rand(2, 3), count(4), also=[(rand(2, 3), count(0)), (-rand(2, 3).abs(), count(3)), (rand(2, 3).abs(), count(1))])
case("stacking-nothing", StackingNothing(), rand(2, 3), count(2), also=[(rand(4, 3), count(1))])
case("walking", Walking(), rand(2, 3), also=[(rand(4, 3) * 9,), (rand(1, 3) + 60,)])
case("nested", Nested(), rand(2, 3), count(4), also=[(rand(4, 3), count(0)), (rand(1, 3), count(1)), (rand(1, 3), count(6))])
case("states", States(), rand(2, 3), count(3), also=[(rand(4, 3), count(0))])
case("greedy", Greedy(end=3), rand(2, 8), count(9), also=[(rand(4, 8) * 9, count(5)), (rand(1, 8), count(0)), (rand(1, 8) - 3, count(30))])
case("beams", Beams(), rand(2, 4), count(5), also=[(rand(4, 4) * 9, count(1)), (rand(1, 4), count(12))])
case("refining", Refining(), rand(2, 3), also=[(rand(4, 3) * 99,), (rand(1, 3) * 0,)])
case("found-in-loop", Found(), rand(2, 3), count(3), also=[(rand(2, 3), count(0)), (rand(1, 3) + 5, count(2))])
case("suppressing", Suppressing(), rand(5, 3), also=[(rand(9, 3),), (rand(1, 3),)])
case("filling", Filling(), rand(2, 3), count(3), also=[(rand(2, 3), count(0)), (rand(1, 3) * 9, count(5))])
case("counting", Counting(), rand(2, 3), count(3), also=[(rand(2, 3), count(0)), (rand(1, 3) * 9, count(5))])
case("returning_list", ReturningList(), rand(2, 3), count(2))
case("appending_one", AppendingOne(), rand(2, 3), count(2))
case("shared_memory", SharedMemory(), rand(2, 3), count(2))
