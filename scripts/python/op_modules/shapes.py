"""Dynamic shapes: arithmetic on sizes, run at several of them."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.export import Dim

from op_modules.case import BATCH, LENGTH, Cases, ints

cases = Cases()

BATCH_LENGTH = ({0: BATCH, 1: LENGTH},)


def sizes(*shapes: tuple):
    return lambda: [(torch.randn(*shape),) for shape in shapes]


SEQUENCES = sizes((2, 6, 4), (1, 1, 4), (3, 11, 4))


@cases.of(runs=SEQUENCES, dynamic=BATCH_LENGTH)
def reshapes(x):
    b, t, c = x.shape
    return x.view(b * t, c), x.reshape(b, t * c), x.view(b, t, 2, 2).transpose(1, 2), x.flatten(0, 1), x.view(-1), x.unflatten(2, (2, 2))


@cases.of(runs=SEQUENCES, dynamic=BATCH_LENGTH)
def creation(x):
    b, t, _ = x.shape
    return (
        torch.zeros(b, t),
        torch.ones(b, 1, t, dtype=torch.bool),
        torch.full((b, t), 7),
        torch.arange(t),
        torch.arange(b * t).view(b, t),
        torch.arange(t, 0, -1),
        torch.tril(torch.ones(t, t)),
        torch.full((t, t), float("-inf")).triu(1),
        x.new_zeros(b, 2),
        torch.eye(t),
        torch.linspace(0, 1, 5) + x[:, :1, 0],
    )


@cases.of(runs=SEQUENCES, dynamic=BATCH_LENGTH)
def arithmetic(x):
    b, t, c = x.shape
    return x * b, x + t * 2 - 1, x / t, x * (t // 2 + 1), x * (t % 3), x * (b + t) ** 2, x.sum(1) / (t * c), x * max(t, 4), x * min(b, 2), x * (t**0.5)


@cases.of(runs=SEQUENCES, dynamic=BATCH_LENGTH)
def expands(x):
    b, t, c = x.shape
    positions = torch.arange(t).unsqueeze(0).expand(b, -1)
    token = torch.ones(1, 1, c).expand(b, -1, -1)
    return positions, torch.cat([token, x], 1), x[:, :1].expand(b, t, c), x.repeat(2, 1, 1), x.unsqueeze(1).expand(-1, 3, -1, -1), x[:, 0].repeat_interleave(2, 0)


@cases.of(runs=sizes((2, 6, 4), (1, 4, 4), (3, 11, 4)), dynamic=({0: BATCH, 1: Dim("length4", min=4, max=512)},))
def slices(x):
    t = x.shape[1]
    return x[:, 1:], x[:, :-1], x[:, -1], x[:, ::2], x[:, :1], x.narrow(1, 1, t - 1), x[..., None], x[:, -2:]


@cases.of(runs=lambda: [(torch.randn(2, 6), torch.randn(2, 4)), (torch.randn(3, 9), torch.randn(3, 2))], dynamic=({0: BATCH, 1: Dim("a", max=64)}, {0: BATCH, 1: Dim("b", max=64)}))
def two_lengths(x, y):
    z = torch.cat([x, y], 1)
    return z, z[:, : x.shape[1]], z[:, x.shape[1] :], torch.split(z, [x.shape[1], y.shape[1]], 1), x.unsqueeze(2) * y.unsqueeze(1)


@cases.of(runs=SEQUENCES, dynamic=BATCH_LENGTH)
def pads(x):
    t = x.shape[1]
    return F.pad(x, (0, 0, 1, 2)), F.pad(x, (0, 0, 0, 12 - t % 12)), x.roll(1, 1), x.flip(1), x.cumsum(1)


@cases.of(runs=lambda: [(torch.randn(2, 3, h, w),) for h, w in ((8, 8), (6, 12), (14, 10))], dynamic=({0: BATCH, 2: Dim("half_h", min=2, max=64) * 2, 3: Dim("half_w", min=2, max=64) * 2},))
class Image(nn.Module):
    """A small U-Net over even sizes."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, 4, 3, stride=2, padding=1)
        self.up = nn.ConvTranspose2d(4, 3, 2, stride=2)
        self.head = nn.Conv2d(6, 2, 1)

    def forward(self, x):
        y = torch.relu(self.down(x))
        z = torch.cat([self.up(y), x], 1)
        return self.head(z), F.adaptive_avg_pool2d(y, 1).flatten(1)


@cases.of(runs=lambda: [(torch.randn(2, 3, h, w),) for h, w in ((8, 8), (6, 13), (15, 10))], dynamic=({0: BATCH, 2: Dim("h", min=4, max=64), 3: Dim("w", min=4, max=64)},))
def resizes(x):
    y = F.max_pool2d(x, 2)
    return (
        F.interpolate(y, size=x.shape[2:], mode="bilinear"),
        F.interpolate(y, size=x.shape[-2:], mode="nearest"),
        F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=True),
        F.interpolate(x, scale_factor=0.5),
        x.mean((2, 3)),
        x.flatten(2).transpose(1, 2),
    )


@cases.of(runs=lambda: [(torch.randn(2, n * 4, 3),) for n in (2, 3, 5)], dynamic=({0: BATCH, 1: Dim("quarter", min=2, max=64) * 4},))
def multiples(x):
    b, t, c = x.shape
    windows = x.view(b, t // 4, 4, c)
    return windows.mean(2), windows.permute(0, 2, 1, 3).reshape(b * 4, t // 4, c), x.view(b, -1, 4 * c), torch.stack(x.chunk(4, 1))


@cases.of(runs=lambda: [(ints(2, 6),), (ints(1, 3),), (ints(4, 9),)], dynamic=({0: BATCH, 1: Dim("length32", min=2, max=32)},))
class PositionsFromPadding(nn.Module):
    """RoBERTa's positions: a running count of tokens that are not padding."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.positions = nn.Embedding(10, 4, padding_idx=1), nn.Embedding(32, 4, padding_idx=1)
        self.register_buffer("types", torch.zeros(1, 32, dtype=torch.long), persistent=False)

    def forward(self, ids):
        mask = ids.ne(1).int()
        positions = (torch.cumsum(mask, dim=1).type_as(mask) * mask).long() + 1
        types = self.types[:, : ids.shape[1]].expand(ids.shape[0], ids.shape[1])
        return self.tokens(ids) + self.positions(positions) + types.unsqueeze(-1)


@cases.of(
    runs=lambda: [(torch.randn(2, 6, 4), torch.tensor([[1] * 6, [1] * 4 + [0] * 2])), (torch.randn(3, 2, 4), torch.tensor([[1, 1], [1, 0], [1, 1]]))],
    dynamic=({0: BATCH, 1: LENGTH}, {0: BATCH, 1: LENGTH}),
)
def mean_pooling(x, mask):
    expanded = mask.unsqueeze(-1).expand(x.size()).float()
    pooled = torch.sum(x * expanded, 1) / torch.clamp(expanded.sum(1), min=1e-9)
    return F.normalize(pooled, p=2, dim=1)


@cases.of(
    runs=lambda: [(torch.tensor([[1] * 6, [1] * 4 + [0] * 2]),), (torch.tensor([[1, 1], [1, 0], [1, 1]]),)],
    dynamic=BATCH_LENGTH,
)
def extended_mask(mask):
    b, t = mask.shape
    causal = torch.arange(t)[None, None, :] <= torch.arange(t)[None, :, None]
    both = causal & mask[:, None, :].bool()
    return (1.0 - both[:, None].to(torch.float32)) * torch.finfo(torch.float32).min


@cases.of(runs=SEQUENCES, dynamic=BATCH_LENGTH)
def reductions(x):
    return x.sum(), x.mean(1), x.max(1)[0], x.argmax(1), x.var(2), x.softmax(1), x.amax((1, 2)), x.norm(dim=1), x.std(2), x.sort(1)[0], x.topk(1, 1)[0]


@cases.of(runs=lambda: [(ints(2, 6, high=6),), (ints(3, 4, high=4),)], dynamic=BATCH_LENGTH)
def indexing(i):
    b, t = i.shape
    x = torch.arange(b * t, dtype=torch.float32).view(b, t)
    j = i % t
    return x.gather(1, j), x[torch.arange(b), j[:, 0]], x[:, j[0]], F.one_hot(i, 8), x.index_select(1, j[0]), torch.where(i > 2, x, 0.0), x.scatter(1, j[:, :1], 9.0), x[torch.arange(b)[:, None], j]


@cases.of(runs=lambda: [(torch.randn(n, 3),) for n in (4, 2, 9)], dynamic=({0: Dim("batch25", max=25)},))
def batch_only(x):
    n = x.shape[0]
    return x @ x.t(), x.t().contiguous().view(-1, n), torch.cdist(x, x), x.mean(0), torch.stack([x, x * 2], 1), x - x.mean(0, keepdim=True), torch.meshgrid(torch.arange(n), torch.arange(3), indexing="ij")


@cases.of(runs=lambda: [(torch.randn(n, 3, 16),) for n in (2, 1)], dynamic=({0: BATCH},))
class PatchEmbedding(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.projection = nn.Conv1d(3, 8, 4, stride=4)
        self.token = nn.Parameter(torch.zeros(1, 1, 8))
        self.positions = nn.Parameter(torch.randn(1, 5, 8))

    def forward(self, x):
        patches = self.projection(x).flatten(2).transpose(1, 2)
        tokens = self.token.expand(x.shape[0], -1, -1)
        return torch.cat((tokens, patches), dim=1) + self.positions


@cases.of(runs=lambda: [(torch.randn(2, 3),), (torch.randn(1, 3),)], dynamic=({0: Dim("rows", min=0, max=64)},))
def from_zero_rows(x):
    return x * 2, x.sum(1), x @ x.t()
