"""Control flow, contexts and data-dependent sizes."""

import torch
from functorch.experimental.control_flow import map as map_op
from torch import nn
from torch._higher_order_ops import while_loop
from torch._higher_order_ops.scan import scan

from op_modules.case import BATCH, Cases, bools, ints

cases = Cases()


@cases.of((2, 3))
def no_grad(x):
    with torch.no_grad():
        y = x * 2
    return y + 1


@cases.of((2, 3))
class NoGradAroundWeights(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.frozen, self.head = nn.Linear(3, 4), nn.Linear(4, 2)

    def forward(self, x):
        with torch.no_grad():
            features = torch.relu(self.frozen(x))
        return self.head(features)


@cases.of((2, 3))
def autocast_off(x):
    with torch.autocast("cpu", enabled=False):
        y = x.float() @ x.float().t()
    return y + 1


@cases.of((2, 3), precision="bfloat16")
class AutocastBfloat16(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 4)

    def forward(self, x):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            y = self.linear(x)
        return y.float()


@cases.of((2, 3))
def autocast_in_no_grad(x):
    with torch.no_grad(), torch.autocast("cpu", enabled=False):
        y = torch.exp(x)
        with torch.enable_grad():
            z = y * 2
    return y + z


@cases.of(runs=lambda: [(torch.ones(2, 3),), (-torch.ones(2, 3),)])
def cond(x):
    return torch.cond(x.sum() > 0, lambda v: v + 1, lambda v: v * 2, (x,))


@cases.of(runs=lambda: [(torch.ones(2, 3),), (-torch.ones(2, 3),)])
class CondOverWeights(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.yes, self.no = nn.Linear(3, 4), nn.Linear(3, 4)

    def forward(self, x):
        return torch.cond(x.mean() > 0, self.yes, self.no, (x,))


@cases.of(runs=lambda: [(torch.full((2, 3), v),) for v in (2.0, 0.5, -1.0)])
def nested_cond(x):
    def inner(v):
        return torch.cond(v.sum() > 6, lambda w: w - 5, lambda w: w + 5, (v,))

    return torch.cond(x.sum() > 0, inner, lambda v: v * 3, (x,))


@cases.of(runs=lambda: [(torch.ones(2, 3), torch.tensor(True)), (torch.ones(2, 3), torch.tensor(False))])
def cond_on_an_input(x, flag):
    a, b = torch.cond(flag, lambda v: (v + 1, v.sum()), lambda v: (v * 2, v.max()), (x,))
    return a, b


@cases.of(
    runs=lambda: [(torch.randn(2, 3),), (torch.randn(7, 3),)],
    dynamic=({0: BATCH},),
)
def cond_on_a_size(x):
    return torch.cond(x.shape[0] > 4, lambda v: v.cos(), lambda v: v.sin(), (x,))


@cases.of(runs=lambda: [(torch.zeros(2, 3), torch.tensor(n)) for n in (4, 1, 0)])
def while_loop_counts(x, n):
    def condition(i, value):
        return i > 0

    def body(i, value):
        return i - 1, value + i

    return while_loop(condition, body, (n, x))


@cases.of((3, 4))
class WhileLoopOverWeights(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x):
        def condition(i, value):
            return i < 3

        def body(i, value):
            return i + 1, torch.tanh(self.linear(value))

        return while_loop(condition, body, (torch.tensor(0), x))[1]


@cases.of((2, 3), (5, 2, 3))
def scan_sums(initial, xs):
    def combine(carry, x):
        following = carry + x
        return following, following * 2

    return scan(combine, initial, xs)


@cases.of((4, 3), (3,))
def map_rows(xs, y):
    return map_op(lambda x, v: x * v + 1, xs, y)


@cases.of(runs=lambda: [(torch.randn(2, 3), torch.tensor(v)) for v in (3, 0, 7)])
def item_in_arithmetic(x, n):
    return x + n.item()


@cases.of(runs=lambda: [(torch.randn(2, 3), torch.tensor(v)) for v in (3, 1, 7)])
def item_as_a_size(x, n):
    size = n.item()
    torch._check(size >= 1)
    torch._check(size <= 16)
    return torch.ones(size, 3) * x.sum()


@cases.of(runs=lambda: [(torch.tensor([[0.0, 1.0], [2.0, 0.0]]),), (torch.zeros(2, 2),), (torch.ones(2, 2),)])
def nonzero(x):
    return torch.nonzero(x), *torch.where(x > 0.5)


@cases.of(runs=lambda: [(torch.randn(3, 4), bools(3, 4)), (torch.randn(3, 4), torch.zeros(3, 4, dtype=torch.bool))])
def masked_select(x, m):
    return torch.masked_select(x, m), x[m] * 2


@cases.of(runs=lambda: [(torch.randn(3, 4), bools(3)), (torch.randn(3, 4), torch.ones(3, dtype=torch.bool))])
def mask_rows(x, m):
    return x[m]


@cases.of(runs=lambda: [(ints(3, low=1, high=4),), (torch.tensor([1, 1, 1]),)])
def repeat_interleave(n):
    return torch.repeat_interleave(torch.arange(3), n)


@cases.of(runs=lambda: [(ints(8, high=4),)])
def bincount_and_unique(i):
    return torch.bincount(i, minlength=4), torch.unique(i)


@cases.of((2, 3))
def asserts(x):
    torch._assert(x.shape[0] == 2, "two rows")
    torch._assert_async((x.abs() >= 0).all())
    return x + 1


@cases.of((4, 3))
def loop_unrolled(x):
    state = torch.zeros(3)
    outputs = []
    for row in x:
        state = torch.tanh(row + state)
        outputs.append(state)
    return torch.stack(outputs)


@cases.of((2, 3))
class Checkpointed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 3)

    def forward(self, x):
        return torch.utils.checkpoint.checkpoint(self.linear, x, use_reentrant=False)


@cases.of(runs=lambda: [(torch.ones(2, 3),), (-torch.ones(2, 3),)])
def cond_with_in_place_branches(x):
    def yes(v):
        w = v.clone()
        w[:, 0] = 7
        return w.add_(1)

    def no(v):
        w = v * 2
        w.view(-1)[1:3].zero_()
        return w

    return torch.cond(x.sum() > 0, yes, no, (x,))


@cases.of(runs=lambda: [(torch.randn(2, 3), torch.tensor(n)) for n in (3, 0)], dynamic=({0: BATCH}, None))
def while_loop_dynamic(x, n):
    scale = x * 0 + 0.5

    def body(i, value):
        return i - 1, value * scale + x.shape[0]

    return while_loop(lambda i, value: i > 0, body, (n, x))


@cases.of(runs=lambda: [(torch.randn(2, 3), torch.tensor(v)) for v in (True, False)])
def item_of_a_bool(x, flag):
    return x * flag.item()


@cases.of(runs=lambda: [(torch.randn(2, 3), torch.tensor(v)) for v in (0.5, -2.0)])
def item_of_a_float(x, factor):
    return x * factor.item() + 1
