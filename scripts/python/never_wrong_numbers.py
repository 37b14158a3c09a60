"""Sweeps of numbers at their ends: integers, attention masks, sampling and pooling at the edge, infinities and NaN.

usage: never_wrong_numbers.py OUT [PATTERN]
Writes programs, inputs and PyTorch's answers in the form of never_wrong_cases.py; PATTERN is a regular expression on the names.
"""
import itertools
import re
import sys

import torch
import torch.nn.functional as F
from torch.export import Dim

import case_kit
from case_kit import Fn

inf, nan = float("inf"), float("nan")
PATTERN = re.compile(sys.argv[2] if len(sys.argv) > 2 else "")


def case(name, *args, **kwargs):
    if PATTERN.search(name):
        case_kit.case(sys.argv[1], name, *args, **kwargs)


# integers ------------------------------------------------------------------------------------------------------------------------

INTEGERS = [torch.int8, torch.uint8, torch.int16, torch.int32, torch.int64]


def edges(dtype):
    """Values near the ends of a type, near powers of two, and small ones."""
    info = torch.iinfo(dtype)
    near = [v + d for v in (info.min, info.max, 0) for d in (-3, -2, -1, 0, 1, 2, 3)]
    powers = [s * (1 << b) + d for b in range(1, info.bits, 5) for s in (1, -1) for d in (-1, 0, 1)]
    found = sorted({v for v in near + powers + [7, -7, 10, -10, 100, -100] if info.min <= v <= info.max})
    return torch.tensor(found, dtype=dtype)


def pairs(dtype):
    """All pairs of the 8 bit types; pairs of edges of the others."""
    if dtype in (torch.int8, torch.uint8):
        values = torch.arange(torch.iinfo(dtype).min, torch.iinfo(dtype).max + 1).to(dtype)
    else:
        values = edges(dtype)
    found = torch.cartesian_prod(values, values)
    return found[:, 0].contiguous(), found[:, 1].contiguous()


def dividable(a, b):
    """Without what PyTorch itself cannot do: a division by zero, and the least number by -1."""
    keep = b != 0
    if a.dtype != torch.uint8:
        keep &= ~((a == torch.iinfo(a.dtype).min) & (b == -1))
    return a[keep].contiguous(), b[keep].contiguous()


for dtype in INTEGERS:
    kind = str(dtype)[6:]
    a, b = pairs(dtype)
    c, d = dividable(a, b)
    case(f"int_arith_{kind}", Fn(lambda s, a, b: (a + b, a - b, a * b, torch.maximum(a, b), torch.minimum(a, b))), (a, b))
    case(f"int_divide_{kind}", Fn(lambda s, a, b: (torch.div(a, b, rounding_mode="floor"), torch.div(a, b, rounding_mode="trunc"), torch.remainder(a, b), torch.fmod(a, b))), (c, d))
    for operator, function in {"floor": lambda s, a, b: a // b, "mod": lambda s, a, b: a % b, "true": lambda s, a, b: a / b}.items():
        case(f"int_{operator}_{kind}", Fn(function), (c, d))
    case(f"int_bits_{kind}", Fn(lambda s, a, b: (a & b, a | b, a ^ b, ~a)), (a, b))
    case(f"int_compare_{kind}", Fn(lambda s, a, b: (a < b, a <= b, a == b, a != b, a > b, a >= b)), (a, b))
    shift = torch.arange(0, torch.iinfo(dtype).bits).to(dtype)
    sa = edges(dtype).repeat_interleave(len(shift))
    sb = shift.repeat(len(edges(dtype)))
    case(f"int_shift_{kind}", Fn(lambda s, a, b: (a << b, a >> b)), (sa, sb))
    e = edges(dtype)
    case(f"int_unary_{kind}", Fn(lambda s, x: (x.abs(), -x if x.dtype != torch.uint8 else x, x.sign(), torch.square(x), x.clamp(-5 if x.dtype != torch.uint8 else 0, 5))), (e,))
    for k in (1, 2, 3, 7, 10, 100):
        case(f"int_by_{k}_{kind}", Fn(lambda s, x, k=k: (x // k, x % k, torch.fmod(x, k), torch.div(x, k, rounding_mode="trunc"), x * k, x + k)), (e,))
        if dtype != torch.uint8:
            negative = -k
            kept = e if k != 1 else e[e != torch.iinfo(dtype).min]
            case(f"int_by_minus_{k}_{kind}", Fn(lambda s, x, k=negative: (x // k, x % k, torch.fmod(x, k), torch.div(x, k, rounding_mode="trunc"))), (kept,))
    case(f"int_pow_{kind}", Fn(lambda s, x: (x ** 2, x ** 3, x.pow(5))), (e,))
    case(f"int_reduce_{kind}", Fn(lambda s, x: (x.sum(0), x.prod(0), x.cumsum(0), x.cumprod(0), x.amax(0), x.amin(0), x.argmax(0), x.sum(), x.prod(), x.max(), x.min())), (e.repeat(2).reshape(2, -1),))
    case(f"int_order_{kind}", Fn(lambda s, x: (x.sort().values, x.topk(3).values, x.median(), x.cummax(0).values, x.cummin(0).values)), (e,))
    case(f"int_cast_{kind}", Fn(lambda s, x: (x.to(torch.int8), x.to(torch.uint8), x.to(torch.int16), x.to(torch.int32), x.to(torch.int64), x.to(torch.float32), x.bool())), (e,))
    case(f"int_dot_{kind}", Fn(lambda s, x, y: (x @ y, (x * y).sum())), (e, e.flip(0)))
    case(f"int_arange_{kind}", Fn(lambda s, x: (x.unique(), torch.bincount(x.to(torch.int64).clamp(0, 9)), x.diff())), (e,))
    case(f"int_sizes_{kind}", Fn(lambda s, x: (x.sum(0), x.prod(0), x.sum(), x.prod(1, keepdim=True), x.sum((0, 1), keepdim=True))), (e[:6].reshape(2, 3),), [(e[-12:].reshape(3, 4),), (e[:5].reshape(1, 5),), (e[:7].reshape(7, 1),)], dynamic=((Dim.DYNAMIC, Dim.DYNAMIC),))
    case(f"int_mean_{kind}", Fn(lambda s, x: (x.to(torch.float32).mean(), torch.addcmul(x, x, x), torch.add(x, x, alpha=3))), (e,))

# floats: division and rounding -------------------------------------------------------------------------------------------------------

ends = torch.tensor([0.0, -0.0, 1.0, -1.0, 0.1, -0.1, 0.5, 1.5, 2.5, -2.5, 1e-45, 1e-38, 3.4e38, -3.4e38, 16777217.0, inf, -inf, nan, 7.0, -7.0])
fa, fb = (t.contiguous() for t in torch.cartesian_prod(ends, ends).T)
# Quotients beyond what a float counts exactly are left out: PyTorch's vector code gives up there.
keeps = ~((fa.abs() > 1e30) & fa.isfinite()) & ((fb == 0) | (fb.abs() > 1e-37))
case("float_divide", Fn(lambda s, a, b: (a // b, a % b, torch.fmod(a, b), torch.div(a, b, rounding_mode="trunc"), a / b)), (fa[keeps].contiguous(), fb[keeps].contiguous()))
case("float_extremes", Fn(lambda s, a, b: (torch.maximum(a, b), torch.minimum(a, b), torch.fmax(a, b), torch.fmin(a, b), a.clamp(-1, 1), torch.atan2(a, b), torch.hypot(a, b))), (fa, fb))
case("float_unary", Fn(lambda s, x: (x.round(), x.floor(), x.ceil(), x.trunc(), x.frac(), x.sign(), x.exp(), x.log(), x.sqrt(), x.rsqrt(), x.tanh(), x.sigmoid(), x.relu(), F.gelu(x.clamp(-50, 50)), F.silu(x), F.softplus(x), F.hardswish(x), F.elu(x), F.leaky_relu(x), x.isnan(), x.isinf(), x.isfinite(), x.abs(), x.reciprocal(), x.expm1(), x.log1p(), x.erf(), F.logsigmoid(x), F.mish(x), torch.nan_to_num(x))), (ends,))

# attention -----------------------------------------------------------------------------------------------------------------------------

lowest = torch.finfo(torch.float32).min


def masks(rows, columns):
    """One mask of each kind, each with a row that sees nothing."""
    blocked = torch.zeros(rows, columns, dtype=torch.bool)
    blocked[1] = True
    blocked[2, 0] = True
    left = torch.zeros(rows, columns, dtype=torch.bool)
    left[:, :2] = True
    for name, value in (("lowest", lowest), ("inf", -inf), ("1e9", -1e9), ("1e4", -1e4)):
        yield name, torch.zeros(rows, columns).masked_fill(blocked, value)
        yield f"{name}_left", torch.zeros(rows, columns).masked_fill(left, value)
    yield "bool", ~blocked
    yield "bool_left", ~left


def sdpa(s, q, k, v, m):
    return F.scaled_dot_product_attention(q, k, v, attn_mask=m)


def eager(s, q, k, v, m):
    scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
    scores = scores.masked_fill(~m, lowest) if m.dtype == torch.bool else scores + m
    return scores.softmax(-1) @ v


r = torch.randn
q, k, v = r(2, 2, 4, 8), r(2, 2, 5, 8), r(2, 2, 5, 8)
for name, mask in masks(4, 5):
    for place, shaped in {"flat": mask, "heads": mask[None, None].expand(1, 2, 4, 5).contiguous(), "full": mask[None, None].expand(2, 2, 4, 5).contiguous()}.items():
        plain = torch.ones_like(shaped) if shaped.dtype == torch.bool else torch.zeros_like(shaped)
        for kind, function in (("sdpa", sdpa), ("eager", eager)):
            for how in ("pt2", "trace"):
                case(f"attn_{kind}_{name}_{place}_{how}", Fn(function), (q, k, v, plain), [(q, k, v, shaped)], kind=how)
for how in ("pt2", "trace"):
    case(f"attn_causal_{how}", Fn(lambda s, q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True)), (r(1, 2, 4, 8), r(1, 2, 6, 8), r(1, 2, 6, 8)), kind=how)
    case(f"attn_causal_wide_{how}", Fn(lambda s, q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True)), (r(1, 2, 6, 8), r(1, 2, 4, 8), r(1, 2, 4, 8)), kind=how)
    case(f"attn_gqa_{how}", Fn(lambda s, q, k, v: F.scaled_dot_product_attention(q, k, v, enable_gqa=True)), (r(1, 4, 4, 8), r(1, 2, 4, 8), r(1, 2, 4, 8)), kind=how)
for half in (torch.float16, torch.bfloat16):
    for name, mask in masks(4, 5):
        shaped = mask if mask.dtype == torch.bool else mask.clamp(torch.finfo(half).min, 0).to(half)
        if name.startswith("inf"):
            shaped = mask.to(half)
        plain = torch.ones_like(shaped) if shaped.dtype == torch.bool else torch.zeros_like(shaped)
        case(f"attn_{str(half)[6:]}_{name}", Fn(sdpa), (q.to(half), k.to(half), v.to(half), plain), [(q.to(half), k.to(half), v.to(half), shaped)])
bad = k.clone()
bad[:, :, 0] = nan
bad[:, :, 1] = inf
for name, mask in masks(4, 5):
    plain = torch.ones_like(mask) if mask.dtype == torch.bool else torch.zeros_like(mask)
    case(f"attn_nan_keys_{name}", Fn(sdpa), (q, k, v, plain), [(q, bad, v, mask)])
encoder = torch.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
padding = torch.tensor([[False, False, True, True], [False, True, True, True]])
for how in ("pt2", "trace"):
    case(f"attn_encoder_{how}", Fn(lambda s, x, p: s.layer(x, src_key_padding_mask=p), layer=encoder.eval()), (r(2, 4, 8), padding), [(r(2, 4, 8), torch.tensor([[True, False, False, True], [False, False, False, False]]))], kind=how)
mha = torch.nn.MultiheadAttention(8, 2, batch_first=True).eval()
case("attn_mha_padding", Fn(lambda s, x, p: s.mha(x, x, x, key_padding_mask=p, need_weights=True), mha=mha), (r(2, 4, 8), padding), [(r(2, 4, 8), torch.tensor([[True, True, False, True], [False, False, False, False]]))])
case("softmax_rows", Fn(lambda s, x: (x.softmax(-1), x.log_softmax(-1), F.softmin(x, -1), torch.logsumexp(x, -1))), (r(5, 4),), [(torch.tensor([[lowest] * 4, [-inf, 1, 2, 3], [inf, 1, 2, 3], [-1e9] * 4, [3.4e38, 0, 0, -3.4e38]]),), (torch.full((5, 4), -inf),), (torch.full((5, 4), nan),)])

# sampling and pooling ---------------------------------------------------------------------------------------------------------------------

ramp = torch.linspace(-1, 1, 7)
grid = torch.stack(torch.meshgrid(ramp, ramp, indexing="xy"), -1)[None].contiguous()
strange = grid.clone()
strange[0, 0, :4, 0] = torch.tensor([nan, inf, -inf, 1e30])
for mode, padding_mode, corners in itertools.product(("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection"), (False, True)):
    module = Fn(lambda s, x, g, m=mode, p=padding_mode, c=corners: F.grid_sample(x, g, mode=m, padding_mode=p, align_corners=c))
    x = r(1, 2, 6, 5)
    # Reflected so far, cubic samples are the rounding errors of the places.
    far = () if (mode, padding_mode) == ("bicubic", "reflection") else (1e7, 1e9)
    others = [(x, grid * f) for f in (1.5, 2.0, 3.0, 1.2, 10.0, 1e3, 2e5, *far)]
    if mode != "bicubic":
        others.append((x, strange))
    case(f"grid_{mode}_{padding_mode}_{'corners' if corners else 'edges'}", module, (x, grid), others)
for dims, pool in ((1, F.max_pool1d), (2, F.max_pool2d), (3, F.max_pool3d)):
    shape = (1, 2) + (6,) * dims
    odd = r(shape)
    odd.view(-1)[::3] = -inf
    holes = r(shape)
    holes.view(-1)[::7] = nan
    for size, stride, pad, ceil in ((2, 2, 0, False), (3, 2, 1, False), (3, 1, 1, True), (2, 3, 1, True)):
        for how in ("pt2", "trace"):
            case(f"max_pool{dims}_{size}{stride}{pad}{int(ceil)}_{how}", Fn(lambda s, x, f=pool, a=(size, stride, pad), c=ceil: f(x, *a, ceil_mode=c)), (r(shape),), [(torch.full(shape, -inf),), (odd,), (torch.full(shape, inf),), (torch.full(shape, lowest),)], kind=how)
    for how in ("pt2", "trace"):
        case(f"max_pool{dims}_indices_{how}", Fn(lambda s, x, f=pool: f(x, 2, return_indices=True)), (r(shape),), [(torch.full(shape, -inf),), (odd,)], kind=how)
        case(f"max_pool{dims}_dilated_{how}", Fn(lambda s, x, f=pool: f(x, 2, 1, 1, dilation=2)), (r(shape),), [(torch.full(shape, -inf),), (odd,)], kind=how)
    adaptive = (F.adaptive_max_pool1d, F.adaptive_max_pool2d, F.adaptive_max_pool3d)[dims - 1]
    case(f"adaptive_max_pool{dims}", Fn(lambda s, x, f=adaptive: (f(x, 3), f(x, 4), f(x, 1))), (r(shape),), [(torch.full(shape, -inf),), (odd,)])
    average = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[dims - 1]
    case(f"avg_pool{dims}", Fn(lambda s, x, f=average: (f(x, 2), f(x, 3, 2, 1), f(x, 3, 2, 1, count_include_pad=False), f(x, 3, 2, 1, ceil_mode=True))), (r(shape),), [(odd,), (holes,)])
for mode in ("nearest", "nearest-exact", "bilinear", "bicubic", "area"):
    corners = {"align_corners": False} if mode in ("bilinear", "bicubic") else {}
    case(f"interpolate_{mode}", Fn(lambda s, x, m=mode, c=corners: (F.interpolate(x, scale_factor=2, mode=m, **c), F.interpolate(x, size=(3, 5), mode=m, **c), F.interpolate(x, scale_factor=0.5, mode=m, **c))), (r(1, 2, 7, 6),))

# infinity and NaN ---------------------------------------------------------------------------------------------------------------------------

rows = torch.tensor([[-inf, 1, 2, 3, inf], [nan, 1, 2, 3, 4], [inf] * 5, [-inf] * 5, [0.0, -0.0, 1, -1, 2], [3, 3, 3, 3, 3]])
plain = r(6, 5)
for at in (0.0, 0.25, 0.3, 0.5, 0.9, 1.0):
    for interpolation in ("linear", "lower", "higher", "midpoint", "nearest"):
        case(f"quantile_{int(at * 100)}_{interpolation}", Fn(lambda s, x, a=at, i=interpolation: (torch.quantile(x, a, dim=1, interpolation=i), torch.nanquantile(x, a, dim=1, interpolation=i))), (plain,), [(rows,)])
case("order_nan", Fn(lambda s, x: (x.sort(1).values, x.sort(1, descending=True).values, x.topk(3, 1).values, x.median(1).values, x.nanmedian(1).values, x.kthvalue(2, 1).values, x.argmax(1), x.argmin(1), x.amax(1), x.amin(1), x.cummax(1).values, x.cummin(1).values)), (plain,), [(rows,)])
case("reduce_nan", Fn(lambda s, x: (x.sum(1), x.mean(1), x.std(1), x.var(1), x.norm(dim=1), x.prod(1), x.nansum(1), x.nanmean(1), x.any(1), x.all(1), x.cumsum(1), x.logsumexp(1), x.aminmax(dim=1).max)), (plain,), [(rows,)])
borders = torch.tensor([-1.0, 0.0, 0.5, 2.0])
values = torch.tensor([-inf, -2.0, -1.0, 0.0, 0.25, 0.5, 2.0, 3.0, inf, nan])
for right in (False, True):
    case(f"bucketize_{right}", Fn(lambda s, x, r=right, **_: torch.bucketize(x, s.borders, right=r), borders=borders), (values[1:8].repeat(2)[:10],), [(values,)])
    case(f"searchsorted_{right}", Fn(lambda s, b, x, r=right: torch.searchsorted(b, x, right=r)), (borders, values[1:8].repeat(2)[:10]), [(borders, values), (torch.tensor([-inf, 0.0, inf, inf]), values), (torch.tensor([-inf, 0.0, inf, nan]), values), (torch.tensor([1.0, 1.0, 1.0, 1.0]), values)])
case("compare_nan", Fn(lambda s, x: (x == x, x != x, x < 1, x >= 1, torch.isclose(x, x, equal_nan=True), torch.where(x > 0, x, -x), x.sign(), torch.heaviside(x, x), x.bool())), (plain,), [(rows,)])
case("normalize_inf", Fn(lambda s, x: (F.layer_norm(x, (5,)), F.normalize(x, dim=1), F.group_norm(x[:, :4], 2), F.rms_norm(x, (5,)))), (plain,), [(rows,), (torch.zeros(6, 5),)])
