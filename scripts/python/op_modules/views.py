"""Views and their mutation: a write through one name has to be seen through all others."""

import torch
from torch import nn
from torch.export import Dim

from op_modules.case import BATCH, Cases, bools, ints

cases = Cases()


@cases.of((2, 3))
def select_fill(x):
    y = x.clone()
    y[:, 0] = 1
    return y


@cases.of((2, 5), (2, 2))
def slice_copy(x, v):
    y = x.clone()
    y[:, 1:3] = v
    return y


@cases.of((2, 6))
def stepped_slice(x):
    y = x.clone()
    y[:, 1::2] *= 10
    return y


@cases.of((2, 3, 4))
def ellipsis_add(x):
    y = x.clone()
    y[..., -1] += 1
    return y


@cases.of(runs=lambda: [(torch.randn(2, 3), bools(2, 3))])
def mask_assign(x, m):
    y = x.clone()
    y[m] = 0
    return y


@cases.of((4, 5))
def list_assign(x):
    y = x.clone()
    y[[0, 2], [1, 3]] = torch.tensor([7.0, 8.0])
    y[[3]] = -1
    return y


@cases.of((2, 6))
def write_base_read_view(x):
    y = x.clone()
    v = y.view(2, 2, 3)
    y.add_(1)
    return v, y


@cases.of((2, 6))
def write_view_read_base(x):
    y = x.clone()
    v = y.view(2, 2, 3)
    v.mul_(2)
    return y, v


@cases.of((2, 3, 4))
def chain_of_views(x):
    y = x.clone()
    v = y.view(2, 12).view(2, 4, 3)[:, 1:3].transpose(1, 2)
    v[:, 0].fill_(5)
    v += 1
    return y, v


@cases.of((2, 3, 4))
def transposed(x):
    y = x.clone()
    y.transpose(1, 2)[:, 0] = 3
    y.permute(2, 0, 1).mul_(2)
    return y


@cases.of((2, 3))
def t_and_mt(x):
    y = x.clone()
    y.t()[0] = 4
    z = x.clone()
    z.mT.add_(1)
    return y, z


@cases.of((4, 4))
def overlapping_slices(x):
    y = x.clone()
    a, b = y[:, 0:3], y[:, 1:4]
    a.add_(1)
    b.mul_(2)
    a.sub_(b.clone())
    return y, a, b


@cases.of((3, 4))
def unbind_and_write(x):
    y = x.clone()
    a, b, c = y.unbind(0)
    b.zero_()
    return y, a, b + c


@cases.of((2, 6))
def split_and_write(x):
    y = x.clone()
    a, b = y.split([2, 4], 1)
    a.fill_(1)
    c, d, e = y.chunk(3, 1)
    e.neg_()
    return y, b, c, d


@cases.of((3, 3))
def diagonal_write(x):
    y = x.clone()
    y.diagonal().fill_(0)
    return y


@cases.of((2, 3))
def unsqueeze_write(x):
    y = x.clone()
    y.unsqueeze(0)[:, 1] = 2
    y.unsqueeze(-1).squeeze(-1).add_(1)
    return y


@cases.of((2, 6))
def flatten_unflatten_write(x):
    y = x.clone()
    y.unflatten(1, (2, 3))[:, 1] = 7
    y.flatten().mul_(2)
    return y


@cases.of((2, 6))
def reshape_is_an_alias(x):
    y = x.clone()
    y.reshape(3, 4).add_(1)
    return y


@cases.of((2, 3))
def reshape_of_transposed_is_a_copy(x):
    y = x.clone()
    y.t().reshape(6).add_(1)
    return y


@cases.of((2, 3))
def contiguous_is_an_alias_or_a_copy(x):
    y, z = x.clone(), x.clone()
    y.contiguous().add_(1)
    z.t().contiguous().add_(1)
    return y, z


@cases.of((2, 3))
def to_same_dtype_is_an_alias(x):
    y, z, w = x.clone(), x.clone(), x.clone()
    y.to(torch.float32).add_(1)
    z.float().add_(1)
    w.double().add_(1)
    return y, z, w


@cases.of((2, 3))
def type_as_is_an_alias(x):
    y = x.clone()
    y.type_as(x).add_(1)
    return y


@cases.of((2, 3))
def detach_is_an_alias(x):
    y = x.clone()
    y.detach().add_(1)
    return y


@cases.of((2, 3))
def clone_is_no_alias(x):
    y = x.clone()
    y.clone().add_(1)
    z = y + 0
    z.add_(1)
    return y


@cases.of((1, 3))
def expand_reads_later_writes(x):
    y = x.clone()
    v = y.expand(4, 3)
    y.add_(1)
    return v


@cases.of((2, 3))
def view_before_and_after(x):
    y = x.clone()
    before = y[0]
    y = y * 2
    after = y[0]
    y.add_(1)
    return before, after, y


@cases.of((2, 4))
def narrow_and_select(x):
    y = x.clone()
    y.narrow(1, 1, 2).select(0, 1).fill_(9)
    return y


@cases.of((4, 4))
def as_strided_write(x):
    y = x.clone()
    y.as_strided((2, 2), (4, 1), 5).fill_(1)
    return y


@cases.of((2, 3, 4))
def movedim_swapaxes(x):
    y = x.clone()
    y.movedim(0, 2)[0].add_(1)
    y.swapaxes(0, 1)[2].mul_(3)
    return y


@cases.of((2, 8))
def view_as_and_view_dtype(x):
    return x.view(torch.int32), x.view_as(x.reshape(2, 8))


@cases.of((3, 8))
def unfold_reads(x):
    return x.unfold(1, 3, 2)


@cases.of((2, 3), (2, 3))
def writes_from_each_other(x, y):
    a, b = x.clone(), y.clone()
    a[0] = b[1]
    b[0] = a[0]
    a += b
    return a, b


@cases.of((2, 3))
def setitem_whole(x):
    y = torch.zeros(2, 3)
    y[:] = x
    y[1, 2] = 5
    y[None] = y[None] + 1
    return y


@cases.of(
    runs=lambda: [(torch.zeros(2, 1, 8, 8, 1)[:, 0],), (torch.zeros(3, 8, 8, 1),)],
    dynamic=({0: BATCH},),
)
def window_mask(x):
    """Shifted-window attention numbers regions by writing into slices."""
    mask = torch.zeros((1, 8, 8, 1))
    count = 0
    for h in (slice(0, -4), slice(-4, -2), slice(-2, None)):
        for w in (slice(0, -4), slice(-4, -2), slice(-2, None)):
            mask[:, h, w, :] = count
            count += 1
    windows = mask.view(1, 2, 4, 2, 4, 1).permute(0, 1, 3, 2, 4, 5).contiguous().view(-1, 16)
    attention = windows.unsqueeze(1) - windows.unsqueeze(2)
    return x + 1, attention.masked_fill(attention != 0, -100.0).masked_fill(attention == 0, 0.0)


@cases.of(runs=lambda: [(ints(2, 5),), (ints(3, 9),)], dynamic=({0: BATCH, 1: Dim("length", min=3, max=512)},))
def shift_right(ids):
    """Encoder-decoder models prepend a start token."""
    shifted = ids.new_zeros(ids.shape)
    shifted[:, 1:] = ids[:, :-1].clone()
    shifted[:, 0] = 7
    shifted.masked_fill_(shifted == 3, 0)
    return shifted


@cases.of(runs=lambda: [(torch.randn(2, 3, 4), torch.tensor([1])), (torch.randn(2, 3, 4), torch.tensor([5]))])
def cache_update(k, position):
    cache = torch.zeros(2, 8, 4)
    cache[:, position] = k[:, :1]
    cache.index_copy_(1, position + 1, k[:, 1:2])
    return cache


@cases.of(runs=lambda: [(torch.randn(2, 6),), (torch.randn(5, 6),)], dynamic=({0: BATCH},))
def dynamic_batch_write(x):
    y = x.clone()
    y[:, 2:4] = y[:, :2] * 2
    y[0] = 1
    return y, y.view(-1, 3)


@cases.of((2, 3))
class BufferOfView(nn.Module):
    """A buffer is written through a view and read."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("state", torch.zeros(2, 3))

    def forward(self, x):
        self.state[0].copy_(x[1])
        return self.state + x


@cases.of((2, 3))
def returned_alias(x):
    y = x * 2
    v = y[0]
    w = y.view(6)
    y.add_(1)
    return y, v, w


@cases.of((2, 3))
def list_of_views(x):
    y = x.clone()
    rows = [y[i] for i in range(2)]
    for i, row in enumerate(rows):
        row += i
    return torch.stack(rows), y


@cases.of(runs=lambda: [(torch.randn(2, 4), torch.tensor(1))])
def select_by_tensor(x, i):
    y = x.clone()
    y[i[None]] = 3
    return y, x.index_select(0, i)


@cases.of((2, 2, 3))
def real_like_rotary(x):
    y = torch.empty_like(x)
    y[..., 0::2] = x[..., 0::2].cos()
    y[..., 1::2] = x[..., 1::2].sin()
    return y
