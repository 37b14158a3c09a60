"""Small programs of every kind that public bug reports found, more than `never_wrong_cases.py` has: a sweep for `npm run never-wrong`.

usage: never_wrong_kinds.py OUT [PATTERN]      writes the cases whose names match, in the form of case_kit.py

What PyTorch cannot write (sizes that only data know, named tuples) is left out. Names begin with their kind: g guards, auto bounds, ix indices, no and
b0 nothing, i integers, a attention, s sampling and pooling, q order, t types, n names, o transposed, j and c traces, k scripts, e ops, out out=.
"""

import itertools
import re
import sys
import typing

import torch
import torch.nn.functional as F
from torch import nn
from torch.export import Dim

import case_kit
from case_kit import Fn

PATTERN = re.compile(sys.argv[2] if len(sys.argv) > 2 else "")


def case(name, *args, **options):
    if not PATTERN.search(name):
        return
    try:
        case_kit.case(sys.argv[1], name, *args, **options)
    except Exception as error:  # noqa: BLE001 whatever keeps PyTorch from writing it
        print(f"{name} is left out: {type(error).__name__}", file=sys.stderr)


inf, nan = float("inf"), float("nan")
A, D = Dim.AUTO, Dim.DYNAMIC
r, t = torch.randn, torch.tensor


# guards

case('g_three', Fn(lambda s, x: x.sum(1) if x.shape[1] % 3 == 0 else x.sum(1) * 100), (r(2, 9),), [(r(2, 8),), (r(2, 6),), (r(5, 12),), (r(1, 3),), (r(0, 3),)], ((A, A),))
case('g_between', Fn(lambda s, x, y: x.sum() + y.sum() if x.shape[0] > y.shape[0] else x.sum() - y.sum()), (r(5, 2), r(3, 2)), [(r(3, 2), r(5, 2)), (r(4, 2), r(4, 2)), (r(9, 2), r(2, 2))], ({0: A}, {0: A}))
case('g_product', Fn(lambda s, x: x * 2 if x.shape[1] * x.shape[2] > 40 else x * 3), (r(1, 7, 7),), [(r(1, 5, 5),), (r(1, 8, 6),), (r(1, 40, 1),), (r(1, 41, 1),)], ({1: A, 2: A},))

class Merge(nn.Module):

    def __init__(s):
        super().__init__()
        s.l = nn.Linear(12, 6)

    def forward(s, x):
        B, H, W, C = x.shape
        x = x.view(B, H // 2, 2, W // 2, 2, C).permute(0, 1, 3, 4, 2, 5).flatten(3)
        return s.l(x)
case('g_patch_merge', Merge(), (r(2, 8, 6, 3),), [(r(2, 7, 6, 3),), (r(2, 8, 5, 3),), (r(1, 4, 4, 3),), (r(3, 2, 2, 3),)], ({0: A, 1: A, 2: A},))

class PadMerge(nn.Module):

    def forward(s, x):
        B, H, W, C = x.shape
        if H % 2 or W % 2:
            x = F.pad(x, (0, 0, 0, W % 2, 0, H % 2))
        return torch.cat([x[:, 0::2, 0::2], x[:, 1::2, 0::2], x[:, 0::2, 1::2], x[:, 1::2, 1::2]], -1)
case('g_pad_merge_even', PadMerge(), (r(2, 8, 6, 3),), [(r(2, 7, 6, 3),), (r(1, 4, 4, 3),)], ({0: A, 1: A, 2: A},))
case('g_pad_merge_odd', PadMerge(), (r(2, 7, 5, 3),), [(r(2, 7, 6, 3),), (r(1, 5, 5, 3),), (r(1, 4, 4, 3),)], ({0: A, 1: A, 2: A},))
case('g_windows', Fn(lambda s, x: x.unfold(1, 4, 4).mean(-1) if x.shape[1] % 4 == 0 else x), (r(2, 16),), [(r(2, 8),), (r(2, 10),), (r(2, 4),), (r(2, 0),)], ({1: A},))
case('g_min', Fn(lambda s, x: x[:, :min(x.shape[1], 8)].sum(1)), (r(2, 12),), [(r(2, 8),), (r(2, 5),), (r(2, 9),), (r(2, 20),)], ({1: A},))
case('g_dyn_range', Fn(lambda s, x: x.cumsum(1)), (r(2, 12),), [(r(2, 1),), (r(2, 3),), (r(2, 64),), (r(2, 65),), (r(2, 2),)], ({1: Dim('t', min=3, max=64)},))
case('g_derived', Fn(lambda s, x: x.view(x.shape[0] // 2, 2, 3).sum(1)), (r(8, 3),), [(r(2, 3),), (r(7, 3),), (r(4, 3),), (r(0, 3),)], ({0: 2 * Dim('h', min=1, max=100)},))
case('g_eqdims', Fn(lambda s, x, y: x @ y if x.shape[1] == y.shape[0] and x.shape[0] == y.shape[1] else x), (r(3, 5), r(5, 3)), [(r(4, 6), r(6, 4)), (r(4, 6), r(6, 5)), (r(1, 2), r(2, 1))], ({0: A, 1: A}, {0: A, 1: A}))
case('g_ne', Fn(lambda s, x: x.sum() if x.shape[0] != x.shape[1] else x.trace()), (r(4, 5),), [(r(5, 5),), (r(3, 3),), (r(5, 4),)], ({0: A, 1: A},))
case('g_floordiv', Fn(lambda s, x: x[:x.shape[0] // 2] + x[x.shape[0] // 2:x.shape[0] // 2 * 2] if x.shape[0] // 2 > 2 else x), (r(9, 2),), [(r(6, 2),), (r(5, 2),), (r(7, 2),)], ({0: A},))
case('g_pow', Fn(lambda s, x: x * 1.0 if x.shape[0] ** 2 > x.shape[1] * 3 else x * 2.0), (r(6, 5),), [(r(2, 5),), (r(3, 3),), (r(4, 5),), (r(4, 6),)], ({0: A, 1: A},))
case('g_sqrt_int', Fn(lambda s, x: x.view(x.shape[0], int(x.shape[1] ** 0.5), int(x.shape[1] ** 0.5)) * 1), (r(2, 9),), [(r(3, 9),), (r(2, 16),)], ({0: A},))
case('g_adaptive', Fn(lambda s, x: F.adaptive_avg_pool2d(x, (2, 2))), (r(1, 2, 8, 8),), [(r(1, 2, 6, 4),), (r(1, 2, 7, 5),), (r(2, 2, 2, 2),)], ({0: A, 2: A, 3: A},))
case('g_pixel_unshuffle', Fn(lambda s, x: F.pixel_unshuffle(x, 2)), (r(1, 2, 8, 6),), [(r(1, 2, 4, 4),), (r(1, 2, 5, 4),), (r(2, 2, 2, 2),)], ({0: A, 2: A, 3: A},))
case('g_interp', Fn(lambda s, x: F.interpolate(x, scale_factor=0.5, mode='bilinear')), (r(1, 2, 8, 6),), [(r(1, 2, 4, 4),), (r(1, 2, 5, 7),), (r(1, 2, 1, 4),), (r(3, 2, 2, 2),)], ({0: A, 2: A, 3: A},))

# bounds that PyTorch does not check

case('auto_conv', nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)), (r(4, 3, 16, 16),), [(r(1, 3, 16, 16),), (r(1, 3, 1, 1),), (r(2, 3, 9, 5),), (r(0, 3, 16, 16),)], ({0: A, 2: A, 3: A},))
case('auto_seq', nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), (r(2, 5, 8),), [(r(1, 5, 8),), (r(1, 1, 8),), (r(3, 2, 8),)], ({0: A, 1: A},))
case('dyn_batch_lstm', nn.LSTM(3, 4, batch_first=True), (r(2, 5, 3),), [(r(1, 5, 3),), (r(7, 5, 3),)], ({0: D},))
case('dyn_two', Fn(lambda s, x, y: (x[:, None] - y[None]).pow(2).sum(-1)), (r(3, 4), r(5, 4)), [(r(1, 4), r(1, 4)), (r(0, 4), r(2, 4)), (r(2, 4), r(0, 4))], ({0: D}, {0: D}))
case('auto_mean', Fn(lambda s, x: x.mean(0)), (r(3, 4),), [(r(1, 4),), (r(0, 4),)], ({0: A},))
case('auto_softmax_attn', Fn(lambda s, q: F.scaled_dot_product_attention(q, q, q)), (r(2, 2, 5, 4),), [(r(1, 2, 1, 4),), (r(1, 2, 3, 4),)], ({0: A, 2: A},))
case('auto_squeeze', Fn(lambda s, x: x.squeeze(1)), (r(3, 1, 4),), [(r(1, 1, 4),)], ({0: A},))
case('auto_flatten', Fn(lambda s, x: x.flatten(1)), (r(3, 5, 4),), [(r(1, 1, 4),), (r(0, 5, 4),), (r(2, 0, 4),)], ({0: A, 1: A},))
case('auto_repeat', Fn(lambda s, x: x.repeat(x.shape[0], 1)), (r(3, 4),), [(r(1, 4),), (r(2, 4),), (r(0, 4),)], ({0: A},))
case('auto_expand', Fn(lambda s, x, y: x + y), (r(3, 4), r(3, 1)), [(r(1, 4), r(1, 1)), (r(2, 4), r(2, 1)), (r(2, 4), r(1, 1))], ({0: A}, {0: A}))

# indices

case('ix_index_select', Fn(lambda s, x, i: x.index_select(1, i)), (r(3, 4), t([0, 3])), [(r(3, 4), t([-1, 0])), (r(3, 4), t([4, 0])), (r(3, 4), t([3, 3]))])
case('ix_scatter', Fn(lambda s, x, i, v: x.scatter(1, i, v)), (r(2, 4), t([[0, 3], [1, 2]]), r(2, 2)), [(r(2, 4), t([[0, -1], [1, 2]]), r(2, 2)), (r(2, 4), t([[0, 4], [1, 2]]), r(2, 2))])
case('ix_scatter_add', Fn(lambda s, x, i, v: x.scatter_add(0, i, v)), (r(3, 2), t([[0, 2], [1, 1]]), r(2, 2)), [(r(3, 2), t([[0, -1], [1, 1]]), r(2, 2)), (r(3, 2), t([[0, 3], [1, 1]]), r(2, 2))])
case('ix_scatter_reduce', Fn(lambda s, x, i, v: x.scatter_reduce(0, i, v, 'amax')), (r(3), t([0, 2]), r(2)), [(r(3), t([-1, 2]), r(2)), (r(3), t([0, 3]), r(2))])
case('ix_index_add', Fn(lambda s, x, i, v: x.index_add(0, i, v)), (r(3, 2), t([0, 2]), r(2, 2)), [(r(3, 2), t([0, -1]), r(2, 2)), (r(3, 2), t([0, 3]), r(2, 2))])
case('ix_index_copy', Fn(lambda s, x, i, v: x.index_copy(0, i, v)), (r(3, 2), t([0, 2]), r(2, 2)), [(r(3, 2), t([0, -1]), r(2, 2)), (r(3, 2), t([0, 3]), r(2, 2))])
case('ix_index_fill', Fn(lambda s, x, i: x.index_fill(1, i, 7.0)), (r(3, 2), t([0])), [(r(3, 2), t([-1])), (r(3, 2), t([-2])), (r(3, 2), t([-3])), (r(3, 2), t([2]))])
case('ix_take_along', Fn(lambda s, x, i: torch.take_along_dim(x, i, 1)), (r(2, 4), t([[0, 3], [1, 2]])), [(r(2, 4), t([[0, -1], [1, 2]])), (r(2, 4), t([[0, 4], [1, 2]]))])
case('ix_take', Fn(lambda s, x, i: torch.take(x, i)), (r(2, 4), t([0, 7])), [(r(2, 4), t([-1, -8])), (r(2, 4), t([8, 0])), (r(2, 4), t([-9, 0]))])
case('ix_index_put', Fn(lambda s, x, i, v: x.index_put((i,), v)), (r(4, 2), t([0, 3]), r(2, 2)), [(r(4, 2), t([-1, -4]), r(2, 2)), (r(4, 2), t([4, 0]), r(2, 2)), (r(4, 2), t([-5, 0]), r(2, 2))])
case('ix_setitem', Fn(lambda s, x, i: (x.clone().__setitem__(i, 0.0), x)[1] if False else torch.index_put(x, (None, i) if False else (i,), t(0.0))), (r(4, 2), t([0, 3])), [(r(4, 2), t([-1, -4])), (r(4, 2), t([4, 0]))])
case('ix_two', Fn(lambda s, x, i, j: x[i, j]), (r(4, 5), t([0, 3]), t([4, 1])), [(r(4, 5), t([-4, -1]), t([-5, -1])), (r(4, 5), t([0, 1]), t([5, 0])), (r(4, 5), t([-5, 1]), t([4, 0]))])
case('ix_bag', nn.EmbeddingBag(10, 3, mode='mean'), (t([1, 2, 4, 5, 4]), t([0, 3])), [(t([1, -1, 4, 5, 4]), t([0, 3])), (t([1, 10, 4, 5, 4]), t([0, 3])), (t([1, 2, 4, 5, 4]), t([0, 5])), (t([1, 2, 4, 5, 4]), t([0, 6])), (t([1, 2, 4, 5, 4]), t([1, 3]))])
case('ix_bag2d', nn.EmbeddingBag(10, 3, mode='sum', padding_idx=0), (t([[1, 2], [0, 4]]),), [(t([[1, -1], [0, 4]]),), (t([[1, 10], [0, 4]]),)])
case('ix_nll', Fn(lambda s, x, y: F.nll_loss(x.log_softmax(1), y)), (r(3, 4), t([0, 1, 3])), [(r(3, 4), t([0, -1, 3])), (r(3, 4), t([0, 4, 3])), (r(3, 4), t([0, -100, 3])), (r(3, 4), t([-100, -100, -100]))])
case('ix_ce', nn.CrossEntropyLoss(ignore_index=-1), (r(3, 4), t([0, 1, 3])), [(r(3, 4), t([0, -1, 3])), (r(3, 4), t([0, 4, 3])), (r(3, 4), t([0, -100, 3]))])
case('ix_ce_none', nn.CrossEntropyLoss(reduction='none', label_smoothing=0.1), (r(3, 4), t([0, 1, 3])), [(r(3, 4), t([0, -1, 3])), (r(3, 4), t([0, -100, 3]))])
case('ix_onehot_dyn', Fn(lambda s, i: F.one_hot(i, 7).float().sum(0)), (t([0, 6]),), [(t([-1, 2]),), (t([7, 2]),), (t([3, 3]),)])
case('ix_gather_in_model', Fn(lambda s, x, i: x.softmax(1).gather(1, i.unsqueeze(1)).squeeze(1)), (r(3, 5), t([0, 4, 2])), [(r(3, 5), t([0, 5, 2])), (r(3, 5), t([0, -1, 2])), (r(3, 5), t([-5, 1, 2]))])
case('ix_emb_offset', Fn(lambda s, i: s.e(i + 2), e=nn.Embedding(10, 3)), (t([0, 7]),), [(t([-1, -2]),), (t([8, 0]),), (t([-3, 0]),)])
case('ix_emb_mask', Fn(lambda s, i: s.e(i.clamp(min=0)), e=nn.Embedding(10, 3)), (t([0, 7]),), [(t([-1, -100]),), (t([10, 0]),)])
case('ix_select_dyn', Fn(lambda s, x, i: torch.gather(x, 0, i)), (r(4), t([0, 3])), [(r(3), t([0, 3])), (r(5), t([4, 3])), (r(3), t([2, 0]))], ({0: A}, {0: A}))
case('ix_int32', Fn(lambda s, i: s.e(i), e=nn.Embedding(10, 3)), (t([0, 7], dtype=torch.int32),), [(t([-1, 0], dtype=torch.int32),), (t([10, 0], dtype=torch.int32),)])
case('ix_bucket_emb', Fn(lambda s, x: s.e(torch.bucketize(x, s.b)), e=nn.Embedding(3, 3), b=t([0.0, 1.0])), (r(4),), [(t([-inf, 0.0, 5.0, inf]),)])
case('ix_max_unpool', Fn(lambda s, x, i: F.max_unpool1d(x, i, 2)), (r(1, 1, 3), t([[[0, 2, 5]]])), [(r(1, 1, 3), t([[[0, 2, 6]]])), (r(1, 1, 3), t([[[0, 2, -1]]])), (r(1, 1, 3), t([[[1, 3, 4]]]))])
case('ix_argmax_gather', Fn(lambda s, x, i: x[torch.arange(x.shape[0]), i]), (r(3, 5), t([0, 4, 2])), [(r(3, 5), t([-1, 4, 2])), (r(3, 5), t([5, 4, 2])), (r(3, 5), t([-5, -5, 2]))])
case('ix_multi_margin', Fn(lambda s, x, y: F.multi_margin_loss(x, y)), (r(3, 4), t([0, 1, 3])), [(r(3, 4), t([0, -1, 3])), (r(3, 4), t([0, 4, 3]))])
case('ix_put', Fn(lambda s, x, i, v: x.put(i, v)), (r(2, 3), t([0, 5]), r(2)), [(r(2, 3), t([-1, 0]), r(2)), (r(2, 3), t([6, 0]), r(2))])
case('ix_repeat_interleave', Fn(lambda s, x, n: x.repeat_interleave(n, dim=0)), (r(3, 2), t([1, 2, 0])), [(r(3, 2), t([0, 0, 0])), (r(3, 2), t([1, -1, 0])), (r(3, 2), t([3, 0, 1]))])
case('ix_bincount', Fn(lambda s, i: torch.bincount(i, minlength=5)), (t([0, 3, 3]),), [(t([4, 4, 9]),), (t([-1, 4, 9]),)])
case('ix_trace_emb', nn.Embedding(10, 3), (t([[1, 2, 3]]),), [(t([[1, -1, 3]]),), (t([[1, 10, 3]]),), (t([[1, 2, 3, 4]]),)], kind='trace')
case('ix_trace_gather', Fn(lambda s, x, i: x.gather(1, i)), (r(2, 4), t([[0, 3], [1, 2]])), [(r(2, 4), t([[0, -1], [1, 2]])), (r(2, 4), t([[0, 4], [1, 2]]))], kind='trace')

# nothing

P = lambda x: x[x > 0]
for n, f in {'mean': lambda p: p.mean(), 'sum': lambda p: p.sum(), 'prod': lambda p: p.prod(), 'any': lambda p: (p > 1).any(), 'all': lambda p: (p > 1).all(), 'std': lambda p: p.std(), 'var': lambda p: p.var(), 'norm': lambda p: p.norm(), 'lse': lambda p: p.logsumexp(0), 'median': lambda p: p.median(), 'max': lambda p: p.max(), 'argmax': lambda p: p.argmax(), 'amin': lambda p: p.amin(), 'sort': lambda p: p.sort(), 'topk0': lambda p: p.topk(0)[0], 'cumsum': lambda p: p.cumsum(0), 'cummax': lambda p: p.cummax(0)[0], 'unique': lambda p: p.unique(), 'softmax': lambda p: p.softmax(0), 'nanmean': lambda p: p.nanmean(), 'quantile': lambda p: p.quantile(0.5), 'flip': lambda p: p.flip(0), 'roll': lambda p: p.roll(1), 'argsort': lambda p: p.argsort(), 'diff': lambda p: p.diff(), 'outer': lambda p: torch.outer(p, p), 'dot': lambda p: torch.dot(p, p), 'nonzero': lambda p: p.nonzero(), 'cat': lambda p: torch.cat([p, p]), 'histc': lambda p: torch.histc(p, 4, 0, 4), 'pad': lambda p: F.pad(p, (1, 1)), 'cov': lambda p: torch.stack([p, p]).mean(1), 'aminmax': lambda p: p.aminmax(), 'countnz': lambda p: p.count_nonzero(), 'kth': lambda p: p.kthvalue(1)[0], 'mode': lambda p: p.mode()[0], 'bucketize': lambda p: torch.bucketize(p, t([0.0, 1.0])), 'stack': lambda p: torch.stack([p, p], 1).amax(1), 'einsum': lambda p: torch.einsum('i,i->', p, p), 'emb': lambda p: F.one_hot(p.long().clamp(0, 4), 5).sum(0), 'cdist': lambda p: torch.cdist(p[:, None], p[:, None]), 'interp': lambda p: p.view(-1, 1).expand(-1, 3).mean(0), 'ln': lambda p: F.layer_norm(p[:, None].expand(-1, 3), (3,)), 'tril': lambda p: torch.outer(p, p).tril(), 'varmean': lambda p: torch.var_mean(p), 'chunk': lambda p: p.reshape(-1, 1).sum(1), 'searchsorted': lambda p: torch.searchsorted(p.sort()[0], t([0.5])), 'bincount': lambda p: torch.bincount(p.long()), 'repeat': lambda p: p.repeat(3), 'minmax_norm': lambda p: (p - p.mean()) / p.std(), 'cumprod': lambda p: p.cumprod(0), 'logcumsumexp': lambda p: p.logcumsumexp(0), 'trapz': lambda p: torch.trapezoid(p), 'isin': lambda p: torch.isin(p, t([1.0])), 'renorm': lambda p: F.normalize(p, dim=0)}.items():
    case('no_' + n, Fn(lambda s, x, f=f: f(P(x))), (t([-1.0, 2, 0.5]),), [(t([-1.0, -2, -0.5]),), (t([-1.0, 2.0, -0.5]),), (t([1.0, 2.0, 1.0]),)])
K = lambda x: x[x[:, 0] > 0]
for n, f in {'topk': lambda k: k.topk(2, 1), 'topk_d0': lambda k: k.topk(1, 0)[0], 'sort0': lambda k: k.sort(0), 'median1': lambda k: k.median(1)[0], 'linear': lambda k: F.linear(k, torch.ones(2, 3)), 'lnorm': lambda k: F.layer_norm(k, (3,)), 'bn': lambda k: F.batch_norm(k, torch.zeros(3), torch.ones(3)), 'conv': lambda k: F.conv1d(k[:, None], torch.ones(2, 1, 2)), 'maxpool': lambda k: F.max_pool1d(k[:, None], 2), 'attn': lambda k: F.scaled_dot_product_attention(k[:, None, None], k[:, None, None], k[:, None, None]), 'self_attn': lambda k: (k @ k.t()).softmax(-1) @ k, 'max0': lambda k: k.max(0)[0], 'argmax1': lambda k: k.argmax(1), 'mean0': lambda k: k.mean(0), 'iou': lambda k: torch.minimum(k[:, None, 2:], k[None, :, 2:]) - torch.maximum(k[:, None, :1], k[None, :, :1]), 'lsm': lambda k: k.log_softmax(1), 'pairs': lambda k: torch.cdist(k, k), 'gn': lambda k: F.group_norm(k[:, :, None], 3), 'interp': lambda k: F.interpolate(k[:, None], scale_factor=2.0), 'gather': lambda k: k.gather(1, torch.zeros(k.shape[0], 1, dtype=torch.int64)), 'einsum': lambda k: torch.einsum('ij,kj->ik', k, k), 'bmm': lambda k: torch.bmm(k[:, None], k[:, :, None]), 'norm1': lambda k: k.norm(dim=1), 'unique': lambda k: k.unique(dim=0), 'nms_like': lambda k: k[k[:, 1].argsort(descending=True)][:2], 'prod1': lambda k: k.prod(1), 'logsum0': lambda k: k.logsumexp(0), 'any0': lambda k: (k > 0).any(0), 'all1': lambda k: (k > 0).all(1), 'avg': lambda k: F.avg_pool1d(k[:, None], 2), 'gru': lambda k: None}.items():
    if n == 'gru':
        continue
    case('no2_' + n, Fn(lambda s, x, f=f: f(K(x))), (t([[1.0, 2, 3], [-1, 5, 6]]),), [(t([[-1.0, 2, 3], [-1, 5, 6]]),), (t([[1.0, 2, 3], [1, 5, 6]]),)])
B = Dim('b', min=0, max=8)
for n, m, x in [('gru', nn.GRU(3, 4, batch_first=True), (2, 5, 3)), ('rnn', nn.RNN(3, 4, batch_first=True), (2, 5, 3)), ('bilstm', nn.LSTM(3, 4, 2, batch_first=True, bidirectional=True), (2, 5, 3)), ('mha', nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), (2, 5, 8)), ('cnn', nn.Sequential(nn.Conv2d(3, 4, 3), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4 * 3 * 3, 2)), (2, 3, 8, 8)), ('ct', nn.ConvTranspose2d(3, 4, 2, 2), (2, 3, 4, 4)), ('in', nn.InstanceNorm1d(3), (2, 3, 5)), ('up', nn.Upsample(scale_factor=2, mode='bilinear'), (2, 3, 4, 4)), ('roll', Fn(lambda s, x: x.roll(2, 1)), (2, 5)), ('einsum', Fn(lambda s, x: torch.einsum('bij,bjk->bik', x, x)), (2, 3, 3)), ('softmax', nn.Softmax(1), (2, 5)), ('gap', nn.AdaptiveAvgPool2d(1), (2, 3, 4, 4)), ('pshuf', nn.PixelShuffle(2), (2, 4, 3, 3)), ('unfold', nn.Unfold(2), (2, 3, 4, 4)), ('gs', Fn(lambda s, x: F.grid_sample(x, torch.zeros(x.shape[0], 2, 2, 2), align_corners=False)), (2, 3, 4, 4)), ('bil', nn.Bilinear(3, 3, 4) if False else nn.Linear(3, 4), (2, 3)), ('glu', nn.GLU(), (2, 4)), ('lstmcell', None, None), ('sort', Fn(lambda s, x: x.sort(1)), (2, 5)), ('cumsum', Fn(lambda s, x: x.cumsum(1)), (2, 5)), ('cum0', Fn(lambda s, x: x.cumsum(0)), (2, 5)), ('stft', Fn(lambda s, x: torch.stft(x, 8, 4, window=torch.hann_window(8), return_complex=True).abs()), (2, 32)), ('fft', Fn(lambda s, x: torch.fft.rfft(x).abs()), (2, 8)), ('mean', Fn(lambda s, x: x.mean(0)), (2, 3)), ('max', Fn(lambda s, x: x.max(0)[0]), (2, 3)), ('argmin', Fn(lambda s, x: x.argmin(0)), (2, 3)), ('var', Fn(lambda s, x: x.var(0)), (2, 3)), ('mm', Fn(lambda s, x: x.t() @ x), (2, 3)), ('det', Fn(lambda s, x: torch.linalg.det(x)), (2, 3, 3)), ('inv', Fn(lambda s, x: torch.linalg.inv(x + torch.eye(3) * 9)), (2, 3, 3))]:
    if m is None:
        continue
    case('b0_' + n, m, (r(*x),), [(r(0, *x[1:]),), (r(1, *x[1:]),), (r(3, *x[1:]),)], ({0: B},))

# integers

I = [torch.int8, torch.uint8, torch.int16, torch.int32, torch.int64]
for d in I:
    n = str(d)[6:]
    i = torch.iinfo(d)
    e = t([i.min, i.min + 1, i.max, i.max - 1, 0, 1, 2, 3, 5, 7, 100] + ([-1, -2, -3, -5, -7, -100] if i.min < 0 else []), dtype=d)
    a, b = [q.contiguous() for q in torch.cartesian_prod(e, e).T]
    case(f'i_misc_{n}', Fn(lambda s, a, b: (a.addcmul(a, b), torch.where(a > b, a, b), a.clamp(b, b), a.lerp(a, a) if False else a - b, torch.bitwise_left_shift(a, t(1, dtype=a.dtype)), a.ne(b).sum(), torch.sub(a, b, alpha=2), torch.rsub(a, b))), (a, b))
    case(f'i_gcd_{n}', Fn(lambda s, a, b: (torch.gcd(a, b),)), (a, b))
    case(f'i_cum_{n}', Fn(lambda s, a: (a.cumsum(0, dtype=a.dtype), a.sum(0, dtype=a.dtype), a.prod(0, dtype=a.dtype), a.cumprod(0, dtype=a.dtype), a.sum(dtype=torch.int32), a.trace() if False else a.sum())), (e,))
    case(f'i_mm_{n}', Fn(lambda s, a, b: (a @ b, torch.einsum('ij,jk->ik', a, b), torch.bmm(a[None], b[None]), torch.addmm(a, a, b))), (e[:9].reshape(3, 3), e[1:10].reshape(3, 3)))
    case(f'i_tofloat_{n}', Fn(lambda s, a: (a.float(), a.double(), a.half(), a.sqrt(), a.exp() if False else a / 3, a.float().mean(), a * 1.5, a + 0.5, torch.true_divide(a, 7))), (e,))
    case(f'i_inplace_{n}', Fn(lambda s, a, b: (a.clone().mul_(b), a.clone().add_(b), a.clone().floor_divide_(b.where(b != 0, t(3, dtype=b.dtype))))), (a[a != i.min], b[a != i.min]))
    case(f'i_neg_{n}', Fn(lambda s, a: (torch.neg(a), a.abs(), a.sign(), a.bitwise_not(), torch.square(a), a ** 2, a.pow(3), a // -3 if a.dtype != torch.uint8 else a // 3, a % -3 if a.dtype != torch.uint8 else a % 3, 100 // a.where(a != 0, t(1, dtype=a.dtype)), 100 % a.where(a != 0, t(1, dtype=a.dtype)))), (e,))
    case(f'i_minmax_{n}', Fn(lambda s, a: (a.max(), a.min(), a.argmax(), a.argmin(), a.topk(3)[0], a.topk(3, largest=False)[0], a.sort(descending=True)[0], a.msort(), a.unique(), a.cummax(0)[0], a.kthvalue(2)[0], a.median(), a.mode()[0], *a.aminmax())), (e,))
    case(f'i_pool_{n}', Fn(lambda s, a: (F.pad(a, (1, 2), value=3), a.flip(0), a.roll(2), a.diff(), a.tril() if a.dim() > 1 else a, a.repeat_interleave(2))), (e,))
case('i_float2int', Fn(lambda s, x: (x.int(), x.long(), x.to(torch.int16), x.to(torch.int8), x.bool(), x.to(torch.uint8))), (t([-3.7, 3.7, 0.5, -0.5, 100.9, -100.2, 0.0]),))
case('i_pow_neg', Fn(lambda s, a, b: (a ** b,)), (t([2, 3, -1, 1, 0, -2, 7]), t([3, 2, 5, 0, 0, 3, 30])))
case('i_int_mean_round', Fn(lambda s, a: (torch.div(a.sum(), a.numel(), rounding_mode='floor'), a.sum() // 3, a.float().mean().long())), (t([-7, 2, -1]),), [(t([2 ** 62, 2 ** 62, 2 ** 62]),)])
case('i_hash', Fn(lambda s, a: (a * 2654435761 % 1000003, (a ^ a >> 16) * 73244475, a & 255)), (t([1, 5, 2 ** 40, -7]),), [(t([2 ** 63 - 1, -2 ** 63, 0, -1]),)])
case('i_shift_over', Fn(lambda s, a: (a << 3, a >> 1)), (t([-128, 127, -1, 64], dtype=torch.int8),))
case('i_bool', Fn(lambda s, a, b: (a & b, a | b, a ^ b, ~a, a + b, a * b, a.sum(), a.any(), a.long().cumsum(0), a.float().mean(), a.max(), a == b)), (t([True, False, True]), t([True, True, False])))
case('i_argsort_big', Fn(lambda s, a: (a.sort()[0], a.argsort(), a.topk(2)[0], a.unique(return_counts=True), torch.searchsorted(a.sort()[0], a))), (t([2 ** 53 + 1, 2 ** 53, 2 ** 62 + 1, -2 ** 62 - 1]),))
case('i_divs', Fn(lambda s, a, b: (torch.div(a, b, rounding_mode='trunc'), torch.floor_divide(a, b), torch.remainder(a, b), torch.fmod(a, b))), (t([2 ** 62 + 1, -2 ** 62 - 1, 2 ** 53 + 1, 7]), t([3, 3, 2, -2])))
case('i_fmod_trace', Fn(lambda s, a, b: (torch.fmod(a, b), a // b, a % b)), (t([2 ** 62 + 1, -2 ** 62 - 1, 2 ** 53 + 1, 7]), t([3, 3, 2, -2])), kind='trace')
case('i_linspace', Fn(lambda s, x: torch.linspace(0, 10, 5, dtype=torch.int64) + x), (t([1, 2, 3, 4, 5]),))

# attention

low = torch.finfo(torch.float32).min

def row(v, shape=(2, 1, 4, 6), rowi=(1,)):
    m = torch.zeros(shape)
    for k in rowi:
        m[..., k, :] = v
    return m
q, k, v = (r(2, 4, 4, 8), r(2, 4, 6, 8), r(2, 4, 6, 8))
kg, vg = (r(2, 2, 6, 8), r(2, 2, 6, 8))

def sd(s, q, k, v, m):
    return F.scaled_dot_product_attention(q, k, v, attn_mask=m)

def eag(s, q, k, v, m):
    return (q @ k.transpose(-1, -2) * q.shape[-1] ** (-0.5) + m).softmax(-1) @ v

def eag2(s, q, k, v, m):
    return F.softmax(torch.matmul(q, k.transpose(2, 3)) / 8 ** 0.5 + m, dim=-1, dtype=torch.float32) @ v
for kind in ('pt2', 'trace'):
    for nm, val in (('low', low), ('half', low / 2), ('inf', -inf), ('1e9', -1000000000.0), ('1e30', -1e+30)):
        for fn, f in (('sdpa', sd), ('eager', eag), ('eag2', eag2)):
            case(f'a_{fn}_{nm}_{kind}', Fn(f), (q, k, v, torch.zeros(2, 1, 4, 6)), [(q, k, v, row(val)), (q, k, v, row(val, rowi=(0, 1, 2, 3)))], kind=kind)
    case(f'a_ext_mask_{kind}', Fn(lambda s, q, k, v, m: F.scaled_dot_product_attention(q, k, v, attn_mask=(1.0 - m[:, None, None, :].float()) * low)), (q, k, v, torch.ones(2, 6, dtype=torch.long)), [(q, k, v, t([[0, 0, 0, 0, 0, 0], [0, 0, 1, 1, 1, 1]])), (q, k, v, t([[1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 1, 1]]))], kind=kind)
    case(f'a_ext_mask_eager_{kind}', Fn(lambda s, q, k, v, m: (q @ k.mT / 8 ** 0.5 + (1.0 - m[:, None, None, :].float()) * low).softmax(-1) @ v), (q, k, v, torch.ones(2, 6, dtype=torch.long)), [(q, k, v, t([[0, 0, 0, 0, 0, 0], [0, 0, 1, 1, 1, 1]]))], kind=kind)
    case(f'a_mfill_{kind}', Fn(lambda s, q, k, v, m: (q @ k.mT / 8 ** 0.5).masked_fill(m[:, None, None, :] == 0, low).softmax(-1) @ v), (q, k, v, torch.ones(2, 6, dtype=torch.long)), [(q, k, v, t([[0, 0, 0, 0, 0, 0], [0, 0, 1, 1, 1, 1]]))], kind=kind)
    case(f'a_mfill_inf_{kind}', Fn(lambda s, q, k, v, m: (q @ k.mT / 8 ** 0.5).masked_fill(m[:, None, None, :] == 0, -inf).softmax(-1) @ v), (q, k, v, torch.ones(2, 6, dtype=torch.long)), [(q, k, v, t([[0, 0, 0, 0, 0, 0], [0, 0, 1, 1, 1, 1]]))], kind=kind)
    case(f'a_boolm_{kind}', Fn(lambda s, q, k, v, m: F.scaled_dot_product_attention(q, k, v, attn_mask=m)), (q, k, v, torch.ones(2, 1, 1, 6, dtype=torch.bool)), [(q, k, v, t([[0, 0, 0, 0, 0, 0], [0, 0, 1, 1, 1, 1]]).bool()[:, None, None])], kind=kind)
    case(f'a_causal_left_{kind}', Fn(lambda s, q, m: F.scaled_dot_product_attention(q, q, q, attn_mask=torch.ones(4, 4, dtype=torch.bool).tril()[None, None] & m[:, None, None, :].bool())), (q, torch.ones(2, 4, dtype=torch.long)), [(q, t([[0, 0, 1, 1], [0, 0, 0, 1]]))], kind=kind)
    case(f'a_causal_left_low_{kind}', Fn(lambda s, q, m: F.scaled_dot_product_attention(q, q, q, attn_mask=torch.where(torch.ones(4, 4, dtype=torch.bool).tril()[None, None] & m[:, None, None, :].bool(), 0.0, low))), (q, torch.ones(2, 4, dtype=torch.long)), [(q, t([[0, 0, 1, 1], [0, 0, 0, 1]]))], kind=kind)
    case(f'a_sum_masks_{kind}', Fn(lambda s, q, m: F.scaled_dot_product_attention(q, q, q, attn_mask=torch.full((4, 4), low).triu(1)[None, None] + (1 - m[:, None, None, :].float()) * low)), (q, torch.ones(2, 4, dtype=torch.long)), [(q, t([[0, 0, 1, 1], [0, 0, 0, 1]]))], kind=kind)
    case(f'a_scale_{kind}', Fn(lambda s, q, k, v, m: F.scaled_dot_product_attention(q, k, v, attn_mask=m, scale=0.3)), (q, k, v, torch.zeros(4, 6)), [(q, k, v, row(low, (4, 6)))], kind=kind)
    case(f'a_mha_need_{kind}', Fn(lambda s, x, p: s.m(x, x, x, key_padding_mask=p, need_weights=False)[0], m=nn.MultiheadAttention(8, 2, batch_first=True)), (r(2, 4, 8), torch.zeros(2, 4, dtype=torch.bool)), [(r(2, 4, 8), t([[0, 0, 1, 1], [1, 1, 1, 1]]).bool()), (r(2, 4, 8), t([[0, 0, 1, 1], [0, 1, 1, 1]]).bool())], kind=kind)
    case(f'a_mha_attnmask_{kind}', Fn(lambda s, x, p: s.m(x, x, x, attn_mask=p)[0], m=nn.MultiheadAttention(8, 2, batch_first=True)), (r(2, 4, 8), torch.zeros(4, 4)), [(r(2, 4, 8), row(-inf, (4, 4))), (r(2, 4, 8), row(low, (4, 4)))], kind=kind)
    case(f'a_gqa_{kind}', Fn(lambda s, q, k, v, m: F.scaled_dot_product_attention(q, k, v, attn_mask=m, enable_gqa=True)), (q, kg, vg, torch.zeros(2, 1, 4, 6)), [(q, kg, vg, row(low)), (q, kg, vg, row(-inf))], kind=kind)
    case(f'a_3d_{kind}', Fn(lambda s, q, m: F.scaled_dot_product_attention(q, q, q, attn_mask=m)), (r(2, 4, 8), torch.zeros(4, 4)), [(r(2, 4, 8), row(low, (4, 4)))], kind=kind)
    case(f'a_headmask_{kind}', Fn(sd), (q, k, v, torch.zeros(2, 4, 4, 6)), [(q, k, v, torch.cat([row(low), row(-inf), row(low, rowi=(2, 3)), row(0.0)], 1))], kind=kind)
for h in (torch.float16, torch.bfloat16):
    n = str(h)[6:]
    hl = torch.finfo(h).min
    for nm, val in (('low', hl), ('inf', -inf), ('1e4', -10000.0)):
        case(f'a_{n}_{nm}', Fn(sd), (q.to(h), k.to(h), v.to(h), torch.zeros(2, 1, 4, 6, dtype=h)), [(q.to(h), k.to(h), v.to(h), row(val).to(h))])
        case(f'a_{n}_eager_{nm}', Fn(eag), (q.to(h), k.to(h), v.to(h), torch.zeros(2, 1, 4, 6, dtype=h)), [(q.to(h), k.to(h), v.to(h), row(val).to(h))])
case('a_dyn_causal', Fn(lambda s, q, k: F.scaled_dot_product_attention(q, k, k, is_causal=True)), (r(1, 2, 4, 8), r(1, 2, 6, 8)), [(r(1, 2, 6, 8), r(1, 2, 4, 8)), (r(1, 2, 1, 8), r(1, 2, 9, 8)), (r(1, 2, 3, 8), r(1, 2, 3, 8))], ({2: A}, {2: A}))
case('a_enc_pad', Fn(lambda s, x, p: s.e(x, src_key_padding_mask=p), e=nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2)), (r(2, 4, 8), torch.zeros(2, 4, dtype=torch.bool)), [(r(2, 4, 8), t([[0, 0, 1, 1], [0, 0, 0, 1]]).bool()), (r(2, 4, 8), t([[1, 1, 1, 1], [0, 0, 0, 1]]).bool())])
case('a_dec', Fn(lambda s, x, y: s.e(x, y, tgt_mask=nn.Transformer.generate_square_subsequent_mask(4)), e=nn.TransformerDecoderLayer(8, 2, 16, batch_first=True)), (r(2, 4, 8), r(2, 5, 8)))

# sampling and pooling

ramp = torch.linspace(-1, 1, 9)
g = torch.stack(torch.meshgrid(ramp, ramp, indexing='xy'), -1)[None].contiguous()
for mode, pm, ac in itertools.product(('bilinear', 'nearest', 'bicubic'), ('zeros', 'border', 'reflection'), (False, True)):
    case(f's_gs_{mode}_{pm}_{ac}', Fn(lambda s, x, g, m=mode, p=pm, a=ac: F.grid_sample(x, g, m, p, a)), (r(1, 2, 7, 5), g), [(r(1, 2, 7, 5), g * f) for f in (2.0, 1.25, 4.0, 0.999, 1.0001)] + ([(r(1, 2, 7, 5), g * 1000000000000.0)] if pm != 'reflection' else []))
    case(f's_gs_one_{mode}_{pm}_{ac}', Fn(lambda s, x, g, m=mode, p=pm, a=ac: F.grid_sample(x, g, m, p, a)), (r(1, 2, 1, 1), g), [(r(1, 2, 1, 1), g * 2)])
for mode, pm in itertools.product(('bilinear', 'nearest'), ('zeros', 'border', 'reflection')):
    case(f's_gs3_{mode}_{pm}', Fn(lambda s, x, g, m=mode, p=pm: F.grid_sample(x, g, m, p, False)), (r(1, 2, 4, 5, 6), r(1, 3, 3, 3, 3)), [(r(1, 2, 4, 5, 6), r(1, 3, 3, 3, 3) * 3), (r(1, 2, 4, 5, 6), torch.round(r(1, 3, 3, 3, 3) * 2) / 2)])
case('s_affine', Fn(lambda s, x, th: F.grid_sample(x, F.affine_grid(th, x.shape, align_corners=False), align_corners=False)), (r(2, 1, 6, 6), t([[[1.0, 0, 0], [0, 1, 0]], [[0.7, 0.7, 0.1], [-0.7, 0.7, 0]]])), [(r(2, 1, 6, 6), t([[[2.0, 0, 0], [0, 2, 0]], [[1000000000.0, 0.7, 0.1], [-0.7, 0.7, 0]]]))])
case('s_proj', Fn(lambda s, x, Hm: (lambda p: F.grid_sample(x, p[..., :2] / p[..., 2:], padding_mode='border', align_corners=False))(torch.cat([s.g, torch.ones(1, 9, 9, 1)], -1) @ Hm.t()), g=g), (r(1, 1, 6, 6), torch.eye(3)), [(r(1, 1, 6, 6), t([[1.0, 0, 0], [0, 1, 0], [0.5, 0.25, 1e-08]])), (r(1, 1, 6, 6), t([[1.0, 0, 0], [0, 1, 0], [1.0, 0, 0]]))])
for nm, f in {'mp1': lambda x: F.max_pool1d(x, 3, 1, 1), 'mp1i': lambda x: F.max_pool1d(x, 3, 2, 1, return_indices=True), 'amp': lambda x: F.adaptive_max_pool1d(x, 3), 'ampi': lambda x: F.adaptive_max_pool1d(x, 3, return_indices=True), 'lp': lambda x: F.lp_pool1d(x.abs(), 2, 2)}.items():
    x = r(1, 2, 8)
    n1 = x.clone()
    n1[0, 0, 3] = nan
    n2 = torch.full((1, 2, 8), -inf)
    n3 = n1.clone()
    n3[0, 1] = -inf
    for kind in ('pt2', 'trace'):
        case(f's_{nm}_{kind}', Fn(lambda s, x, f=f: f(x)), (x,), [(n1,), (n2,), (n3,), (torch.full((1, 2, 8), nan),)], kind=kind)
for nm, f in {'mp2': lambda x: F.max_pool2d(x, 2), 'mp2p': lambda x: F.max_pool2d(x, 3, 2, 1), 'mp2i': lambda x: F.max_pool2d(x, 2, return_indices=True), 'mp2c': lambda x: F.max_pool2d(x, 3, 2, 1, ceil_mode=True), 'relu': lambda x: F.max_pool2d(F.relu(x), 2), 'mask': lambda x: F.max_pool2d(x.masked_fill(x < 0, -inf), 2), 'neg': lambda x: -F.max_pool2d(-x, 2), 'dil': lambda x: F.max_pool2d(x, 2, 1, 0, 2), 'gem': lambda x: F.avg_pool2d(x.clamp(min=1e-06).pow(3), 2).pow(1 / 3), 'frac': lambda x: F.adaptive_max_pool2d(x, (3, 2))}.items():
    x = r(1, 2, 6, 6)
    n1 = x.clone()
    n1[0, 0, 3, 3] = nan
    n1[0, 1, 0, 0] = nan
    n2 = torch.full((1, 2, 6, 6), -inf)
    for kind in ('pt2', 'trace'):
        case(f's_{nm}_{kind}', Fn(lambda s, x, f=f: f(x)), (x,), [(n1,), (n2,)], kind=kind)
case('s_mp3nan', Fn(lambda s, x: F.max_pool3d(x, 2)), (r(1, 1, 4, 4, 4),), [(torch.full((1, 1, 4, 4, 4), -inf),), (r(1, 1, 4, 4, 4).masked_fill(torch.rand(1, 1, 4, 4, 4) < 0.2, nan),)])
for m in ('nearest', 'nearest-exact', 'bilinear', 'bicubic', 'area'):
    kw = {'align_corners': True} if m in ('bilinear', 'bicubic') else {}
    case(f's_up_{m}', Fn(lambda s, x, m=m, kw=kw: (F.interpolate(x, size=(7, 5), mode=m, **kw), F.interpolate(x, size=(3, 2), mode=m, **kw), F.interpolate(x, scale_factor=1.5, mode=m, **kw))), (r(1, 2, 5, 4),), [(r(1, 2, 5, 4) * 1e+30,)])
    if m != 'area' and m != 'nearest-exact' or m == 'nearest-exact':
        case(f's_up_u8_{m}', Fn(lambda s, x, m=m, kw=kw: (F.interpolate(x, size=(7, 5), mode=m, **kw), F.interpolate(x, size=(3, 2), mode=m, **kw))), (torch.randint(0, 256, (1, 3, 8, 9), dtype=torch.uint8),))
for m in ('bilinear', 'bicubic'):
    case(f's_aa_{m}', Fn(lambda s, x, m=m: F.interpolate(x, size=(3, 4), mode=m, antialias=True)), (r(1, 2, 9, 10),))
    case(f's_aa_u8_{m}', Fn(lambda s, x, m=m: (F.interpolate(x, size=(3, 4), mode=m, antialias=True), F.interpolate(x, size=(12, 15), mode=m, antialias=True))), (torch.randint(0, 256, (1, 3, 9, 10), dtype=torch.uint8),))
    case(f's_u8half_{m}', Fn(lambda s, x, m=m: F.interpolate(x, size=(5, 14), mode=m, align_corners=False)), (torch.randint(0, 256, (2, 3, 9, 10), dtype=torch.uint8),), [(torch.randint(0, 256, (2, 3, 9, 10), dtype=torch.uint8),)])

# infinity and NaN

xs = t([[-inf, 1, 2, inf], [nan, 1, 2, 3], [inf, inf, inf, 1], [1, 1, 2, 2.0]])
for at in (0.0, 0.1, 0.5, 0.75, 1.0):
    case(f'q_{at}', Fn(lambda s, x, a=at: (x.quantile(a, dim=1), x.nanquantile(a, dim=1), x.quantile(a), x.quantile(t([a, 0.5]), dim=0))), (r(4, 4),), [(xs,)])
case('q_tensor', Fn(lambda s, x, a: (x.quantile(a, dim=1), x.quantile(a, dim=0, keepdim=True))), (r(4, 4), t([0.2, 0.9])), [(xs, t([0.0, 1.0])), (r(4, 4), t([-0.1, 0.5])), (r(4, 4), t([1.1, 0.5])), (r(4, 4), t([nan, 0.5]))])
case('q_bucket', Fn(lambda s, x: (torch.bucketize(x, s.b), torch.bucketize(x, s.b, right=True), torch.bucketize(x, s.b, out_int32=True)), b=t([-inf, 0.0, 1.0, inf])), (r(4),), [(t([-inf, inf, nan, 0.0]),)])
case('q_ss_rows', Fn(lambda s, b, x: (torch.searchsorted(b, x), torch.searchsorted(b, x, side='right'))), (r(2, 5).sort(1)[0], r(2, 3)), [(t([[-inf, -inf, 0, 1, inf], [0, 0, nan, nan, nan]]), t([[-inf, inf, nan], [nan, 0.0, inf]]))])
case('q_ss_int', Fn(lambda s, b, x: (torch.searchsorted(b, x), torch.searchsorted(b, x, right=True))), (t([1, 2, 2, 5]), t([2, 0, 9])), [(t([-2 ** 63, -1, 2 ** 62, 2 ** 63 - 1]), t([2 ** 63 - 1, -2 ** 63, 2 ** 62 + 1]))])
case('q_hist', Fn(lambda s, x: (torch.histc(x, 4, -1, 1),)), (r(10),), [(t([-1.0, 1.0, 0.0, 0.5, -0.5, 2.0, -2.0, 0.99999, 1e-09, -0.0]),)])
case('q_nan_keys', Fn(lambda s, q, k, m: F.scaled_dot_product_attention(q, k, k, attn_mask=m)), (r(1, 1, 2, 4), r(1, 1, 3, 4), torch.zeros(2, 3)), [(r(1, 1, 2, 4), t([[[[nan] * 4, [1.0] * 4, [2.0] * 4]]]), t([[-inf, 0, 0], [-inf, 0, 0]])), (r(1, 1, 2, 4), t([[[[inf] * 4, [1.0] * 4, [2.0] * 4]]]), t([[-inf, 0, 0], [low, 0, 0]]))])
case('q_stats', Fn(lambda s, x: (x.softmax(1), x.logsumexp(1), x.std(1), x.norm(dim=1), x.cumsum(1), x.cummax(1), x.sort(1)[0], x.argmax(1), x.argmin(0), x.topk(2, 1)[0], x.nanmean(1), x.nansum(0), x.median(1)[0], x.nanmedian(1)[0], x.amax(0), x.max(1)[0], torch.nan_to_num(x), x.clamp(-1, 1), x.relu(), x.sign(), F.softplus(x), F.gelu(x), F.elu(x), torch.where(x > 0, x, 0.0), x.isfinite())), (r(4, 4),), [(xs,)])
bf = torch.bfloat16
hf = torch.float16

# types at the door

for h, n in ((bf, 'bf'), (hf, 'hf')):
    case(f't_{n}_lin', nn.Linear(4, 3).to(h), (r(2, 4).to(h),), [(r(5, 4).to(h),)], ({0: A},))
    case(f't_{n}_mul', Fn(lambda s, x: (x * 3, x + 1, x.float(), x.sum())), (t([1.001, 1.3, 256.9, 60000.0]).to(h),), [(t([inf, -inf, nan, 1e-07]).to(h),)])
    case(f't_{n}_cnn', nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()).to(h).eval(), (r(2, 3, 8, 8).to(h),))
    case(f't_{n}_emb', Fn(lambda s, i: s.e(i), e=nn.Embedding(5, 3).to(h)), (t([1, 4]),), [(t([-1, 0]),)])
    case(f't_{n}_mix', Fn(lambda s, x, y: x * y.to(x.dtype)), (r(3).to(h), r(3)))
    case(f't_{n}_trace', nn.Linear(4, 3).to(h), (r(2, 4).to(h),), kind='trace')
    case(f't_{n}_cmp', Fn(lambda s, x, y: (x == y, x < y, x.argmax(), x.sort()[0], x.max())), (t([1.0, 1.001, 1.01, 2]).to(h), t([1.0, 1.0, 1.0, 1.999]).to(h)))
    case(f't_{n}_ln', nn.LayerNorm(8).to(h), (r(2, 8).to(h),))
    case(f't_{n}_attn', nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).to(h).eval(), (r(2, 4, 8).to(h),))
    case(f't_{n}_script', nn.Linear(4, 3).to(h), (r(2, 4).to(h),), kind='script')
    case(f't_{n}_loop', Fn(lambda s, x: (x * 2 / 2, x.cumsum(0))), (t([0.1, 0.2, 0.3]).to(h),))
case('t_f64', nn.Linear(4, 3).double(), (r(2, 4).double(),))
case('t_f64b', Fn(lambda s, x: (x + 1e-12, x.sum(), x.exp(), x.matmul(x.t()))), (r(3, 3).double(),))
case('t_u8', Fn(lambda s, x: x.float() / 255), (torch.randint(0, 256, (2, 3), dtype=torch.uint8),))
case('t_i16', Fn(lambda s, x: x * 2 + 1), (t([1, -2], dtype=torch.int16),), [(t([32767, -32768], dtype=torch.int16),)])
case('t_bool', Fn(lambda s, x, m: x.masked_fill(m, 0.0)), (r(3), t([True, False, True])))

# names

class N1(nn.Module):

    def forward(self, pixelValues, Mask_A):
        return {'Logits': pixelValues * 2, 'boxesXY': Mask_A + 1}

class N2(nn.Module):

    def forward(self, Batch):
        return Batch['imgA'] + Batch['ImgB']
case('n_dict', N1(), (r(2, 2), r(2, 2)))

class N3(nn.Module):

    def forward(self, X, x_):
        return X - x_
case('n_near', N3(), (r(2, 2), r(2, 2)))

class N4(nn.Module):

    def forward(self, A, a):
        return A - 2 * a
case('n_clash', N4(), (r(2, 2), r(2, 2)))
case('n_trace', N3(), (r(2, 2), r(2, 2)), kind='trace')
case('n_script', N3(), (r(2, 2), r(2, 2)), kind='script')

# between transpositions

x = r(2, 9, 4)
for n, f in {'p1': lambda s, x: F.pad(x.transpose(1, 2), (2, 1)).transpose(1, 2), 'p2': lambda s, x: F.pad(x.permute(0, 2, 1), (0, 0, 1, 2)).permute(0, 2, 1), 'p3': lambda s, x: F.pad(x.transpose(1, 2), (2, 1), mode='reflect').transpose(1, 2), 'p4': lambda s, x: F.pad(x.transpose(1, 2), (1, 1), mode='replicate').transpose(1, 2), 'p5': lambda s, x: F.pad(x.transpose(0, 1), (0, 0, 2, 1)).transpose(0, 1), 'p6': lambda s, x: F.conv1d(F.pad(x.transpose(1, 2), (2, 0)), torch.ones(4, 4, 3)).transpose(1, 2), 'p7': lambda s, x: F.pad(x.mT, (2, 1, 1, 0), value=3.0).mT, 'p8': lambda s, x: F.relu(F.pad(F.relu(x.transpose(1, 2)), (-1, 2))).transpose(1, 2), 's1': lambda s, x: x.transpose(1, 2)[:, 1:3].transpose(1, 2), 's2': lambda s, x: x.transpose(1, 2).flip(1).transpose(1, 2), 's3': lambda s, x: x.transpose(1, 2).roll(1, 2).transpose(1, 2), 's4': lambda s, x: x.transpose(1, 2).cumsum(2).transpose(1, 2), 's5': lambda s, x: x.transpose(1, 2).softmax(1).transpose(1, 2), 's6': lambda s, x: x.transpose(1, 2).topk(2, 1)[0].transpose(1, 2), 's7': lambda s, x: x.transpose(1, 2).unsqueeze(1).expand(2, 3, 4, 9).transpose(2, 3), 's8': lambda s, x: torch.cat([x.transpose(1, 2), x.transpose(1, 2)], 1).transpose(1, 2), 's9': lambda s, x: x.transpose(1, 2).argmax(1), 's10': lambda s, x: x.transpose(1, 2).repeat(1, 2, 1).transpose(1, 2), 's11': lambda s, x: x.transpose(1, 2).gather(1, torch.zeros(2, 1, 9, dtype=torch.long)).transpose(1, 2), 's12': lambda s, x: F.layer_norm(x.transpose(1, 2), (9,)).transpose(1, 2), 's13': lambda s, x: x.transpose(1, 2).mean(1, keepdim=True).transpose(1, 2), 's14': lambda s, x: F.interpolate(x.transpose(1, 2), scale_factor=2.0).transpose(1, 2), 's15': lambda s, x: x.transpose(1, 2).split(2, 1)[1].transpose(1, 2), 's16': lambda s, x: x.transpose(1, 2).unflatten(1, (2, 2)).transpose(1, 3), 's17': lambda s, x: x.transpose(1, 2).amax((0, 1)), 's18': lambda s, x: torch.stack([x.transpose(1, 2), x.transpose(1, 2)]).transpose(2, 3), 's19': lambda s, x: x.transpose(1, 2).index_select(1, t([2, 0])).transpose(1, 2), 's20': lambda s, x: x.transpose(1, 2).masked_fill(x.transpose(1, 2) > 0, 0.0).transpose(1, 2), 's21': lambda s, x: x.transpose(1, 2).tile(2, 1, 1).transpose(1, 2), 's22': lambda s, x: (x.transpose(1, 2) @ x).transpose(1, 2), 's23': lambda s, x: x.transpose(1, 2).std(1)}.items():
    case('o_' + n, Fn(f), (x,))
    if n[0] == 'p':
        case('o_tr_' + n, Fn(f), (x,), kind='trace')
    case('o_dyn_' + n, Fn(f), (x,), [(r(1, 9, 4),), (r(3, 9, 4),)], ({0: A},)) if n not in ('s7', 's11', 'p6', 's21') else None

# traces

class LC(nn.Module):

    def __init__(s, m):
        super().__init__()
        s.m = m

    def forward(s, x, h, c):
        return s.m(x, (h, c))
for kind in ('trace', 'script'):
    case(f'j_grucell_{kind}', nn.GRUCell(3, 4), (r(2, 3), r(2, 4)), [(r(5, 3), r(5, 4))] if kind == 'trace' else [], kind=kind)
    case(f'j_rnncell_{kind}', nn.RNNCell(3, 4), (r(2, 3), r(2, 4)), kind=kind)
    case(f'j_lstmcell_{kind}', LC(nn.LSTMCell(3, 4)), (r(2, 3), r(2, 4), r(2, 4)), kind=kind) if kind == 'trace' else None
    case(f'j_bag_{kind}', nn.EmbeddingBag(10, 3, mode='sum'), (t([1, 2, 4, 5, 4]), t([0, 3])), [(t([1, 2, 4, 5, 4]), t([0, 5])), (t([1, -2, 4, 5, 4]), t([0, 3]))], kind=kind)
T = {'nonzero': lambda s, x: x.nonzero(), 'where1': lambda s, x: torch.where(x > 0)[0], 'stft': lambda s, x: torch.stft(x.flatten(), 8, 4, window=torch.hann_window(8), return_complex=True).abs(), 'vstack': lambda s, x: torch.vstack([x, x * 2]), 'hstack': lambda s, x: torch.hstack([x, x * 2]), 'dstack': lambda s, x: torch.dstack([x, x]), 'cdist': lambda s, x: torch.cdist(x, x * 2), 'shift': lambda s, x: (x.abs() * 10).int() << 2, 'rshift': lambda s, x: (x * 100).int() >> 1, 'boolmask': lambda s, x: x[x > 0], 'maskrow': lambda s, x: x[x[:, 0] > 0], 'einsum_dots': lambda s, x: torch.einsum('...i,...j->...ij', x, x), 'einsum_sp': lambda s, x: torch.einsum('b i , b j -> b i j', x, x), 'newfull_t': lambda s, x: x.new_full((x.shape[0], 2), s.k[0]) + x.mean(), 'full_t': lambda s, x: torch.full((2, 2), s.k[0]) * x[:1, :1], 'repint': lambda s, x: x.repeat_interleave(2, 0), 'linspace': lambda s, x: torch.linspace(0, 1, x.shape[1]) * x, 'arange': lambda s, x: torch.arange(x.shape[1]) * x, 'asstr': lambda s, x: x.as_strided((2, 2), (1, 1)), 'fold': lambda s, x: F.fold(F.unfold(x[None, None], 2), x.shape, 2), 'diff': lambda s, x: x.diff(dim=1), 'concat': lambda s, x: torch.concatenate([x, x], 1), 'ss': lambda s, x: torch.searchsorted(s.k, x), 'bincount': lambda s, x: torch.bincount((x.abs() * 3).long().flatten()), 'kth': lambda s, x: x.kthvalue(2, 1)[0], 'out': lambda s, x: torch.add(x, 1, out=torch.empty_like(x)), 'maxout': lambda s, x: torch.maximum(x, x * 2, out=torch.empty_like(x)), 'mean_out': lambda s, x: torch.mean(x, 1, out=torch.empty(x.shape[0])), 'reshape_calc': lambda s, x: x.reshape(x.shape[0] * x.shape[1] // 2, 2), 'chunk': lambda s, x: torch.cat(x.chunk(2, 1)[::-1], 1), 'pad_calc': lambda s, x: F.pad(x, (0, 8 - x.shape[1] % 8)), 'ceil': lambda s, x: F.max_pool1d(x[None], 2, ceil_mode=True), 'pos': lambda s, x: x + s.p[:, :x.shape[1]], 'mask_tri': lambda s, x: x @ torch.ones(x.shape[1], x.shape[1]).tril(), 'onehot': lambda s, x: F.one_hot((x > 0).long(), 2), 'bucket': lambda s, x: torch.bucketize(x, s.k), 'unbind': lambda s, x: torch.stack(x.unbind(1), 0), 'cumsum': lambda s, x: x.cumsum(1), 'meshgrid': lambda s, x: torch.stack(torch.meshgrid(torch.arange(x.shape[0]), torch.arange(x.shape[1]), indexing='ij')), 'interp': lambda s, x: F.interpolate(x[None, None], size=(x.shape[0] * 2, x.shape[1] * 2), mode='bilinear', align_corners=False), 'roll': lambda s, x: x.roll(1, 1), 'sdpa': lambda s, x: F.scaled_dot_product_attention(x[None], x[None], x[None]), 'view_neg': lambda s, x: x.view(1, x.size(0), -1), 'expand': lambda s, x: x[:, None].expand(-1, 3, -1), 'gather': lambda s, x: x.gather(1, x.argsort(1)), 'triu': lambda s, x: torch.triu(torch.ones(x.size(1), x.size(1)), 1).bool(), 'remainder': lambda s, x: F.pad(x, (0, -x.shape[1] % 4)), 'window': lambda s, x: (lambda n: x[:, :n * 2].view(x.shape[0], n, 2).mean(2))(x.shape[1] // 2), 'topk': lambda s, x: x.topk(min(2, x.shape[1]), 1)[0], 'norm': lambda s, x: x / x.norm(dim=1, keepdim=True), 'std': lambda s, x: x.std(1), 'flatten': lambda s, x: x.flatten(), 'ln': lambda s, x: F.layer_norm(x, x.shape[1:]), 'scatter': lambda s, x: torch.zeros(x.shape[0], 2).scatter_add(1, (x > 0).long(), x), 'slice_assign': lambda s, x: (lambda y: (y.__setitem__((slice(None), 0), 0.0), y)[1])(x.clone()), 'mulB': lambda s, x: (lambda b: x.new_zeros(b * 2, 3))(x.shape[0]), 'gt_sizes': lambda s, x: x.sum() if x.shape[0] > 1 else x.mean(), 'tri_idx': lambda s, x: x[:2, :2][torch.tril_indices(2, 2)[0], torch.tril_indices(2, 2)[1]], 'amax': lambda s, x: x.amax(1), 'fft': lambda s, x: torch.fft.rfft(x, dim=1).abs()}
for n, f in T.items():
    case(f'j_{n}_t', Fn(f, k=t([0.5, 1.0, 2.0]), p=r(1, 32)), (r(4, 6),), [(r(3, 6),), (r(4, 10),), (r(7, 8),), (r(1, 6),)], kind='trace')
case('c_setrow', Fn(lambda s, x: (lambda z: (z[1].copy_(x), z)[1])(torch.ones(3, 2, 3))), (r(2, 3),), [(r(2, 5),), (r(1, 3),), (r(3, 3),), (r(2, 1),)], kind='trace')
case('c_setslice', Fn(lambda s, x: (lambda z: (z.__setitem__((slice(None), slice(0, 2)), x), z)[1])(torch.ones(3, 4))), (r(3, 2),), [(r(1, 2),), (r(3, 1),), (r(3, 3),), (r(2, 2),)], kind='trace')
case('c_addrow', Fn(lambda s, x: (lambda z: (z[1].add_(x), z)[1])(torch.ones(3, 2, 3))), (r(2, 3),), [(r(2, 5),), (r(1, 3),), (r(3, 3),), (r(2, 1),)], kind='trace')
case('c_out', Fn(lambda s, x, y: (lambda z: (torch.mul(x, y, out=z[1]), z)[1])(torch.ones(3, 2, 3))), (r(2, 3), r(2, 3)), [(r(1, 3), r(2, 3)), (r(2, 3), r(1, 3))], kind='trace')
case('c_maskfill', Fn(lambda s, x, m: x.clone().masked_fill_(m, 0.0)), (r(2, 3), t([[True, False, True]])), [(r(4, 3), t([[True, False, True]])), (r(2, 3), t([[True], [False]])), (r(1, 3), t([[True, False, True], [True, True, True]]))], kind='trace')
case('c_mm', Fn(lambda s, x, y: x @ y), (r(2, 3), r(3, 4)), [(r(5, 7), r(7, 2)), (r(4, 3), r(2, 3))], kind='trace')
case('c_index', Fn(lambda s, x, i: x[i]), (r(4, 2), t([0, 3])), [(r(9, 2), t([8, -9, 1])), (r(3, 2), t([3, 0])), (r(3, 2), t([-4, 0]))], kind='trace')
case('c_pos', Fn(lambda s, i: s.e(i) + s.p(torch.arange(i.shape[1])[None]), e=nn.Embedding(9, 4), p=nn.Embedding(16, 4)), (t([[1, 2, 3]]),), [(t([[1] * 16]),), (t([[1] * 17]),), (t([[1], [2]]),)], kind='trace')
case('c_pos2', Fn(lambda s, i: s.e(i) + s.p(s.ids[:, :i.size(1)]), e=nn.Embedding(9, 4), p=nn.Embedding(16, 4), ids=torch.arange(16)[None]), (t([[1, 2, 3]]),), [(t([[1] * 16]),), (t([[1] * 17]),), (t([[1], [2]]),)], kind='trace')
case('c_lin_end', Fn(lambda s, x: x * torch.linspace(0, x.shape[1] - 1, x.shape[1])), (r(2, 3),), [(r(2, 5),), (r(1, 1),), (r(4, 9),)], kind='trace')
case('c_grid', Fn(lambda s, x: F.grid_sample(x, torch.stack(torch.meshgrid(torch.linspace(-1, 1, x.shape[2]), torch.linspace(-1, 1, x.shape[3]), indexing='ij')[::-1], -1)[None].expand(x.shape[0], -1, -1, -1), align_corners=True)), (r(1, 2, 4, 5),), [(r(2, 2, 6, 3),), (r(1, 2, 7, 7),)], kind='trace')
case('c_gridpt2', Fn(lambda s, x: torch.stack(torch.meshgrid(torch.arange(x.shape[2]) / x.shape[2], torch.arange(x.shape[3]) / x.shape[3], indexing='ij')[::-1], -1) + x.sum()), (r(1, 2, 4, 5),), [(r(2, 2, 6, 3),), (r(1, 2, 7, 7),)], ({0: A, 2: A, 3: A},))
for nm, f in {'add': lambda s, x, y: torch.add(x, y, out=torch.empty_like(x)), 'max': lambda s, x, y: torch.maximum(x, y, out=torch.empty_like(x)), 'cat': lambda s, x, y: torch.cat([x, y], out=torch.empty(4, 3)), 'mean': lambda s, x, y: torch.mean(x * y, 1, out=torch.empty(2)), 'clamp': lambda s, x, y: torch.clamp(x, -0.5, 0.5, out=torch.empty_like(x)), 'mm': lambda s, x, y: torch.mm(x, y.t(), out=torch.empty(2, 2)), 'sum': lambda s, x, y: torch.sum(x + y, 0, out=torch.zeros(3)), 'exp': lambda s, x, y: torch.exp(x, out=torch.empty(0)) + y, 'view': lambda s, x, y: (lambda z: (torch.add(x, y, out=z[0]), z)[1])(torch.zeros(2, 2, 3)), 'stack': lambda s, x, y: torch.stack([x, y], 0, out=torch.empty(2, 2, 3)), 'buf': lambda s, x, y: torch.sub(x, y, out=s.b) * 2, 'mulsc': lambda s, x, y: torch.mul(x, 2.5, out=torch.empty_like(x)) + y, 'pow': lambda s, x, y: torch.pow(x.abs(), 2.0, out=torch.empty_like(x)) + y, 'div': lambda s, x, y: torch.div(x, y, rounding_mode='floor', out=torch.empty_like(x)), 'int': lambda s, x, y: torch.add((x * 9).long(), (y * 9).long(), out=torch.empty(2, 3, dtype=torch.float64))}.items():
    for k in ('pt2', 'trace'):
        case(f'out_{nm}_{k}', Fn(f, b=torch.zeros(2, 3)), (r(2, 3), r(2, 3)), [(r(2, 3), r(2, 3))], kind=k)

class S(nn.Module):
    pass

# scripts

class SA(nn.Module):

    def __init__(s):
        super().__init__()
        s.l = nn.Linear(3, 4)
        s.k = 2

    def forward(s, x: torch.Tensor):
        y = s.l(x)
        if s.k > 1:
            y = torch.relu(y)
        for i in range(s.k):
            y = y + float(i)
        return y
case('k_loop', SA(), (r(2, 3),), kind='script')

class SB(nn.Module):

    def forward(s, x: torch.Tensor, m: torch.Tensor):
        idx = torch.nonzero(m).squeeze(1)
        return (x[idx], x[m], x.index_select(0, idx))
case('k_nonzero', SB(), (r(3, 2), t([True, False, True])), [(r(3, 2), t([False, False, False])), (r(3, 2), t([True, True, True]))], kind='script')

class SC(nn.Module):

    def __init__(s):
        super().__init__()
        s.c = nn.LSTMCell(3, 4)

    def forward(s, x: torch.Tensor, h: torch.Tensor, c: torch.Tensor):
        out = []
        for i in range(x.size(1)):
            h, c = s.c(x[:, i], (h, c))
            out.append(h)
        return torch.stack(out, 1)
case('k_lstmcell_loop', SC(), (r(2, 5, 3), r(2, 4), r(2, 4)), kind='script')

class SD(nn.Module):

    def forward(s, x: torch.Tensor):
        d = {'a': x, 'b': x * 2}
        l = [d['a'], d['b']]
        y = torch.cat(l, dim=1)
        n = y.shape[1] // 2
        return (y[:, :n], y.view(y.size(0), -1, 2), 'z' != 'y')
case('k_dict', SD(), (r(2, 4),), kind='script')

class SE(nn.Module):

    def forward(s, x: torch.Tensor):
        return (torch.einsum('b i, b j -> b i j', x, x), torch.stft(x, 4, 2, window=torch.hann_window(4), return_complex=True).abs(), torch.hstack([x, x]), torch.cdist(x, x), x << 1 if x.dtype == torch.int64 else x, torch.full([2, 2], 3.0) * x[0, 0], x.new_full([2], 1.5), torch.diff(x), torch.linspace(0.0, 1.0, 5))
case('k_many', SE(), (r(3, 8),), kind='script')

class SF(nn.Module):

    def forward(s, x: torch.Tensor):
        if x.dim() == 2 and x.size(1) > 2:
            return x.sum(1)
        return x.mean(1)
case('k_sizes', SF(), (r(3, 8),), kind='script')

class SG(nn.Module):

    def forward(s, x: torch.Tensor):
        n = int(x.max().item())
        return torch.arange(8)[:n].float()
case('k_item', SG(), (t([1.0, 3.0]),), [(t([0.0, 5.0]),)], kind='script')

class SH(nn.Module):

    def forward(s, x: torch.Tensor):
        if bool((x > 0).all()):
            y = x * 2
        else:
            y = x * 3
        return y
case('k_data_if', SH(), (t([1.0, 3.0]),), [(t([-1.0, 5.0]),)], kind='script')

class SI(nn.Module):

    def forward(s, x: torch.Tensor):
        y = x
        while float(y.sum()) < 10.0:
            y = y * 2
        return y
case('k_while', SI(), (t([1.0, 3.0]),), [(t([0.1, 5.0]),)], kind='script')

class SJ(nn.Module):

    def forward(s, b: torch.Tensor, sc: torch.Tensor):
        o = sc.argsort(descending=True)
        b = b[o]
        keep = sc[o] > 0.5
        return (b[keep].clamp(min=0, max=10), torch.maximum(b[:, None, :2], b[None, :, :2]))
case('k_boxes', SJ(), (r(4, 4) * 10, torch.rand(4)), [(r(4, 4) * 10, torch.zeros(4)), (r(4, 4) * 10, torch.ones(4))], kind='script')
import typing

class SK(nn.Module):

    def __init__(s):
        super().__init__()
        s.m = nn.ModuleList([nn.Linear(3, 3) for _ in range(3)])
        s.bn = nn.BatchNorm1d(3)

    def forward(s, x: torch.Tensor, mask: typing.Optional[torch.Tensor]=None):
        for m in s.m:
            x = x + torch.tanh(m(x))
        if mask is not None:
            x = x.masked_fill(mask, 0.0)
        return s.bn(x)
case('k_modlist', SK(), (r(2, 3),), kind='script')
case('k_transf', nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), (r(2, 4, 8),), kind='script')
case('k_mha', nn.MultiheadAttention(8, 2, batch_first=True), (r(2, 4, 8), r(2, 4, 8), r(2, 4, 8)), kind='script')
case('k_gru', nn.GRU(3, 4, batch_first=True), (r(2, 5, 3),), kind='script')
case('k_cnn', nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.SiLU(), nn.Upsample(scale_factor=2.0, mode='bilinear'), nn.AdaptiveAvgPool2d(2)), (r(1, 3, 8, 8),), kind='script')

# ops

for n, f, ex in [('where1', lambda s, x: torch.where(x > 0), (r(3, 3),)), ('clip_t', lambda s, x: x.clip(t(-0.5), t(0.5)), (r(4),)), ('newfull', lambda s, x: x.new_full((2, 3), 7), (r(4),)), ('maxout', lambda s, x: torch.maximum(x, -x, out=torch.empty_like(x)), (r(4),)), ('viewdt', lambda s, x: x.view(torch.int32), (r(4),)), ('viewdt2', lambda s, x: x.view(torch.int16), (r(4),)), ('viewdt3', lambda s, x: x.to(torch.uint8).view(torch.int32), (torch.randint(0, 255, (2, 8)),)), ('uniq', lambda s, x: torch.unique(x, return_inverse=True, return_counts=True), (t([1.0, 2.0, 1.0, nan]),)), ('histc', lambda s, x: torch.histc(x, 5, -1, 1), (r(20),)), ('histc0', lambda s, x: torch.histc(x, 5), (r(20),)), ('gcd', lambda s, x, y: (torch.gcd(x, y), torch.lcm(x, y)), (t([12, -18, 0]), t([8, 12, 5]))), ('fftfreq', lambda s, x: torch.fft.fftfreq(x.shape[0]) * x, (r(5),)), ('rfftfreq', lambda s, x: torch.fft.rfftfreq(8, d=0.5) * x, (r(5),)), ('inverse', lambda s, x: torch.inverse(x), (r(3, 3) + 3 * torch.eye(3),)), ('solve', lambda s, x, y: torch.linalg.solve(x, y), (r(2, 3, 3) + 3 * torch.eye(3), r(2, 3, 1))), ('chol', lambda s, x: torch.linalg.cholesky(x @ x.mT + torch.eye(3)), (r(3, 3),)), ('det', lambda s, x: (torch.det(x), torch.linalg.slogdet(x)[1]), (r(2, 3, 3),)), ('qr', lambda s, x: torch.linalg.qr(x)[1].abs(), (r(4, 3),)), ('svd', lambda s, x: torch.linalg.svdvals(x), (r(4, 3),)), ('svdU', lambda s, x: (lambda u, sv, v: u @ torch.diag_embed(sv) @ v)(*torch.linalg.svd(x, full_matrices=False)), (r(4, 3),)), ('eigh', lambda s, x: torch.linalg.eigh(x + x.mT)[0], (r(4, 4),)), ('whiten', lambda s, x: (lambda e, v: x @ v @ torch.diag(e.rsqrt()))(*torch.linalg.eigh(x.t() @ x / 8)), (r(8, 3),)), ('pinv', lambda s, x: torch.linalg.pinv(x), (r(4, 3),)), ('lstsq', lambda s, x, y: torch.linalg.lstsq(x, y).solution, (r(5, 3), r(5, 1))), ('matexp', lambda s, x: torch.matrix_exp(x), (r(3, 3),)), ('matrix_power', lambda s, x: torch.linalg.matrix_power(x, 3), (r(3, 3),)), ('cross', lambda s, x, y: torch.linalg.cross(x, y), (r(4, 3), r(4, 3))), ('triangular', lambda s, x, y: torch.linalg.solve_triangular(x.tril() + 2 * torch.eye(3), y, upper=False), (r(3, 3), r(3, 2))), ('kron', lambda s, x, y: torch.kron(x, y), (r(2, 2), r(2, 3))), ('cov', lambda s, x: torch.cov(x), (r(3, 8),)), ('corr', lambda s, x: torch.corrcoef(x), (r(3, 8),)), ('logspace', lambda s, x: torch.logspace(0, 2, 5) * x, (r(5),)), ('tensordot', lambda s, x, y: torch.tensordot(x, y, ([1], [0])), (r(2, 3), r(3, 4))), ('heaviside', lambda s, x: torch.heaviside(x, t(0.5)), (t([-1.0, 0, 1]),)), ('trapz', lambda s, x: torch.trapezoid(x, dx=0.5), (r(5),)), ('cumtrapz', lambda s, x: torch.cumulative_trapezoid(x), (r(5),)), ('unfold', lambda s, x: x.unfold(0, 3, 2), (r(9),)), ('rot90', lambda s, x: torch.rot90(x, 1, (0, 1)), (r(2, 3),)), ('vander', lambda s, x: torch.vander(x, 3), (r(4),)), ('polar', lambda s, x: torch.view_as_real(torch.polar(x.abs(), x)), (r(4),)), ('sinc', lambda s, x: torch.sinc(x), (r(4),)), ('xlogy', lambda s, x: torch.xlogy(x, x.abs()), (t([0.0, 1.0, 2.0]),)), ('logit', lambda s, x: torch.logit(x, 1e-06), (t([0.0, 0.5, 1.0]),)), ('erfinv', lambda s, x: torch.erfinv(x), (t([-0.9, 0, 0.5]),)), ('lgamma', lambda s, x: torch.lgamma(x), (t([0.5, 2.0, 7.0]),)), ('digamma', lambda s, x: torch.digamma(x), (t([0.5, 2.0, 7.0]),)), ('i0', lambda s, x: torch.i0(x), (r(3),)), ('polygamma', lambda s, x: torch.polygamma(1, x), (t([0.5, 2.0, 7.0]),)), ('nextafter', lambda s, x: torch.nextafter(x, x + 1), (r(3),)), ('ldexp', lambda s, x: torch.ldexp(x, t(3)), (r(3),)), ('frexp', lambda s, x: torch.frexp(x)[0], (r(3),)), ('count', lambda s, x: torch.count_nonzero(x > 0, dim=0), (r(3, 2),)), ('block', lambda s, x: torch.block_diag(x, x), (r(2, 2),)), ('cartesian', lambda s, x, y: torch.cartesian_prod(x, y), (r(2), r(3))), ('combos', lambda s, x: torch.combinations(x, 2), (r(4),)), ('bucket', lambda s, x: torch.bucketize(x, t([0.0, 1.0])), (r(4),)), ('grad', lambda s, x: torch.gradient(x)[0], (r(6),)), ('mlm', lambda s, x, y: F.multi_margin_loss(x, y), (r(3, 4), t([0, 1, 3]))), ('mml', lambda s, x, y: F.multilabel_margin_loss(x, y), (r(2, 4), t([[3, 0, -1, 1], [0, -1, 1, 1]]))), ('ctc', lambda s, x: F.ctc_loss(x.log_softmax(2), t([[1, 2], [2, 1]]), t([5, 5]), t([2, 2])), (r(5, 2, 4),)), ('gelu_t', lambda s, x: F.gelu(x, approximate='tanh'), (r(4),)), ('rms', nn.RMSNorm(4), (r(2, 4),)), ('lrn', nn.LocalResponseNorm(2), (r(1, 4, 3, 3),)), ('softshrink', nn.Softshrink(), (r(4),)), ('threshold', nn.Threshold(0.1, 20.0), (r(4),)), ('celu', nn.CELU(), (r(4),)), ('maxunpool', lambda s, x: F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2), (r(1, 1, 4, 4),)), ('cosim', nn.CosineSimilarity(), (r(3, 4), r(3, 4))), ('pdist', lambda s, x: F.pdist(x), (r(4, 3),)), ('bilinear', nn.Bilinear(3, 4, 2), (r(2, 3), r(2, 4))), ('fold', nn.Fold((4, 4), 2), (r(1, 8, 9),)), ('chshuffle', nn.ChannelShuffle(2), (r(1, 4, 2, 2),)), ('proj', nn.LSTM(3, 6, proj_size=2, batch_first=True), (r(2, 5, 3),)), ('fraclike', lambda s, x: torch.fmod(x, 1.0), (r(4),)), ('asym_unfold', lambda s, x: F.unfold(x, (2, 3), padding=(1, 0), stride=(1, 2)), (r(1, 2, 4, 7),)), ('nanquant', lambda s, x: x.nanquantile(t([0.3, 0.6])), (r(7),)), ('msort', lambda s, x: torch.msort(x), (r(3, 2),)), ('irfftn', lambda s, x: torch.fft.irfftn(torch.fft.rfftn(x), s=x.shape), (r(4, 6),)), ('irfftn2', lambda s, x: torch.fft.irfftn(torch.fft.rfftn(x), s=(4, 5)), (r(4, 6),)), ('irfft2', lambda s, x: torch.fft.irfft2(torch.fft.rfft2(x)), (r(4, 6),)), ('hfft', lambda s, x: torch.fft.hfft(torch.complex(x, x)), (r(5),)), ('ihfft', lambda s, x: torch.fft.ihfft(x).abs(), (r(6),)), ('fft2', lambda s, x: torch.fft.fft2(x).abs(), (r(4, 6),)), ('istft', lambda s, x: torch.istft(torch.stft(x, 8, 4, window=torch.hann_window(8), return_complex=True), 8, 4, window=torch.hann_window(8), length=32), (r(1, 32),))]:
    m = f if isinstance(f, nn.Module) else Fn(f)
    case('e_' + n, m, ex)
    case('et_' + n, m, ex, kind='trace')
