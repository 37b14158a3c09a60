"""Odd inputs for small programs of every kind: half types and empties, integers at their ends and free sizes, masks over no rows, results in every
form. A sweep for `npm run never-wrong`; a part of it is asked in `npm test`.

usage: never_wrong_odd.py OUT [PATTERN]              writes the cases whose names match, in the form of case_kit.py
       never_wrong_odd.py OUT [PATTERN] --packs      the same as fixture packs: packages/torch/fixtures/odd

What PyTorch cannot write is left out. Names begin with their kind: d what only the data know, h half types, z sizes of nothing, m masks, f forms of
inputs and results, i integers, w windows and signals, q quantizing, l linear algebra, x indices, o orders.
"""

import functools
import re
import sys

import torch
import torch.nn.functional as F
from torch import nn
from torch.export import Dim
from torch.utils._pytree import tree_map

import case_kit
from case_kit import Fn
from case_packs import Packs

TITLES = {"d": "data", "h": "halves", "z": "nothing", "m": "masks", "f": "forms", "i": "integers", "w": "windows", "q": "quantizing", "l": "matrices", "x": "indices", "o": "orders", "r": "reports"}
ARGUMENTS = [argument for argument in sys.argv[1:] if argument != "--packs"]
PATTERN = re.compile(ARGUMENTS[1] if len(ARGUMENTS) > 1 else "")
PACKS = Packs(TITLES) if "--packs" in sys.argv else None
WRITE = functools.partial(case_kit.case, ARGUMENTS[0]) if PACKS is None else PACKS.case


def case(name, *args, **options):
    if not PATTERN.search(name):
        return
    try:
        try:
            WRITE(name, *args, **options)
        except torch._dynamo.exc.UserError:  # it takes no size 0: then those that it takes
            WRITE(name, *args[:3], tree_map(lambda dim: A, args[3]), **options)
    except Exception as error:  # noqa: BLE001 whatever keeps PyTorch from writing it
        print(f"{name} is left out: {type(error).__name__} {str(error).splitlines()[:1]}", file=sys.stderr)


inf, nan = float("inf"), float("nan")
A, D = Dim.AUTO, Dim.DYNAMIC
r, t = torch.randn, torch.tensor
f16, bf16, i8, u8, i16, i32, i64 = torch.float16, torch.bfloat16, torch.int8, torch.uint8, torch.int16, torch.int32, torch.int64


def Z(low, high=None):
    return Dim(f"n{low}_{high}", min=low, max=high or 64)


# What only the data know ------------------------------------------------------------------------------------------------------------------

keep = t([True, True, False, True])
none, one, every = t([False] * 4), t([False, True, False, False]), t([True] * 4)


def check(x):
    torch._check(x)


class AtLeastTwo(nn.Module):
    def forward(self, x, k):
        y = x[k]
        check(y.shape[0] >= 2)
        return y.softmax(0), y[:2].sum(0), y.var(0)


class Exactly(nn.Module):
    def forward(self, x, k):
        y = x[k]
        check(y.shape[0] == 3)
        return y.view(3, 3) * 2, x.nonzero().shape[0] * x


class Read(nn.Module):
    def forward(self, x):
        n = x.sum().item()
        check(n >= 3)
        check(n < 9)
        return torch.zeros(n) + 1


class ReadExactly(nn.Module):
    def forward(self, x, n):
        v = n.item()
        check(v == 2)
        return x * v, x.new_zeros(v)


class Split(nn.Module):
    def forward(self, x, n):
        a, b = n.tolist()
        check(a + b == x.shape[0])
        return x.split([a, b])


class TwoMasks(nn.Module):
    def forward(self, x, k, m):
        a, b = x[k], x[m]
        check(a.shape[0] == b.shape[0])
        return a + b


class LikeInput(nn.Module):
    def forward(self, x, k, y):
        a = x[k]
        check(a.shape[0] == y.shape[0])
        return a + y


class Pairs(nn.Module):
    def forward(self, x, k):
        y = x[k].contiguous() * 2
        check(y.shape[0] % 2 == 0)
        return y.reshape(2, -1)


class Branch(nn.Module):
    def forward(self, x, k):
        def yes(x):
            n = x.long().sum().item()
            check(n >= 0)
            check(n <= 4)
            return x * n

        return torch.cond(k.any(), yes, lambda x: x + 1, (x,))


class ReadFloat(nn.Module):
    def forward(self, x):
        n = x.item()
        check(n > 0.5)
        return torch.ones(2) * n


case("d_at_least_two", AtLeastTwo(), (r(4, 3), keep), [(r(4, 3), one), (r(4, 3), none), (r(4, 3), every)])
case("d_exactly", Exactly(), (r(4, 3), keep), [(r(4, 3), every), (r(4, 3), none)])
case("d_read", Read(), (t([1, 3]),), [(t([1, 1]),), (t([-5, 1]),), (t([5, 5]),), (t([2**62, 2**62]),)])
case("d_read_exactly", ReadExactly(), (r(4), t(2)), [(r(4), t(3)), (r(4), t(-2))])
case("d_split", Split(), (r(5, 2), t([2, 3])), [(r(5, 2), t([5, 0])), (r(5, 2), t([-1, 6])), (r(5, 2), t([1, 1]))])
case("d_two_masks", TwoMasks(), (r(4), keep, t([False, True, True, True])), [(r(4), keep, every), (r(4), every, every), (r(4), none, none)])
case("d_like_input", LikeInput(), (r(4), keep, r(3)), [(r(4), every, r(3)), (r(4), every, r(4)), (r(4), one, r(1)), (r(4), none, r(3))], ({}, {}, {0: A}))
case("d_pairs", Pairs(), (r(4, 3), t([True, False, True, False])), [(r(4, 3), keep), (r(4, 3), every)])
case("d_branch", Branch(), (r(3) ** 2, t([True])), [(r(3) ** 2, t([False])), (t([-9.0, 0, 0]), t([True])), (t([-9.0, 0, 0]), t([False]))])
case("d_read_float", ReadFloat(), (t(0.7),), [(t(0.2),), (t(nan),)])
case("d_async", Fn(lambda s, x: (torch._assert_async((x > 0).all(), "positive wanted"), x * 2)[1]), (torch.rand(3) + 1,), [(t([1.0, -1, 2]),), (t([nan, 1, 1]),)])
case("d_masked_mean", Fn(lambda s, x, k: torch.masked_select(x, k).mean()), (r(4), keep), [(r(4), none), (r(4), one)])
case("d_nonzero_of", Fn(lambda s, x: (x.nonzero(), x.nonzero().sum(0), x.nonzero().float().mean(0))), (t([[1.0, 0], [0, 2]]),), [(torch.zeros(2, 2),), (t([[nan, -0.0], [0, inf]]),)])
case("d_where_set", Fn(lambda s, x: x.index_put(torch.where(x > 0), t(7.0))), (t([1.0, -1, 2]),), [(t([-1.0, -1, -2]),), (t([nan, inf, -inf]),)])
case("d_unique", Fn(lambda s, x: torch.unique(x, return_counts=True, return_inverse=True)), (t([3, 1, 3, 2]),), [(t([5, 5, 5, 5]),), (t([2**63 - 1, -(2**63), 0, 0]),)])
case("d_topk_masked", Fn(lambda s, x, k: x[k].sort(0).values), (r(4, 3), keep), [(r(4, 3), none), (r(4, 3), one)])
case("d_cat_masked", Fn(lambda s, x, k: torch.cat([x[k], x[~k], x[k] * 2])), (r(4, 3), keep), [(r(4, 3), none), (r(4, 3), every)])
case("d_stats_masked", Fn(lambda s, x, k: (x[k].sum(0), x[k].mean(0), x[k].std(0), x[k].prod(0), x[k].any(0), x[k].all(0), x[k].cumsum(0), x[k].logsumexp(0), x[k].norm())), (r(4, 3), keep), [(r(4, 3), none), (r(4, 3), one)])
case("d_max_masked", Fn(lambda s, x, k: x[k].amax(0)), (r(4, 3), keep), [(r(4, 3), none), (r(4, 3), one)])
case("d_argmax_masked", Fn(lambda s, x, k: (x[k].argmax(1), x[k].amax(1), x[k].max(1).indices)), (r(4, 3), keep), [(r(4, 3), none), (r(4, 3), one)])
case("d_linear_masked", Fn(lambda s, x, k: s.l(x[k]).relu(), l=nn.Linear(3, 5)), (r(4, 3), keep), [(r(4, 3), none), (r(4, 3), one)])
case("d_norms_masked", Fn(lambda s, x, k: (F.layer_norm(x[k], (3,)), F.normalize(x[k], dim=1), x[k].softmax(1), F.rms_norm(x[k], (3,)))), (r(4, 3), keep), [(r(4, 3), none), (r(4, 3), one)])
case("d_conv_masked", Fn(lambda s, x, k: s.c(x[k]), c=nn.Conv1d(3, 2, 3, padding=1)), (r(4, 3, 5), keep), [(r(4, 3, 5), none), (r(4, 3, 5), one)])
case("d_bn_masked", Fn(lambda s, x, k: s.b(x[k]), b=nn.BatchNorm1d(3)), (r(4, 3), keep), [(r(4, 3), none), (r(4, 3), one)])
case("d_lstm_masked", Fn(lambda s, x, k: s.c(x[k])[0], c=nn.LSTM(3, 4, batch_first=True)), (r(4, 5, 3), keep), [(r(4, 5, 3), none), (r(4, 5, 3), one)])
case("d_attention_masked", Fn(lambda s, x, k: F.scaled_dot_product_attention(x[k], x[k], x[k])), (r(4, 2, 5, 8), keep), [(r(4, 2, 5, 8), none), (r(4, 2, 5, 8), one)])
case("d_cdist_masked", Fn(lambda s, x, k: torch.cdist(x[k], x)), (r(4, 3), keep), [(r(4, 3), none), (r(4, 3), one)])
case("d_einsum_masked", Fn(lambda s, x, k: torch.einsum("ni,mi->nm", x[k], x)), (r(4, 3), keep), [(r(4, 3), none), (r(4, 3), one)])
case("d_scatter_masked", Fn(lambda s, x, k: torch.zeros(4, 3).index_put((k,), x[k] * 2)), (r(4, 3), keep), [(r(4, 3), none), (r(4, 3), one)])
case("d_index_add_masked", Fn(lambda s, x, k, i: torch.zeros(5, 3).index_add(0, i[k], x[k])), (r(4, 3), keep, t([0, 4, 1, 1])), [(r(4, 3), none, t([0, 4, 1, 1])), (r(4, 3), keep, t([0, -1, 1, 1])), (r(4, 3), keep, t([0, 1, 9, 1]))])
case("d_bincount", Fn(lambda s, x: torch.bincount(x)), (t([0, 3, 3]),), [(t([0, 0, 0]),), (t([9, 0, 1]),), (t([-1, 0, 1]),)])
case("d_repeat", Fn(lambda s, x, n: torch.repeat_interleave(x, n, 0)), (r(3, 2), t([1, 2, 0])), [(r(3, 2), t([0, 0, 0])), (r(3, 2), t([5, 0, 1])), (r(3, 2), t([1, -1, 1]))])
case("d_arange_of", Fn(lambda s, n: torch.arange(n.item()) * 2), (t(4),), [(t(0),), (t(9),), (t(-2),)])
case("d_nms_like", Fn(lambda s, b, x: b[x > 0.5][:, 2:].prod(-1).sort(descending=True)[0]), (torch.rand(5, 4), torch.rand(5)), [(torch.rand(5, 4), torch.zeros(5)), (torch.rand(5, 4), torch.ones(5))])
case("d_bool_rows", Fn(lambda s, x: x[x.any(1)].long().sum(0)), (t([[True, False], [False, False]]),), [(t([[False, False], [False, False]]),)])
case("d_masked_scatter", Fn(lambda s, x, k, v: x.masked_scatter(k, v)), (r(4), keep, r(4)), [(r(4), none, r(4)), (r(4), every, r(4))])
case("d_masked_scatter_short", Fn(lambda s, x, k, v: x.masked_scatter(k, v)), (r(4), keep, r(3)), [(r(4), none, r(3)), (r(4), every, r(3))])

# Half types ------------------------------------------------------------------------------------------------------------------------------

for half in (f16, bf16):
    h = str(half)[6:]
    for n in (0, 1):
        rows = ({0: Z(0)},)
        case(f"h_{h}_linear_{n}", Fn(lambda s, x: s.l(x), l=nn.Linear(3, 2).to(half)), (r(4, 3).to(half),), [(r(n, 3).to(half),)], rows)
        case(f"h_{h}_softmax_{n}", Fn(lambda s, x: (x.softmax(-1), x.log_softmax(0), x.mean(0), x.sum(0), x.sum(), x.var(0))), (r(4, 3).to(half),), [(r(n, 3).to(half),)], rows)
        case(f"h_{h}_sort_{n}", Fn(lambda s, x: (x.sort(0).values, x.cumsum(0), x.flip(0), x.roll(1, 0), x.argsort(1), x.topk(2, 1).values)), (r(4, 3).to(half),), [(r(n, 3).to(half),)], rows)
        case(f"h_{h}_attention_{n}", Fn(lambda s, x: F.scaled_dot_product_attention(x, x, x, is_causal=True)), (r(4, 2, 5, 8).to(half),), [(r(n, 2, 5, 8).to(half),)], rows)
        case(f"h_{h}_norms_{n}", Fn(lambda s, x: (F.layer_norm(x, (4,)), F.rms_norm(x, (4,)), F.normalize(x, dim=-1), F.gelu(x), F.silu(x))), (r(4, 3, 4).to(half),), [(r(n, 3, 4).to(half),)], rows)
        case(f"h_{h}_conv_{n}", Fn(lambda s, x: F.max_pool2d(s.c(x), 2), c=nn.Conv2d(3, 4, 3).to(half)), (r(2, 3, 6, 6).to(half),), [(r(n, 3, 6, 6).to(half),)], rows)
    ends = t([0.0, -0.0, 1.3, 256.9, 65504.0, -65504.0, 6e-8, inf, -inf, nan, 1e-3, 3.3895e38 if half is bf16 else 1.0]).to(half)
    case(f"h_{h}_ends", Fn(lambda s, x: (x + 1, x * 3, x / 3, x.exp(), x.sqrt(), x.round(), x // 1, x.abs(), x.sign(), x.to(torch.float32), x.clamp(-1, 1), x.isfinite(), x.nan_to_num())), (ends,))
    case(f"h_{h}_casts", Fn(lambda s, x: (x.to(f16), x.to(bf16), x.double(), x.bool(), x.to(torch.float32) * x)), (ends,))
    case(f"h_{h}_scalar", Fn(lambda s, x: (x * 2, x.exp(), x[None], x + s.w, x.item() * s.w), w=t([1.1, 2.7]).to(half)), (t(1.3).to(half),), [(t(nan).to(half),)])
    case(f"h_{h}_pool", Fn(lambda s, x: (F.avg_pool1d(x, 2), F.max_pool1d(x, 2), F.adaptive_avg_pool1d(x, 3), F.interpolate(x, scale_factor=2))), (r(1, 2, 6).to(half),), [(torch.full((1, 2, 6), -inf).to(half),), (torch.full((1, 2, 6), nan).to(half),)])
    case(f"h_{h}_embedding", nn.Embedding(5, 3).to(half), (t([1, 2]),), [(t([-1, 2]),), (t([5, 2]),), (t([0, 0]),)])
    case(f"h_{h}_lstm", Fn(lambda s, x: s.c(x)[0], c=nn.LSTM(3, 4, batch_first=True).to(half)), (r(2, 5, 3).to(half),), [(r(0, 5, 3).to(half),), (r(1, 5, 3).to(half),)], ({0: Z(0)},))
    case(f"h_{h}_where", Fn(lambda s, x, k: (x[k], torch.where(k, x, t(0.0)), x.masked_fill(k, -inf), x.masked_fill(k, torch.finfo(x.dtype).min).softmax(0))), (r(4).to(half), keep), [(r(4).to(half), none), (r(4).to(half), every)])
    case(f"h_{h}_mixed", Fn(lambda s, x, y: (x + y, x * y.sum(), torch.cat([x.float(), y]), x @ y.to(x.dtype), torch.maximum(x, y.to(x.dtype)))), (r(4).to(half), r(4)), [(ends[:4], ends[4:8].float())])
    case(f"h_{h}_cmp", Fn(lambda s, x, y: (x > y, x == y, x.eq(1), torch.isclose(x, y, rtol=1e-2), x.argmax(), x.max(), x.amin())), (ends, ends.flip(0)))
    case(f"h_{h}_int", Fn(lambda s, x: (x.to(half), x * t(0.3).to(half), x / 3)), (t([1, 2049, -7, 65504]),), [(t([2**31, -(2**31), 0, 300]),)])

# Sizes of nothing --------------------------------------------------------------------------------------------------------------------------

rows, both = ({0: Z(0)},), ({0: Z(0), 1: Dim("m0", min=0, max=64)},)
for name, function, shape in (
    ("reduce", lambda s, x: (x.sum(0), x.mean(0), x.prod(0), x.any(0), x.all(0), x.std(0), x.var(0, correction=0), x.norm(dim=0), x.logsumexp(0), x.nansum(0), x.count_nonzero(0)), (4, 3)),
    ("reduce_all", lambda s, x: (x.sum(), x.mean(), x.prod(), x.any(), x.all(), x.std(), x.norm(), x.nansum(), x.nanmean()), (4, 3)),
    ("cumulative", lambda s, x: (x.cumsum(0), x.cumprod(0), x.cummax(1).values, x.logcumsumexp(0), x.diff(dim=1)), (4, 3)),
    ("cummax", lambda s, x: (x.cummax(0).values, x.cummin(0).indices), (4, 3)),
    ("moves", lambda s, x: (x.flip(0), x.roll(1, 0), x.roll(2, 1), x.t(), x.repeat(2, 1), x.tile(2, 2), x[::2], x.unsqueeze(1).expand(-1, 2, -1), x.rot90()), (4, 3)),
    ("joins", lambda s, x: (torch.cat([x, x]), torch.stack([x, x]), torch.cat([x, x], 1), torch.hstack([x, x]), F.pad(x, (1, 1)), torch.block_diag(x, x)), (4, 3)),
    ("pads", lambda s, x: (F.pad(x, (0, 0, 1, 1)), F.pad(x, (1, 2), value=3.0), F.pad(x, (1, 0, 0, 2), value=-inf)), (4, 3)),
    ("products", lambda s, x: (x @ x.t(), x.t() @ x, torch.einsum("ni,mi->nm", x, x), torch.einsum("ni,nj->ij", x, x), F.linear(x, s.w), torch.outer(x[:, 0], x[:, 1])), (4, 3)),
    ("baddbmm", lambda s, x: (torch.bmm(x[None], x.t()[None]), torch.addmm(s.w, s.w, x.t() @ x), torch.kron(x, s.w), torch.tensordot(x, x, ([0], [0]))), (4, 3)),
    ("orders", lambda s, x: (x.sort(0).values, x.argsort(0), x.sort(1).values, x.topk(2, 1).values, x.kthvalue(1, 1).values, x.median(1).values, x.mode(1).values), (4, 3)),
    ("sort_rows", lambda s, x: (x.sort(0).indices, x.topk(0, 0).values, x.msort()), (4, 3)),
    ("distance", lambda s, x: (torch.cdist(x, x), F.pairwise_distance(x, x), F.cosine_similarity(x, x), (x[:, None] - x).pow(2).sum(-1)), (4, 3)),
    ("losses", lambda s, x: (F.mse_loss(x, x + 1), F.l1_loss(x, x + 1, reduction="sum"), F.smooth_l1_loss(x, x, reduction="none"), F.binary_cross_entropy_with_logits(x, x.sigmoid()), F.kl_div(x.log_softmax(1), x.softmax(1), reduction="batchmean")), (4, 3)),
    ("ce", lambda s, x: (F.cross_entropy(x, x.argmax(1)), F.cross_entropy(x, x.argmax(1), reduction="none"), F.nll_loss(x.log_softmax(1), x.argmax(1), reduction="sum")), (4, 3)),
    ("windows", lambda s, x: (x.unfold(1, 2, 1), F.unfold(x[:, None, :, None], (2, 1)), F.avg_pool1d(x[:, None], 2), F.max_pool1d(x[:, None], 2), F.interpolate(x[:, None], scale_factor=2)), (4, 3)),
    ("convs", lambda s, x: (F.conv1d(x[:, None], s.w[:, None]), F.conv_transpose1d(x[:, None], s.w[None])), (4, 5)),
    ("masks", lambda s, x: (x.masked_fill(x > 0, 1), torch.where(x > 0, x, -x), x.tril(), x.triu(1), x.clamp(min=0), (x > 0).sum(), (x > 0).any(1), (x > 0).float().mean(0)), (4, 3)),
    ("indices", lambda s, x: (x[:, t([2, 0])], x.index_select(1, t([1])), x.gather(1, x.argmax(1, keepdim=True)), F.one_hot(x.argmax(1), 3), x.take_along_dim(x.argsort(1), 1), x.select(1, 0)), (4, 3)),
    ("scatters", lambda s, x: (torch.zeros(4, 3).scatter_add(0, x.argmax(1, keepdim=True), x), torch.zeros(4, 3).index_add(0, x.argmax(1), x), torch.zeros(3).scatter_reduce(0, x.argmax(1), x[:, 0], "amax")), (4, 3)),
    ("spectra", lambda s, x: (torch.fft.rfft(x, dim=1).abs(), torch.view_as_real(torch.fft.fft(x, dim=1)), torch.fft.irfft(torch.fft.rfft(x, dim=1), n=3, dim=1)), (4, 3)),
    ("quantiles", lambda s, x: (x.quantile(0.5, dim=1), x.nanquantile(0.3, 1), torch.histc(x, 4, -1, 1), torch.bucketize(x, s.w[0].sort().values), torch.searchsorted(s.w[0].sort().values, x)), (4, 3)),
    ("norms", lambda s, x: (F.layer_norm(x, (3,)), F.group_norm(x[:, :, None], 3), F.normalize(x), F.normalize(x, dim=0), F.local_response_norm(x[:, :, None], 2), F.batch_norm(x, s.w[0], s.w[1] ** 2)), (4, 3)),
    ("instance", lambda s, x: F.instance_norm(x[:, None]), (4, 3)),
    ("activations", lambda s, x: (F.gelu(x), F.softplus(x), F.glu(torch.cat([x, x], 1)), x.softmax(0), x.softmax(1), F.softmin(x, 0), F.hardtanh(x), F.celu(x), F.threshold(x, 0.1, 5.0)), (4, 3)),
    ("vision", lambda s, x: (F.grid_sample(x[:, None, None, :], x[:, None, :2].reshape(-1, 1, 1, 2)), F.affine_grid(torch.eye(2, 3).expand(x.shape[0], 2, 3), (x.shape[0], 1, 2, 2)), F.pixel_shuffle(x.reshape(-1, 3, 1, 1).repeat(1, 4, 1, 1), 2)), (4, 3)),
    ("roll_all", lambda s, x: (x.roll(1), x.roll((1, 2), (0, 1)), x.reshape(-1), x.flatten(), x.view(x.shape[0] * 3)), (4, 3)),
    ("matrix", lambda s, x: (torch.linalg.norm(x, dim=(0, 1)) if False else x.norm(), torch.linalg.vector_norm(x, 1), x.diagonal(), x.trace() if False else x.diag(), torch.linalg.det(x[:, None, :, None][:, :, :1].expand(-1, 1, 1, 1)), torch.cross(x, x, 1), torch.cov(x.t()) if False else x), (4, 3)),
    ("unbind", lambda s, x: (x.unbind(1), x.chunk(2, 1), x.split([1, 2], 1), x.tensor_split(2, 1)), (4, 3)),
):
    example = r(shape)
    case(f"z_{name}", Fn(function, w=r(2, shape[1])), (example,), [(r(0, shape[1]),), (r(1, shape[1]),)], rows)
for kind, dtype in (("int64", i64), ("int8", i8), ("bool", torch.bool), ("uint8", u8), ("float16", f16)):
    x = t([[0, 1, 1], [1, 0, 1]]).to(dtype)
    case(f"z_types_{kind}", Fn(lambda s, x: (x.sum(0), x.any(1), x.all(), x.cumsum(0), x.flip(0), x.sort(1).values, x.argsort(0), torch.cat([x, x]), x.float().mean(), x.long().prod(0), x.nonzero(), x == x, x.count_nonzero())), (x,), [(x[:0],), (x[:1],)], rows)
    if dtype is not torch.bool:
        case(f"z_math_{kind}", Fn(lambda s, x: (x + x, x * 2, x // 2, x % 2, -x, x.abs(), x.clamp(0, 1), x.prod(1), x.cumprod(1), x.amax(1), x.argmax(1), x @ x.t())), (x,), [(x[:0],), (x[:1],)], rows)
for name, module, example, others in (
    ("lstm", nn.LSTM(3, 4, 2, batch_first=True, bidirectional=True), (r(2, 5, 3),), [(r(0, 5, 3),), (r(1, 5, 3),)]),
    ("gru", nn.GRU(3, 4, batch_first=True), (r(2, 5, 3),), [(r(0, 5, 3),), (r(1, 5, 3),)]),
    ("rnn", nn.RNN(3, 4, batch_first=True), (r(2, 5, 3),), [(r(0, 5, 3),), (r(1, 5, 3),)]),
    ("lstm_proj", nn.LSTM(3, 6, proj_size=2, batch_first=True), (r(2, 5, 3),), [(r(0, 5, 3),), (r(1, 5, 3),)]),
    ("gru_cell", nn.GRUCell(3, 4), (r(2, 3),), [(r(0, 3),), (r(1, 3),)]),
    ("encoder", nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), (r(2, 5, 8),), [(r(0, 5, 8),), (r(1, 5, 8),)]),
    ("bag", nn.EmbeddingBag(9, 3, mode="mean"), (t([[1, 2], [3, 4]]),), [(torch.zeros(0, 2, dtype=i64),), (t([[8, 8]]),)]),
    ("conv3d", nn.Conv3d(2, 3, 2), (r(2, 2, 3, 3, 3),), [(r(0, 2, 3, 3, 3),), (r(1, 2, 3, 3, 3),)]),
    ("bilinear", nn.Upsample(scale_factor=2, mode="bilinear"), (r(2, 2, 3, 3),), [(r(0, 2, 3, 3),), (r(1, 2, 3, 3),)]),
    ("head", nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 3), nn.Softmax(1)), (r(2, 2, 3, 3),), [(r(0, 2, 3, 3),), (r(1, 2, 3, 3),)]),
):
    case(f"z_layer_{name}", module, example, others, rows)
for length in ("lstm", "gru", "mean", "softmax", "conv", "cumsum", "attention", "argmax", "max"):
    function = {
        "lstm": lambda s, x: s.c(x)[0], "gru": lambda s, x: s.g(x)[0], "mean": lambda s, x: (x.mean(1), x.sum(1), x.std(1)), "softmax": lambda s, x: x.softmax(1),
        "conv": lambda s, x: F.conv1d(x.transpose(1, 2), s.k, padding=1), "cumsum": lambda s, x: (x.cumsum(1), x.flip(1), x.roll(1, 1)),
        "attention": lambda s, x: F.scaled_dot_product_attention(x[:, None], x[:, None], x[:, None]), "argmax": lambda s, x: x.argmax(1), "max": lambda s, x: x.max(1).values,
    }[length]
    case(f"z_length_{length}", Fn(function, c=nn.LSTM(3, 4, batch_first=True), g=nn.GRU(3, 4, batch_first=True), k=r(2, 3, 3)), (r(2, 5, 3),), [(r(2, 0, 3),), (r(2, 1, 3),), (r(1, 7, 3),)], ({0: A, 1: Z(0)},))

# Masks -----------------------------------------------------------------------------------------------------------------------------------

low = torch.finfo(torch.float32).min
mask = torch.zeros(4, 5)
mask[1] = low
mask[2] = -inf
mask[3, :2] = -1e9
case("m_rows", Fn(lambda s, x, m: ((x + m).softmax(-1), (x + m).log_softmax(-1), (x + m).logsumexp(-1), (x + m).amax(-1), x.masked_fill(m < -1, low).softmax(-1))), (r(4, 5), torch.zeros(4, 5)), [(r(4, 5), mask), (torch.full((4, 5), nan), mask), (r(4, 5) * 1e38, mask)])
case("m_masked_mean", Fn(lambda s, x, m: ((x * m[..., None]).sum(1) / m.sum(1, keepdim=True), (x * m[..., None]).sum(1) / m.sum(1, keepdim=True).clamp(min=1e-9))), (r(2, 4, 3), torch.ones(2, 4)), [(r(2, 4, 3), torch.zeros(2, 4)), (r(2, 4, 3), t([[1.0, 1, 0, 0], [0, 0, 0, 0]]))])
case("m_pool_masked", Fn(lambda s, x, m: (x.masked_fill(~m[..., None], -inf).amax(1), x.masked_fill(~m[..., None], low).amax(1), x.masked_fill(~m[..., None], -inf).softmax(1))), (r(2, 4, 3), torch.ones(2, 4, dtype=torch.bool)), [(r(2, 4, 3), torch.zeros(2, 4, dtype=torch.bool)), (r(2, 4, 3), t([[True, False, False, True], [False] * 4]))])
case("m_mha_float", Fn(lambda s, x, m: s.a(x, x, x, attn_mask=m)[0], a=nn.MultiheadAttention(8, 2, batch_first=True)), (r(2, 4, 8), torch.zeros(4, 4)), [(r(2, 4, 8), torch.triu(torch.full((4, 4), -inf), 1)), (r(2, 4, 8), torch.full((4, 4), -inf)), (r(2, 4, 8), torch.full((4, 4), low))])
case("m_mha_both", Fn(lambda s, x, p: s.a(x, x, x, attn_mask=s.c, key_padding_mask=p)[0], a=nn.MultiheadAttention(8, 2, batch_first=True), c=torch.triu(torch.ones(4, 4, dtype=torch.bool), 1)), (r(2, 4, 8), torch.zeros(2, 4, dtype=torch.bool)), [(r(2, 4, 8), t([[True, False, False, False], [True] * 4]))])
case("m_decoder", Fn(lambda s, x, y: s.d(x, y, tgt_is_causal=True, tgt_mask=nn.Transformer.generate_square_subsequent_mask(4)), d=nn.TransformerDecoderLayer(8, 2, 16, batch_first=True)), (r(2, 4, 8), r(2, 3, 8)), [(torch.zeros(2, 4, 8), r(2, 3, 8) * 1e4)])
for shape in ((4, 5), (1, 5), (4, 1), (2, 1, 4, 5), (1, 3, 4, 5), (2, 3, 1, 5), (1, 1, 1, 5)):
    name = "x".join(map(str, shape))
    m = torch.rand(shape) > 0.4
    case(f"m_sdpa_bool_{name}", Fn(lambda s, q, k, m: F.scaled_dot_product_attention(q, k, k, attn_mask=m)), (r(2, 3, 4, 8), r(2, 3, 5, 8), m), [(r(2, 3, 4, 8), r(2, 3, 5, 8), torch.zeros_like(m)), (r(2, 3, 4, 8) * 100, r(2, 3, 5, 8), ~m)])
    case(f"m_sdpa_float_{name}", Fn(lambda s, q, k, m: F.scaled_dot_product_attention(q, k, k, attn_mask=m, scale=0.3)), (r(2, 3, 4, 8), r(2, 3, 5, 8), m.float()), [(r(2, 3, 4, 8), r(2, 3, 5, 8), torch.full(shape, -inf)), (r(2, 3, 4, 8), r(2, 3, 5, 8), torch.full(shape, low)), (r(2, 3, 4, 8), r(2, 3, 5, 8), torch.full(shape, inf))])
case("m_sdpa_sizes", Fn(lambda s, q, k: (F.scaled_dot_product_attention(q, k, k), F.scaled_dot_product_attention(q, k, k, is_causal=True))), (r(2, 3, 4, 8), r(2, 3, 5, 8)), [(r(2, 3, 7, 8), r(2, 3, 3, 8)), (r(2, 3, 1, 8), r(2, 3, 9, 8)), (r(2, 3, 4, 8), r(2, 3, 0, 8)), (r(2, 3, 0, 8), r(2, 3, 4, 8)), (r(2, 3, 0, 8), r(2, 3, 0, 8))], ({2: Z(0)}, {2: Dim("k0", min=0, max=64)}))
case("m_sdpa_gqa", Fn(lambda s, q, k: F.scaled_dot_product_attention(q, k, k, enable_gqa=True, is_causal=True)), (r(2, 6, 4, 8), r(2, 2, 4, 8)), [(r(0, 6, 4, 8), r(0, 2, 4, 8)), (r(1, 6, 4, 8), r(1, 2, 4, 8))], ({0: Z(0)}, {0: Z(0)}))

# Forms of inputs and results ---------------------------------------------------------------------------------------------------------------


class Keywords(nn.Module):
    def forward(self, *, second, first):
        return {"difference": first - second, "parts": [first * 2, {"deep": second.sum()}], "same": first}


class Unused(nn.Module):
    def forward(self, x, unused, y):
        return x * 2, y


class Passing(nn.Module):
    def forward(self, x, k, n):
        return x, k, n, x, (n, [k])


case("f_keywords", Keywords(), (), [], kwargs={"second": r(2, 3), "first": r(2, 3)})
case("f_unused", Unused(), (r(2), t([1, 2]), t([True, False])), [(t([nan, inf]), t([2**63 - 1, 0]), t([True, True]))])
case("f_unused_dynamic", Unused(), (r(3), r(4, 2), t([1, 2])), [(r(1), r(0, 2), t([-1, 0])), (r(0), r(1, 2), t([3, 4]))], ({0: Z(0)}, {0: Dim("k0", min=0, max=9)}, {}))
case("f_passing", Passing(), (r(2, 3), t([True, False]), t(7)), [(t([[nan, inf, -0.0], [1, 2, 3]]), t([False, False]), t(-(2**63)))])
case("f_passing_half", Passing(), (r(2, 3).to(f16), t([True]), t([1, 2], dtype=i8)), [(t([[nan, inf, 1e-7], [1, 2, 3]]).to(f16), t([False]), t([-128, 127], dtype=i8))])
case("f_aliases", Fn(lambda s, x: (x, x.view(-1), x[0], x.t(), x.detach(), x.clone(), x.expand(2, 2, 3))), (r(2, 3),), [(torch.zeros(2, 3),)])
case("f_aliases_dynamic", Fn(lambda s, x: (x, x.view(-1), x.t(), x.contiguous(), x[1:], x[:0])), (r(4, 3),), [(r(0, 3),), (r(1, 3),)], rows)
case("f_written", Fn(lambda s, x: (x.add_(1), x * 2, x)), (r(2, 3),), [(torch.zeros(2, 3),)])
case("f_written_part", Fn(lambda s, x: (x[0].zero_(), x[:, 1].mul_(3), x.clone())[2]), (r(2, 3),), [(torch.ones(2, 3),)])
case("f_scalars", Fn(lambda s, x, n, k: (x * n, x + k, n + 1, ~k, x.exp(), n % 3, torch.where(k, x, -x), x[None], n.float())), (t(1.5), t(7), t(True)), [(t(nan), t(2**63 - 1), t(False)), (t(-inf), t(-(2**63)), t(True)), (t(-0.0), t(0), t(False))])
case("f_scalar_reduce", Fn(lambda s, x: (x.sum(), x.mean(), x.max(), x.argmax(), x.sort().values, x.cumsum(0), x.flatten(), x.softmax(0), x.norm(), x.any(), x.std(correction=0), x.topk(1).values, x.unsqueeze(0))), (t(2.5),), [(t(nan),), (t(-inf),)])
case("f_scalar_types", Fn(lambda s, a, b, c: (a + 1, b * 2, c.float() + 1, a // 3, b % 3, c.logical_not())), (t(120, dtype=i8), t(250, dtype=u8), t(True)), [(t(127, dtype=i8), t(255, dtype=u8), t(False)), (t(-128, dtype=i8), t(0, dtype=u8), t(True))])
case("f_bools", Fn(lambda s, a, b: (a & b, a | b, a ^ b, ~a, a == b, a.sum(), a.float().mean(), a.any(), a.all(0), a.long() + b, a.cumsum(0), a.argmax(0) if False else a.int(), torch.where(a, b, ~b), a.sort(0).values, a.nonzero(), a < b, a * b, a.max(), a.to(u8).prod(0))), (t([[True, False], [False, False]]), t([[True, True], [False, True]])), [(torch.zeros(2, 2, dtype=torch.bool), torch.zeros(2, 2, dtype=torch.bool)), (torch.ones(2, 2, dtype=torch.bool), torch.ones(2, 2, dtype=torch.bool))])
case("f_views", Fn(lambda s, x: (x.t()[::2], x.flip(0).t(), x[:, ::2].sum(0), x.transpose(0, 1).reshape(-1), x.T.contiguous().view(-1), x.unfold(0, 2, 1).flip(2), x.as_strided((2, 2), (1, 3)), x.diagonal().clone(), x.movedim(0, 1)[1:], x.narrow(1, 1, 2), x.select(0, -1), x[..., None].squeeze(-1))), (r(4, 5),), [(torch.zeros(4, 5),)])
case("f_flips", Fn(lambda s, x: (x.flip((0, 1)), x.flip(-1).cumsum(-1).flip(-1), x.fliplr(), x.flipud(), x.rot90(3), x[:, torch.arange(4, -1, -1)])), (r(4, 5),), [(r(1, 5),), (r(0, 5),)], rows)
case("f_long", Fn(lambda s, x: (x.sum(), x.cumsum(0)[-1], x.argmax(), x.flip(0)[:3], x.view(-1, 2).sum(1)[-3:])), (torch.arange(100000) % 7,), [(torch.full((100000,), 2**40),)])
case("f_long_float", Fn(lambda s, x: (x.mean(), x.max(), x.argmin(), x.sort().values[:2], x.softmax(0).sum())), (torch.arange(70000) / 7.0,), [(torch.zeros(70000),)])
case("f_many", Fn(lambda s, x: [x + i for i in range(40)]), (r(2),), [(t([nan, inf]),)])
case("f_same_output", Fn(lambda s, x: (lambda y: (y, y, y.relu(), y))(x * 2)), (r(2),), [(t([-1.0, nan]),)])
case("f_constants", Fn(lambda s, x: (s.w, x + s.w, t([1, 2]), torch.zeros(2, dtype=bf16), torch.ones((), dtype=torch.bool)), w=r(2)), (r(2),), [(t([nan, 0.0]),)])
case("f_numbers", Fn(lambda s, x: (x.shape[0], x.shape[0] * 2, x.sum(), x.numel() / 2)), (r(3, 2),), [(r(1, 2),), (r(0, 2),)], rows)
case("f_dict_in", Fn(lambda s, x: x["b"] - x["a"]), ({"a": r(2), "b": r(2)},), [])
case("f_none", Fn(lambda s, x: (x, None, [None, x * 2])), (r(2),), [])

# Integers at their ends, sizes free ---------------------------------------------------------------------------------------------------------

for kind, dtype in (("int8", i8), ("uint8", u8), ("int16", i16), ("int32", i32), ("int64", i64)):
    info = torch.iinfo(dtype)
    ends = t([info.min, info.min + 1, max(info.min, -3), 0, 1, 3, 7, info.max - 1, info.max], dtype=dtype)
    a, b = (x.contiguous() for x in torch.cartesian_prod(ends, ends[ends != 0]).T)
    case(f"i_divide_{kind}", Fn(lambda s, a, b: (a // b, a % b, torch.fmod(a, b), torch.div(a, b, rounding_mode="trunc"), torch.remainder(a, b))), (a[:6], b[:6]), [(a, b), (a[:0], b[:0]), (a[:1], b[:1])], ({0: Z(0, 999)}, {0: Z(0, 999)}))
    case(f"i_by_{kind}", Fn(lambda s, a: (a // 3, a % 3, torch.fmod(a, 3), a // -2 if dtype is not u8 else a // 2, a % 5, a * 3, a + 100, a - 100, -a, a.abs(), a.square(), a**2, a**3)), (ends,))
    case(f"i_reduce_{kind}", Fn(lambda s, a: (a.sum(0), a.prod(0), a.cumsum(0), a.cumprod(0), a.sum(0, dtype=dtype), a.prod(0, dtype=dtype), a.cumsum(0, dtype=dtype), a.amax(0), a.argmin(0), a.sort(0).values, a.median(0).values)), (ends[:8].reshape(4, 2),), [(ends[1:3].reshape(1, 2),), (ends[-6:].reshape(3, 2),)], ({0: A},))
    case(f"i_compare_{kind}", Fn(lambda s, a, b: (a > b, a == b, torch.maximum(a, b), a.clamp(-2 if dtype is not u8 else 1, 5), a.clamp(min=b), torch.where(a > b, a, b), a.bitwise_xor(b), a & b, a | b, ~a, a.sign(), a.eq(0))), (a, b))
    case(f"i_shift_{kind}", Fn(lambda s, a, b: (a << b, a >> b, a << 1, a >> 2)), (ends, t([0, 1, 2, 3, 4, 5, 6, 7, 1], dtype=dtype)))
    case(f"i_float_{kind}", Fn(lambda s, a: (a / 3, a.float(), a.double(), a.to(f16), a.to(bf16), a.float().mean(), a.true_divide(7), a.float() // 7, a.sqrt(), a * 0.5, a.exp())), (ends,))
    case(f"i_matmul_{kind}", Fn(lambda s, a: (a @ a.t(), a.t() @ a, torch.einsum("ij,kj->ik", a, a))), (ends[:8].reshape(4, 2),), [(ends[:2].reshape(1, 2),), (ends[:0].reshape(0, 2),)], ({0: Z(0)},))
    case(f"i_index_{kind}", Fn(lambda s, a: (a[t([0, -1])], a.roll(1), a.flip(0), torch.cat([a, a]), a.unique(), a.diff(), F.pad(a, (1, 2), value=3), a.repeat(2), a.tril() if False else a.view(3, 3).tril(), a.view(3, 3).t() * 1, a.gather(0, t([8, 0])), a.topk(3).values, a.scatter(0, t([1, 2]), a[:2]), a.index_add(0, t([0, 0]), a[-2:]))), (ends,))
case("i_float_ends", Fn(lambda s, x: (x.to(i32), x.to(i64), x.to(i16), x.round().to(i8))), (t([0.5, -0.5, 1.5, 100.9, -100.9, 127.0, -128.0, 3.99]),))
case("i_arange", Fn(lambda s, x: (torch.arange(x.shape[0]), torch.arange(x.shape[0], 0, -1), torch.linspace(0, 1, x.shape[0]), torch.arange(x.shape[0]) % 3, torch.eye(x.shape[0]), torch.full((x.shape[0],), 2**40), torch.tril_indices(3, 3))), (r(5),), [(r(1),), (r(0),)], rows)
case("i_pow", Fn(lambda s, a, b: (a**b, torch.pow(a, 2), torch.pow(2, b), a.float() ** b)), (t([2, 3, -2, 0, 1, -1, 2**31, 10]), t([0, 1, 2, 3, 62, 63, 2, 18])))
case("i_gcd", Fn(lambda s, a, b: (torch.gcd(a, b), torch.lcm(a, b))), (t([12, -18, 0, 0, 7]), t([18, 12, 5, 0, -7])), [(t([2**40, -(2**40), 1, -1, 2**62]), t([2**20, 6, 0, 1, 2**61]))])

# Windows and signals ------------------------------------------------------------------------------------------------------------------------

hann = torch.hann_window(8)
for name, options in {
    "plain": {"n_fft": 8}, "hop": {"n_fft": 8, "hop_length": 3}, "short": {"n_fft": 8, "win_length": 5, "window": 5}, "whole": {"n_fft": 8, "onesided": False}, "normalized": {"n_fft": 8, "normalized": True},
    "edge": {"n_fft": 8, "center": False}, "constant": {"n_fft": 8, "pad_mode": "constant"}, "replicate": {"n_fft": 8, "pad_mode": "replicate"}, "odd": {"n_fft": 7, "hop_length": 2}, "circular": {"n_fft": 8, "pad_mode": "circular"},
}.items():
    options = dict(options)
    window = torch.hann_window(options.pop("window", options["n_fft"]))
    case(f"w_stft_{name}", Fn(lambda s, x, o=options: torch.view_as_real(torch.stft(x, window=s.w, return_complex=True, **o)), w=window), (r(2, 32),), [(r(1, 32),), (torch.zeros(2, 32),)], ({0: A},))
    case(f"w_stft_free_{name}", Fn(lambda s, x, o=options: torch.stft(x, window=s.w, return_complex=True, **o).abs(), w=window), (r(2, 32),), [(r(2, 9),), (r(2, 40),), (r(1, 17),), (r(2, 4),), (r(2, 8),)], ({0: A, 1: A},))
    if name not in ("edge", "replicate", "circular", "constant"):
        inverse = {k: v for k, v in options.items() if k != "pad_mode"}
        case(f"w_istft_{name}", Fn(lambda s, x, o=options, n=inverse: torch.istft(torch.stft(x, window=s.w, return_complex=True, **o), window=s.w, **n), w=window), (r(2, 32),), [(r(1, 32),), (torch.zeros(2, 32),)], ({0: A},))
        case(f"w_istft_length_{name}", Fn(lambda s, x, o=options, n=inverse: (torch.istft(torch.stft(x, window=s.w, return_complex=True, **o), window=s.w, length=27, **n), torch.istft(torch.stft(x, window=s.w, return_complex=True, **o), window=s.w, length=40, **n)), w=window), (r(2, 32),))
case("w_istft_edge", Fn(lambda s, x: torch.istft(torch.view_as_complex(x), 8, 2, window=s.w, center=False), w=torch.hamming_window(8)), (r(2, 5, 6, 2),), [(torch.zeros(2, 5, 6, 2),)])
case("w_istft_hann_edge", Fn(lambda s, x: torch.istft(torch.view_as_complex(x), 8, 2, window=s.w, center=False), w=hann), (r(2, 5, 6, 2),))
case("w_istft_none", Fn(lambda s, x: torch.istft(torch.view_as_complex(x), 8), ), (r(5, 6, 2),), [(torch.full((5, 6, 2), nan),)])
case("w_istft_free", Fn(lambda s, x: torch.istft(torch.view_as_complex(x), 8, window=s.w), w=hann), (r(2, 5, 6, 2),), [(r(2, 5, 9, 2),), (r(1, 5, 2, 2),), (r(2, 5, 1, 2),)], ({0: A, 2: A},))
case("w_istft_whole", Fn(lambda s, x: torch.view_as_real(torch.istft(torch.view_as_complex(x), 8, window=s.w, onesided=False, return_complex=True)), w=hann), (r(2, 8, 6, 2),))
case("w_istft_product", Fn(lambda s, x, m: torch.istft(torch.stft(x, 8, window=s.w, return_complex=True) * m, 8, window=s.w, length=32), w=hann), (r(2, 32), torch.rand(2, 5, 17)), [(r(2, 32), torch.zeros(2, 5, 17)), (r(2, 32), torch.full((2, 5, 17), inf))])
for pool in ("max", "avg", "lp", "adaptive"):
    for dims in (1, 2):
        shape = (1, 2) + (7,) * dims
        function = {
            "max": getattr(F, f"max_pool{dims}d"), "avg": getattr(F, f"avg_pool{dims}d"), "lp": lambda x, *a, **k: getattr(F, f"lp_pool{dims}d")(x, 2.0, *a[:2]), "adaptive": lambda x, *a, **k: getattr(F, f"adaptive_max_pool{dims}d")(x, 3),
        }[pool]
        holes, infinite = r(shape), torch.full(shape, -inf)
        holes.view(-1)[::5] = nan
        case(f"w_{pool}_pool{dims}", Fn(lambda s, x, f=function: (f(x, 2), f(x, 3, 2, 1), f(x, 2, 1, ceil_mode=True))), (r(shape),), [(infinite,), (holes,), (torch.full(shape, inf),)])
        case(f"w_{pool}_pool{dims}_sizes", Fn(lambda s, x, f=function: f(x, 2, 2, ceil_mode=True)), (r(shape),), [(r(1, 2, *[1] * dims),), (r(3, 2, *[2] * dims),), (r(0, 2, *[5] * dims),), (r(2, 2, *[0] * dims),)], ({0: A, **{i + 2: A for i in range(dims)}},))
x6 = r(1, 2, 6, 5)
grid = torch.stack(torch.meshgrid(torch.linspace(-1, 1, 5), torch.linspace(-1, 1, 4), indexing="xy"), -1)[None].contiguous()
for mode in ("bilinear", "nearest"):
    for padding in ("zeros", "border", "reflection"):
        case(f"w_grid_{mode}_{padding}", Fn(lambda s, x, g, m=mode, p=padding: F.grid_sample(x, g, m, p, False)), (x6, grid), [(x6, grid * 1e6), (x6, torch.full_like(grid, nan)), (x6, torch.full_like(grid, -inf)), (torch.full_like(x6, nan), grid), (x6[:, :, :1, :1], grid), (x6, grid[:, :0]), (r(1, 2, 1, 9), grid * 2)], ({2: A, 3: A}, {1: Z(0), 2: A}))

# Quantizing ---------------------------------------------------------------------------------------------------------------------------------

values = t([[0.0, -0.0, 0.5, 1.5, -1.5, 2.5, 1e9, -1e9], [inf, -inf, 126.5, 127.5, -128.5, 0.49, 0.51, 3.0]])
for low_, high_ in ((-128, 127), (0, 255), (-8, 7), (0, 15), (-127, 127)):
    case(f"q_fake_{low_}_{high_}", Fn(lambda s, x, lo=low_, hi=high_: (torch.fake_quantize_per_tensor_affine(x, 0.1, lo if lo > 0 else 0, lo, hi), torch.fake_quantize_per_tensor_affine(x, 1.0, hi, lo, hi), torch.fake_quantize_per_tensor_affine(x, s.scale, s.zero, lo, hi)), scale=t(0.3), zero=t(3, dtype=i32)), (r(2, 8) * 9,), [(values,)])
    for axis in range(4):
        size = (2, 3, 4, 5)[axis]
        case(f"q_channel_{low_}_{high_}_{axis}", Fn(lambda s, x, a=axis, lo=low_, hi=high_: torch.fake_quantize_per_channel_affine(x, s.scale, s.zero, a, lo, hi), scale=torch.rand(size) + 0.05, zero=torch.randint(low_, high_, (size,), dtype=i32)), (r(2, 3, 4, 5) * 9,), [(r(2, 3, 4, 5) * 1e6,), (torch.zeros(2, 3, 4, 5),)])
case("q_channel_float_zero", Fn(lambda s, x: torch.fake_quantize_per_channel_affine(x, s.scale, s.zero, 1, 0, 255), scale=torch.rand(3) + 0.05, zero=torch.rand(3) * 9), (r(2, 3, 4),), [(r(2, 3, 4) * 1e3,)])
case("q_channel_1d", Fn(lambda s, x: torch.fake_quantize_per_channel_affine(x, s.scale, s.zero, 0, -128, 127), scale=torch.rand(5) + 0.05, zero=torch.zeros(5, dtype=i32)), (r(5),), [(t([nan, inf, -inf, 0.0, 1e9]),)])
case("q_channel_rows", Fn(lambda s, x: torch.fake_quantize_per_channel_affine(x, s.scale, s.zero, 1, -128, 127), scale=torch.rand(5) + 0.05, zero=torch.zeros(5, dtype=i32)), (r(2, 5),), [(r(0, 5),), (r(1, 5),)], rows)
try:
    from torch.ao.quantization import FakeQuantize, FusedMovingAvgObsFakeQuantize, MovingAverageMinMaxObserver, MovingAveragePerChannelMinMaxObserver, default_qat_qconfig

    for observer in (0, 1):
        for fake in (0, 1):
            for kind, make in {
                "plain": lambda: FakeQuantize(MovingAverageMinMaxObserver, quant_min=0, quant_max=255, dtype=torch.quint8),
                "fused": lambda: FusedMovingAvgObsFakeQuantize(MovingAverageMinMaxObserver, quant_min=0, quant_max=255, dtype=torch.quint8),
                "channel": lambda: FakeQuantize(MovingAveragePerChannelMinMaxObserver, quant_min=-128, quant_max=127, dtype=torch.qint8, ch_axis=1, qscheme=torch.per_channel_symmetric),
                "fused_channel": lambda: FusedMovingAvgObsFakeQuantize(MovingAveragePerChannelMinMaxObserver, quant_min=-128, quant_max=127, dtype=torch.qint8, ch_axis=0, qscheme=torch.per_channel_symmetric),
            }.items():
                stage = make()
                stage(r(2, 5))
                stage(r(2, 5) * 3)
                (stage.enable_observer if observer else stage.disable_observer)()
                (stage.enable_fake_quant if fake else stage.disable_fake_quant)()
                case(f"q_qat_{kind}_{observer}{fake}", stage, (r(2, 5),), [(r(2, 5) * 100,), (torch.zeros(2, 5),), (r(2, 5) - 50,)])
    qat = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 16, 3))
    qat.qconfig = default_qat_qconfig
    qat = torch.ao.quantization.prepare_qat(qat.train())
    qat(r(2, 3, 6, 6))
    case("q_qat_model", qat, (r(2, 3, 6, 6),), [(r(2, 3, 6, 6) * 10,)])
    qat.apply(torch.ao.quantization.disable_observer)
    case("q_qat_model_still", qat, (r(2, 3, 6, 6),), [(r(2, 3, 6, 6) * 10,)])
    qat.apply(torch.ao.quantization.disable_fake_quant)
    case("q_qat_model_float", qat, (r(2, 3, 6, 6),), [(r(2, 3, 6, 6) * 10,)])
except ImportError as error:
    print(f"quantizing is left out: {error}", file=sys.stderr)

# Linear algebra ------------------------------------------------------------------------------------------------------------------------------

m3 = r(2, 3, 3) + 3 * torch.eye(3)
spd = m3 @ m3.mT
for name, function, example, others in (
    ("inverse", lambda s, x: torch.linalg.inv(x), m3, [torch.zeros(2, 3, 3), r(0, 3, 3), r(1, 3, 3)]),
    ("det", lambda s, x: (torch.linalg.det(x), *torch.linalg.slogdet(x)), m3, [torch.zeros(2, 3, 3), r(0, 3, 3), torch.full((1, 3, 3), nan)]),
    ("solve", lambda s, x: torch.linalg.solve(x, s.b), m3, [torch.zeros(2, 3, 3), r(0, 3, 3)]),
    ("cholesky", lambda s, x: torch.linalg.cholesky(x), spd, [-spd, spd[:0], torch.zeros(2, 3, 3)]),
    ("eigh", lambda s, x: torch.linalg.eigvalsh(x), spd, [spd[:0], torch.zeros(2, 3, 3), spd[:1]]),
    ("svd", lambda s, x: torch.linalg.svdvals(x), m3, [m3[:0], torch.zeros(2, 3, 3)]),
    ("qr", lambda s, x: (lambda q, r: q @ r)(*torch.linalg.qr(x)), m3, [m3[:0], torch.zeros(2, 3, 3)]),
    ("pinv", lambda s, x: torch.linalg.pinv(x), m3, [m3[:0], torch.zeros(2, 3, 3)]),
    ("norms", lambda s, x: (torch.linalg.matrix_norm(x), torch.linalg.matrix_norm(x, 1), torch.linalg.matrix_norm(x, inf), torch.linalg.matrix_norm(x, 2), torch.linalg.matrix_norm(x, "nuc")), m3, [m3[:0], torch.zeros(2, 3, 3)]),
    ("triangular", lambda s, x: torch.linalg.solve_triangular(x.tril(), s.b, upper=False), m3, [m3[:0], torch.zeros(2, 3, 3)]),
    ("power", lambda s, x: (torch.linalg.matrix_power(x, 3), torch.linalg.matrix_power(x, 0), torch.matrix_exp(x * 0.1)), m3, [m3[:0], torch.zeros(2, 3, 3)]),
    ("rank", lambda s, x: torch.linalg.matrix_rank(x), m3, [m3[:0], torch.zeros(2, 3, 3), torch.ones(2, 3, 3)]),
    ("lu", lambda s, x: torch.linalg.lu_factor(x)[0], m3, [m3[:0], torch.zeros(2, 3, 3)]),
    ("lstsq", lambda s, x: torch.linalg.lstsq(x, s.b.expand(x.shape[0], 3, 2)).solution, m3, [m3[:0]]),
):
    case(f"l_{name}", Fn(function, b=r(3, 2)), (example,), [(x,) for x in others], rows)

# Indices ---------------------------------------------------------------------------------------------------------------------------------------

for name, function, size in (
    ("gather", lambda s, x, i: x.gather(1, i), (2, 4)), ("gather_rows", lambda s, x, i: x.gather(0, i), (4, 2)), ("take_along", lambda s, x, i: x.take_along_dim(i, 1), (2, 4)),
    ("scatter", lambda s, x, i: x.scatter(1, i, x * 2), (2, 4)), ("scatter_value", lambda s, x, i: x.scatter(1, i, 9.0), (2, 4)), ("scatter_add", lambda s, x, i: x.scatter_add(1, i, x), (2, 4)),
    ("scatter_mean", lambda s, x, i: x.scatter_reduce(1, i, x, "mean"), (2, 4)), ("scatter_amax", lambda s, x, i: x.scatter_reduce(1, i, x, "amax", include_self=False), (2, 4)), ("scatter_prod", lambda s, x, i: x.scatter_reduce(1, i, x, "prod"), (2, 4)),
):
    good = torch.randint(0, 4, (2, 4))
    if name.endswith("rows"):
        good = good.t().contiguous()

    def at(value, good=good):
        changed = good.clone()
        changed.view(-1)[3] = value
        return changed

    case(f"x_{name}", Fn(function), (r(size), good), [(r(size), at(v)) for v in (-1, 4, -4, 100, 2**31, -(2**63), 2**63 - 1)] + [(t([[nan, inf, -inf, 0.0]] * 2).reshape(size), good)])
    case(f"x_{name}_free", Fn(function), (r(size), good), [(r(1, size[1]) if size[0] == 2 else r(4, 1), good[:1] if size[0] == 2 else good[:, :1].contiguous())], ({0: A, 1: A}, {0: A, 1: A}))
for name, function in (
    ("index_select", lambda s, x, i: x.index_select(0, i)), ("index_add", lambda s, x, i: x.index_add(0, i, x[:2])), ("index_copy", lambda s, x, i: x.index_copy(0, i, x[:2])), ("index_fill", lambda s, x, i: x.index_fill(0, i, 3.0)),
    ("index_reduce", lambda s, x, i: x.index_reduce(0, i, x[:2], "amax")), ("subscript", lambda s, x, i: x[i]), ("subscript_none", lambda s, x, i: x[:, None, i % 3]), ("index_put", lambda s, x, i: x.index_put((i,), x[:2])), ("index_put_add", lambda s, x, i: x.index_put((i,), x[:2], accumulate=True)),
    ("take", lambda s, x, i: x.take(i)), ("put", lambda s, x, i: x.put(i, x[0, :2])), ("embedding", lambda s, x, i: F.embedding(i, x)), ("bag", lambda s, x, i: F.embedding_bag(i[None], x)), ("one_hot", lambda s, x, i: F.one_hot(i, 4)), ("nll", lambda s, x, i: F.nll_loss(x[:2], i)), ("ce", lambda s, x, i: F.cross_entropy(x[:2], i)),
    ("ce_weight", lambda s, x, i: F.cross_entropy(x[:2], i, weight=x[0].abs(), ignore_index=1)), ("ce_smooth", lambda s, x, i: F.cross_entropy(x[:2], i, label_smoothing=0.1, reduction="sum")), ("margin", lambda s, x, i: F.multi_margin_loss(x[:2], i)), ("multilabel", lambda s, x, i: F.multilabel_margin_loss(x[:2], F.pad(i[:, None], (0, 2), value=-1))), ("slice_at", lambda s, x, i: x[i[0]]), ("select_put", lambda s, x, i: x.index_fill(1, i, -1.0).sum()),
    ("two", lambda s, x, i: x[i, i.flip(0)]), ("mixed", lambda s, x, i: x[i[:, None], t([0, 2])]), ("unfold_at", lambda s, x, i: x.t()[i].t()), ("cumulated", lambda s, x, i: x[i.cumsum(0)]),
):
    case(f"x_{name}", Fn(function), (r(4, 3), t([0, 2])), [(r(4, 3), t(v)) for v in ([0, -1], [3, 3], [0, 4], [-4, 0], [-5, 0], [0, 2**31], [2**63 - 1, 0], [-(2**63), 0], [0, -100], [-100, -100], [1, 1], [0, 3], [2, -2], [12, 0])])
    case(f"x_{name}_int32", Fn(function), (r(4, 3), t([0, 2], dtype=i32)), [(r(4, 3), t(v, dtype=i32)) for v in ([0, -1], [0, 4], [-(2**31), 0], [2**31 - 1, 0])])

# Orders ------------------------------------------------------------------------------------------------------------------------------------------

strange = t([[nan, 1, -inf, 3, inf], [nan] * 5, [0.0, -0.0, 0.0, -0.0, 0.0], [inf] * 5, [2, 2, 1, 1, 3], [1e-45, -1e-45, 3.4e38, -3.4e38, nan]])
case("o_order", Fn(lambda s, x: (x.sort(1).values, x.sort(dim=1, descending=True, stable=True).values, x.argsort(dim=1, stable=True), x.topk(3, 1).values, x.topk(2, 1, largest=False).values, x.max(1).values, x.min(1).values, x.argmax(1), x.argmin(1), x.median(1).values, x.nanmedian(1).values, x.kthvalue(4, 1).values, *x.aminmax(dim=1), *x.cummax(1), *x.cummin(1))), (r(6, 5),), [(strange,)])
case("o_search", Fn(lambda s, x: (torch.searchsorted(s.b, x), torch.searchsorted(s.b, x, right=True), torch.bucketize(x, s.b), torch.bucketize(x, s.b, right=True), torch.searchsorted(s.b, x, side="right", out_int32=True), torch.histc(x[4:5], 4)), b=t([-inf, -1.0, 0.0, 0.0, 2.0, inf])), (r(6, 5),), [(strange,)])
case("o_search_rows", Fn(lambda s, b, x: (torch.searchsorted(b, x), torch.searchsorted(b, x, right=True))), (r(2, 5).sort(1).values, r(2, 3)), [(t([[-inf, 0, 0, inf, inf], [0, 1, 2, 3, nan]]), t([[nan, inf, -inf], [nan, 0.0, -0.0]])), (r(2, 0), r(2, 3)), (r(2, 1), r(2, 0))], ({1: Z(0)}, {1: Dim("k0", min=0, max=9)}))
case("o_search_int", Fn(lambda s, b, x: (torch.searchsorted(b, x), torch.bucketize(x, b, right=True))), (t([1, 5, 5, 9]), t([5, 0, 10])), [(t([-(2**63), 0, 2**62, 2**63 - 1]), t([2**63 - 1, -(2**63), 2**62 + 1]))])
case("o_quantile", Fn(lambda s, x, q: (x.quantile(q, dim=1), x.nanquantile(q, dim=1), x.quantile(q))), (r(6, 5), t([0.0, 0.3, 1.0])), [(strange, t([0.0, 0.5, 1.0])), (r(6, 5), t([0.1, -0.1, 0.2])), (r(6, 5), t([0.1, 1.1, 0.2])), (r(6, 5), t([0.1, nan, 0.2]))])
case("o_unique", Fn(lambda s, x: (torch.unique(x), torch.unique_consecutive(x), torch.unique(x, return_inverse=True, return_counts=True))), (t([1.0, 2, 2, -0.0, 0.0]),), [(t([inf, -inf, inf, 1, 1]),), (torch.zeros(5),)])
case("o_ends", Fn(lambda s, x: (x.sort().values, x.argsort(), x.topk(2).values, x.argmax(), x.min(), x.median(), x.kthvalue(2).values, x.cummax(0).values, x.unique(), x.msort(), x.mode().values)), (t([3, 1, 2, 5]),), [(t([2**63 - 1, -(2**63), 0, 2**63 - 1]),), (t([2**53 + 1, 2**53, 2**53 + 2, -(2**53) - 1]),)])
case("o_bool", Fn(lambda s, x: (x.sort().values, x.argsort(stable=True), x.max(), x.min(), x.any(), x.all(), x.unique(), x.cummax(0).values)), (t([True, False, True]),), [(t([False] * 3),), (t([True] * 3),)])
case("o_einsum", Fn(lambda s, a, b: (torch.einsum("bij,bjk->bik", a, b), torch.einsum("bij,bjk->ik", a, b), torch.einsum("...ij,...jk->...ik", a, b), torch.einsum("bii->b", a[:, :, :3]) if False else a.sum())), (r(2, 3, 4), r(2, 4, 5)), [(r(0, 3, 4), r(0, 4, 5)), (r(1, 3, 0), r(1, 0, 5)), (r(2, 3, 1), r(2, 1, 5))], ({0: Z(0), 2: Dim("j0", min=0, max=9)}, {0: Z(0), 1: Dim("j0", min=0, max=9)}))

# What other bug reports found ----------------------------------------------------------------------------------------------------------------


def negative_rows(s, x, v):
    y = x.clone()
    y[-2:, :-1] -= v
    return y


def pieces(s, x):
    y = x.clone()
    a, b = y.chunk(2, 1)
    a.mul_(2)
    b += a[:, : b.shape[1]]
    for i, part in enumerate(y.tensor_split(3, 0)):
        part.add_(i)
    y.narrow(1, 1, y.shape[1] - 2).neg_()
    return y


def last_rows(s, x):
    y = x.clone()
    y[-2:, 1:].fill_(3)
    y[-2:, :-1].copy_(x[:1, 1:])
    y[-2:, 0] = 5
    y[-2:, -1:].zero_()
    return y


case("r_last_rows", Fn(last_rows), (r(4, 6),), [(r(2, 6),), (r(1, 6),), (r(0, 6),), (r(3, 2),)], ({0: A, 1: A},))
case("r_pieces", Fn(pieces), (r(7, 6),), [(r(8, 8),), (r(9, 4),), (r(10, 6),)], ({0: A, 1: A},))
case("r_free_bins", Fn(lambda s, x, y: (F.interpolate(x, size=y.shape[-2:], mode="area"), F.adaptive_max_pool2d(x, y.shape[-2:]), F.adaptive_avg_pool1d(x[0], x.shape[-1] // 2), F.interpolate(x, scale_factor=0.5, mode="area"))), (r(1, 2, 6, 8), r(3, 4)), [(r(1, 2, 7, 5), r(2, 9)), (r(1, 2, 4, 9), r(4, 3)), (r(1, 2, 2, 2), r(2, 2))], ({2: A, 3: A}, {0: A, 1: A}))
case("r_windows", Fn(lambda s, x: torch.stack([f(n, periodic=p).sum() + x.sum() for f in (torch.bartlett_window, torch.blackman_window, torch.kaiser_window, torch.hann_window) for n in (1, 2, 6, 7) for p in (True, False)])), (r(2),))
case("r_plain_windows", Fn(lambda s, x: (torch.bartlett_window(6) + x, torch.blackman_window(6) + x, torch.kaiser_window(6) + x)), (r(6),))
case("r_norms", Fn(lambda s, x: (torch.ops.aten.norm.Scalar(x, 3), torch.ops.aten.norm.ScalarOpt_dtype(x, 2, dtype=torch.float64), torch.ops.aten.norm.ScalarOpt_dim_dtype(x, 1, [0], True, dtype=torch.float64))), (r(3, 4),))
case("r_kaiser", Fn(lambda s, x: (torch.kaiser_window(7, False, 5.5) + x, torch.kaiser_window(7, True, 0.0) + x, torch.hamming_window(7, False, 0.6, 0.3) + x, torch.hamming_window(7, True, 0.7) + x)), (r(7),))
case("r_channel_shuffle", Fn(lambda s, x: F.channel_shuffle(x, 3)), (r(2, 6, 2, 3),), [(r(1, 9, 1, 1),), (r(2, 3, 4, 2),), (r(2, 8, 2, 3),)], ({0: A, 1: A, 2: A, 3: A},))
case("r_negative_rows", Fn(negative_rows), (r(4, 6), r(5)), [(r(2, 6), r(5)), (r(1, 6), r(5)), (r(3, 3), r(2))], ({0: A, 1: A}, {0: A}))
case("r_attention_scale", Fn(lambda s, q, k: (F.scaled_dot_product_attention(q, k, k, scale=0.0), F.scaled_dot_product_attention(q, k, k, scale=-0.7), F.scaled_dot_product_attention(q, k, k, scale=1e-3))), (r(2, 2, 3, 8), r(2, 2, 5, 8)), [(r(1, 2, 1, 8), r(1, 2, 2, 8))], ({0: A, 2: A}, {0: A, 2: A}))
case("r_roots", Fn(lambda s, x: (x**0.5, x**-0.5, x**1.5, torch.float_power(x, 0.5))), (torch.rand(4),), [(t([-inf, -0.0, nan, -2.0]),), (t([inf, 0.0, 1e-40, 9.0]),)])
case("r_cubic_nowhere", Fn(lambda s, x, g: torch.stack([F.grid_sample(x, g, "bicubic", p, a) for p in ("zeros", "border", "reflection") for a in (True, False)])), (r(1, 2, 4, 5), torch.rand(1, 2, 2, 2)), [(r(1, 2, 4, 5), t([[[[nan, 0.0], [inf, 0.0]], [[0.0, -inf], [0.1, nan]]]]))])
case("r_nameless", Fn(lambda s, x: {"": x + 1, "a": x * 2}), (r(3),))

if PACKS is not None:
    PACKS.write(ARGUMENTS[0])
