"""Lists, tuples, dictionaries and text of a script, and the arithmetic of its numbers."""

from typing import Dict, List, NamedTuple, Optional, Tuple

import torch
from fixture_kit import case, rand, randint
from torch import Tensor, nn


class Lists(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        parts: List[Tensor] = []
        for i in range(4):
            parts.append(x + i)
        parts.insert(1, x * 10)
        last = parts.pop()
        first = parts.pop(0)
        parts.reverse()
        parts.extend([last, first])
        parts[2] = parts[-1] * 2
        more = parts[1:3] + [x]
        sizes = [p.size(1) for p in more]
        scaled = [p * (i + 1) for i, p in enumerate(more)]
        total = x
        for a, b in zip(scaled, sizes):
            total = total + a * b
        return torch.cat(scaled + parts, 1) * len(parts) + total.sum()


class Numbers(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        n = x.size(1)
        x = x * (n // 2) + n % 2 + (-n) // 2 + (-n) % 4
        x = x + 2**n + n**-1 + 2.5**2 + float(n) / 3
        x = x + round(2.5) + round(3.5) + int(-2.7) + abs(-n) + min(n, 1) * max(2, n)
        x = x + (6 & 3) + (6 | 1) + (6 ^ 2) + min(1, 2.5) + max(3.5, 2)
        x = x + (7.5 // 2) + (-7.5 % 2.0) + (1 << 3) + (9 >> 1)
        return x + float(n > 2) + int(True) + divmod(7, 2)[0]


class IntegerPower(nn.Module):
    """A power of integers is a float in TorchScript, and so is the product."""

    def forward(self, ids: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
        n = ids.size(1)
        return ids * round(n), ids * n**2, ids + min(n, 2)


class ListMethods(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        a = [3, 1, 2, 3]
        a.sort()
        x = x * a[0] + a[-1]
        a.remove(3)
        x = x + a.index(2) * 10 + a.count(3)
        b = sorted([5, 4, 6])
        c = list(range(3))
        del b[0]
        a.clear()
        for i in c[::-1]:
            x = x * 2 + i
        return x + b[0] + len(a) + sum([1, 2]) + max([4, 9, 2]) + min([4.5, 1.5]) + b[-1]


class Slices(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        sizes = list(x.shape[:-1]) + [x.size(-1) // 2, 2]
        y = x.view(sizes)
        t = (1, 2, 3, 4)
        return y.flatten(-2)[..., t[1:3][0]] * t[-1] + len(sizes[1::2]) + len(sizes[-2:])


class Dicts(nn.Module):
    def forward(self, x: Tensor) -> Dict[str, Tensor]:
        out: Dict[str, Tensor] = {}
        out["first"] = x + 1
        out["größe"] = x * 2
        for i in range(3):
            out[f"level_{i}"] = x * i
        out["n{}".format(7)] = out["first"] - 1
        if "nothing" in out:
            out["never"] = x
        names = ["a", "b"]
        for name in names:
            out[name + "_x"] = x - len(out)
        return out


class DictMethods(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        d: Dict[str, Tensor] = {"a": x, "b": x * 2}
        d.update({"c": x * 3})
        total = torch.zeros_like(x)
        for key, value in d.items():
            if key != "b":
                total = total + value
        for key in d.keys():
            total = total + len(key)
        for value in d.values():
            total = total * 2 + value
        got = d.get("b")
        if got is not None:
            total = total - got
        missing = d.get("zz")
        if missing is not None:
            total = total * 1000
        popped = d.pop("a")
        counts: Dict[int, float] = {1: 0.5, 3: 2.5}
        if 3 in counts:
            total = total + counts[3]
        return total + popped + len(d)


class Point(NamedTuple):
    x: Tensor
    scale: float
    mask: Optional[Tensor]


class Named(nn.Module):
    def forward(self, x: Tensor) -> Point:
        p = Point(x * 2, 1.5, None)
        return Point(p.x * p.scale, p.scale, p.x > 0)


class Tuples(nn.Module):
    def pair(self, x: Tensor) -> Tuple[Tensor, int]:
        return x.relu(), x.size(1)

    def forward(self, x: Tensor) -> Tuple[Tensor, Tuple[Tensor, int], List[Tensor]]:
        y, n = self.pair(x)
        a, (b, c) = x, (y, n)
        if (n, 3) == (c, 3):
            a = a + 1
        values, indices = x.max(1)
        return a * n, (b, c), [values, indices]


class Texts(nn.Module):
    def __init__(self):
        super().__init__()
        self.mode = "Bilinear-Align"

    def forward(self, x: Tensor) -> Tensor:
        mode = self.mode.lower()
        if mode.startswith("bilinear") and mode.endswith("align"):
            x = x + 1
        if mode.split("-")[1] == "align":
            x = x * 2
        if str(3) + "x" == "3x" and f"{x.size(1)}" == "4":
            x = x - 3
        if mode[0] == "b" and len(mode) == 14 and "lin" in mode:
            x = x * 5
        return nn.functional.interpolate(x[:, None], scale_factor=2.0, mode="linear").squeeze(1)


class Constants(nn.Module):
    __constants__ = ["n", "scales"]

    def __init__(self):
        super().__init__()
        self.n, self.scales, self.shift, self.flag, self.rate = 3, (1.0, 2.0), [1, 2], True, 2.0
        self.table: Dict[str, int] = {"a": 4}
        self.dims: List[int] = [0]
        self.weight = nn.Parameter(torch.tensor(2.5))
        self.register_buffer("steps", torch.tensor(3))
        self.register_buffer("wide", torch.tensor(2.0, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        for s in self.scales:
            x = x * s
        for i in self.shift:
            x = x + i
        if self.flag:
            x = x * self.n + self.table["a"]
        x = x * self.rate / self.n
        return (x * self.weight + self.steps) * self.wide + x.sum(self.dims, keepdim=True)


class ZeroDim(nn.Module):
    """0-d tensors promote unlike numbers: what a frozen file keeps of them decides the dtype."""

    def __init__(self):
        super().__init__()
        self.register_buffer("big", torch.tensor(3, dtype=torch.int64))
        self.register_buffer("part", torch.tensor(0.5, dtype=torch.float64))
        self.register_buffer("row", torch.tensor([2.0], dtype=torch.float64))

    def forward(self, ids: Tensor) -> Tuple[Tensor, Tensor, Tensor, Tensor]:
        return ids * self.big, ids * self.part, ids * self.row, self.big * self.part


class MakeTensors(nn.Module):
    def forward(self, x: Tensor) -> Tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        return (
            torch.tensor([1, 2, x.size(1)]),
            torch.tensor([[1.5, 2.0], [3.0, 4.0]]) * x.size(1),
            torch.tensor(2.5) + x,
            torch.arange(x.size(1), dtype=torch.float32) / 2,
            torch.full((2, x.size(1)), 7) + torch.ones([2, 1], dtype=torch.int64),
        )


class Inplace(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        y = x.clone()
        y[:, 0] = 5
        y[:, 1:3] += x[:, :2]
        y *= 2
        z = y.view(-1)
        z.add_(1)
        pos = torch.zeros([1, 4])
        for i in range(4):
            pos[0, i] = i * i
        return y + pos


case("lists", Lists(), rand(2, 3), also=[(rand(4, 3),)])
case("numbers", Numbers(), rand(2, 5), also=[(rand(4, 5),)])
case("integer-power", IntegerPower(), randint(2, 3), also=[(randint(4, 3),)], by_archive=True)
case("list-methods", ListMethods(), rand(2, 3), also=[(rand(4, 3),)])
case("slices", Slices(), rand(2, 3, 6), also=[(rand(4, 3, 6),)])
case("dicts", Dicts(), rand(2, 3), also=[(rand(4, 3),)])
case("dict-methods", DictMethods(), rand(2, 3), also=[(rand(4, 3),)])
case("named", Named(), rand(2, 3), also=[(rand(4, 3),)])
case("tuples", Tuples(), rand(2, 3), also=[(rand(4, 3),)])
case("texts", Texts(), rand(2, 4), also=[(rand(4, 4),)])
case("constants", Constants(), rand(2, 3), also=[(rand(4, 3),)])
case("zero-dim", ZeroDim(), randint(2, 3, dtype=torch.int32), also=[(randint(4, 3, dtype=torch.int32),)], by_archive=True)
case("make-tensors", MakeTensors(), rand(2, 3), also=[(rand(4, 3),)])
case("in-place", Inplace(), rand(2, 4), also=[(rand(5, 4),)])
