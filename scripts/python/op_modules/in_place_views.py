"""In-place ops that change a tensor's shape: every name of that tensor has the new shape, and views taken before keep theirs."""

import torch
from torch import nn

from op_modules.case import BATCH, Cases, runs_of

cases = Cases()


def turned(name: str, shape: tuple, turn):
    """Turns a copy, writes through it, and reads it through another name, through its old view and through what it was copied from."""

    def apply(x):
        y = x * 2
        alias, view = y, y.view(-1)
        result = turn(y)
        result[0] += 1
        view[1] = 5
        return y, alias * 1, view + 1, result.sum(0)

    apply.__name__ = name
    cases.of(shape)(apply)


turned("t", (2, 3), lambda y: y.t_())
turned("t_vector", (3,), lambda y: y.t_())
turned("transpose", (2, 3, 4), lambda y: y.transpose_(0, 2))
turned("transpose_negative", (2, 3, 4), lambda y: y.transpose_(-1, 1))
turned("transpose_same", (2, 3), lambda y: y.transpose_(1, 1))
turned("swapaxes", (2, 3, 4), lambda y: y.swapaxes_(0, -1))
turned("swapdims", (2, 3, 4), lambda y: y.swapdims_(1, 0))
turned("squeeze", (1, 3, 1), lambda y: y.squeeze_())
turned("squeeze_dim", (3, 1, 2), lambda y: y.squeeze_(1))
turned("squeeze_dim_negative", (3, 2, 1), lambda y: y.squeeze_(-1))
turned("squeeze_nothing", (3, 2), lambda y: y.squeeze_(0))
turned("squeeze_dims", (3, 1, 2, 1), lambda y: y.squeeze_((1, -1)))
turned("unsqueeze", (2, 3), lambda y: y.unsqueeze_(1))
turned("unsqueeze_negative", (2, 3), lambda y: y.unsqueeze_(-1))
turned("several", (2, 3), lambda y: y.t_().unsqueeze_(0).transpose_(0, 1).squeeze_(1).swapaxes_(0, 1))


@cases.of((3, 4))
def write_base_read_turned(x):
    base = x.clone()
    part = base[:, 1:3]
    part.t_()
    base.mul_(3)
    part[0].add_(1)
    return base, part, part @ base


@cases.of((3, 4))
def turned_view_of_turned_base(x):
    base = x.clone().t_()
    row = base[1]
    base.t_()
    row.fill_(7)
    base[0] -= 2
    return base, row


@cases.of((2, 3))
def copies_keep_their_shape(x):
    y = x.clone()
    detached, copied = y.detach(), y.clone()
    y.t_()
    y.add_(1)
    return y, detached, copied


@cases.of((2, 3))
def detach_in_place(x):
    y = x * 2
    y.detach_()
    y.add_(1)
    return y


@cases.of((2, 3))
def turned_twice(x):
    y = x + 1
    y.t_()
    z = y.reshape(-1)
    y.t_()
    z.mul_(2)
    return y, z


@cases.of(runs=runs_of((2, 3, 4), (5, 3, 4)), dynamic=({0: BATCH},))
def dynamic(x):
    y = torch.relu(x)
    y.transpose_(1, 2).unsqueeze_(1)
    y += 1
    return y.squeeze_(1).flatten(1) @ torch.ones(12, 2)


@cases.of((2, 3), (3, 2))
def an_input(x, other):
    x.t_()
    return x + other


@cases.of((2, 3))
class Buffer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("table", torch.arange(6.0).view(3, 2))

    def forward(self, x):
        table = self.table.clone().t_()
        table[0] += x[0]
        return table * x


@cases.of((2, 6))
def attention_heads(x):
    heads = x.view(2, 2, 3).clone()
    heads.transpose_(0, 1)
    heads.softmax(-1)
    return heads.contiguous().view(2, -1)


@cases.of((2, 3))
def resized(x):
    y = x.clone()
    y.resize_(3, 2)
    return y


@cases.of((2, 3))
def strided(x):
    y = x.clone()
    y.as_strided_((3, 2), (1, 3))
    return y


@cases.of((2, 3), (4,))
def set_to(x, other):
    y = x.clone()
    y.set_(other)
    return y
