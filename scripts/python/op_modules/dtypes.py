"""Conversions and the promotion of dtypes."""

import torch

from op_modules.case import Cases, bools, ints

cases = Cases()

I8 = torch.int8


@cases.of((2, 3))
def conversions(x):
    return (
        x.to(torch.int64),
        x.to(torch.float64),
        x.to("cpu"),
        x.to("cpu", torch.float16),
        x.half().float(),
        x.bfloat16().float(),
        x.int(),
        x.long(),
        x.bool(),
        (x * 10).to(torch.int8),
        x.type(torch.float64),
        x.to(x.double()),
    )


@cases.of(runs=lambda: [(torch.tensor([[0.0, -0.0, 0.5, -1.5, 2.5, 1e9]]),)])
def float_to_others(x):
    return x.to(torch.int64), x.to(torch.int32), x.bool(), x.abs().clamp(max=255).to(torch.uint8)


@cases.of(runs=lambda: [(ints(2, 3, low=-9), bools(2, 3))])
def ints_and_bools_to_others(i, b):
    return i.bool(), i.float(), i.int(), b.long(), b.float(), b.to(torch.uint8), i.double()


@cases.of((2, 3))
def dtype_layout(x):
    return torch.ops.aten.to.dtype_layout(x, dtype=torch.float64, layout=torch.strided, device=torch.device("cpu"))


@cases.of(runs=lambda: [(torch.tensor([100, -100, 3], dtype=I8), torch.tensor([200, 5, 3], dtype=torch.uint8))])
def small_integers(a, b):
    return a + b, a * 2, a + 1.5, b / 2, a.float() * b, a // 3, b % 7, -a


@cases.of(runs=lambda: [(ints(2, 3, low=-5), torch.randn(2, 3), bools(2, 3), torch.tensor(2.0, dtype=torch.float64))])
def promotion(i, f, b, d):
    return i + f, i + 1.5, i * True, b + 1, b + i, f + d, i + d, b * f, i / i.abs().clamp(min=1), i - f, 2 - i, 1.0 - b.float()


@cases.of(runs=lambda: [(torch.randn(2, 3).half(), torch.randn(2, 3), torch.tensor(2.0), torch.tensor(3, dtype=torch.int64))])
def half_promotion(h, f, zero_d, i):
    return h + f, h * zero_d, h + i, h * 2.5, h + 1


@cases.of(runs=lambda: [(ints(2, 3), torch.randn(2, 3), bools(2, 3))])
def scalar_compares(i, f, b):
    return i == 3, i != 3, i > 2.5, i >= 2.5, i < 3, i <= 2.5, f > 0, f <= 0.5, f == 0, b == 1, b != False, i.eq(f), f.gt(i)  # noqa: E712


@cases.of(runs=lambda: [(ints(2, 3), torch.randn(2, 3), bools(2, 3))])
def where_forms(i, f, b):
    return (
        torch.where(b, f, 0.0),
        torch.where(b, 1, f),
        torch.where(b, i, f),
        torch.where(b, 1.5, -1.5),
        torch.where(b, i, 2),
        torch.where(b, b, False),
        torch.where(f > 0, f.half(), f.half() * 2),
        torch.where(b, i.to(torch.int8), i.to(torch.int8) + 1),
    )


@cases.of(runs=lambda: [(ints(2, 3), torch.randn(2, 3), bools(2, 3))])
def masked_fill_promotes(i, f, b):
    return f.masked_fill(b, 1), i.masked_fill(b, -1), b.masked_fill(b, False), f.masked_fill(b, torch.finfo(f.dtype).min)


@cases.of(runs=lambda: [(ints(2, 3), bools(2, 3))])
def integer_reductions(i, b):
    return i.sum(), b.sum(), b.sum(1), i.prod(1), i.float().mean(), b.any(1), b.all(), i.any(), i.amax(1), b.cumsum(1), i.cumsum(0), i.to(I8).sum(1), i.sum(dtype=torch.float32), b.float().mean(0)


@cases.of((3, 4))
def variances(x):
    return (
        x.var(),
        x.var(1),
        x.var(1, unbiased=False),
        x.var(dim=1, correction=2, keepdim=True),
        x.std(),
        x.std(0),
        x.std(dim=(0, 1), correction=0),
        *torch.var_mean(x, 1),
        *torch.std_mean(x, dim=0, correction=0),
    )


@cases.of((3, 4))
def float64_math(x):
    d = x.double()
    return d @ d.t(), d.softmax(-1), d.exp(), d.sum(1), torch.nn.functional.gelu(d), d.std(1)


@cases.of(runs=lambda: [(torch.tensor([-7, -3, 3, 7]), torch.tensor([2, -2, -2, 2]))])
def rounding_of_division(a, b):
    f, g = a.float(), b.float()
    return (
        a / b,
        a // b,
        a % b,
        torch.div(a, b, rounding_mode="trunc"),
        torch.div(f, g, rounding_mode="floor"),
        torch.div(f, g, rounding_mode="trunc"),
        f // g,
        f % g,
        torch.fmod(a, b),
        torch.fmod(f, g),
        torch.remainder(f, 3),
        torch.remainder(a, -3),
        f // 0.1,
    )


@cases.of(runs=lambda: [(torch.tensor([float("nan"), float("inf"), float("-inf"), -0.0, 0.0, 1.0]),)])
def special_values(x):
    return (
        torch.relu(x),
        x.clamp(-1, 1),
        x.sign(),
        x.amax(),
        x.isnan(),
        x.isinf(),
        x.isfinite(),
        torch.nan_to_num(x),
        torch.maximum(x, torch.zeros(6)),
        torch.minimum(x, torch.zeros(6)),
        x == x,
        x > 0,
        x.sigmoid(),
        x.tanh(),
        x.exp(),
        x.abs(),
        x.round(),
        torch.nn.functional.gelu(x[3:]),
        torch.fmax(x, torch.zeros(6)),
        x.sum(),
        x.argmax(),
    )


@cases.of(runs=lambda: [(torch.tensor([0.5, 1.5, 2.5, -0.5, -1.5, 2.4999]),)])
def rounding(x):
    return x.round(), x.round(decimals=1), x.floor(), x.ceil(), x.trunc(), x.frac(), (x * 3).int()


@cases.of(runs=lambda: [(ints(3, 4, low=-20, high=20),)])
def integer_functions(i):
    return i.abs(), i.sign(), -i, i**2, i.float() ** 2, i.clamp(-3, 3), i & 6, i | 1, i ^ 5, ~i, i << 1, i >> 1, i.maximum(-i), torch.bitwise_and(i, i + 1), i.min(), i.argmin(1), i.sort(dim=1, stable=True)[1]


@cases.of((2, 3))
def creation(x):
    return (
        torch.zeros(2, 3),
        torch.ones(2, dtype=torch.int64),
        torch.full((2, 2), 3),
        torch.full((2, 2), 1.5),
        torch.full((2,), True),
        torch.full_like(x, 2),
        torch.zeros_like(x, dtype=torch.bool),
        x.new_zeros(3),
        x.new_ones((2, 2), dtype=torch.int32),
        x.new_full((2,), 7),
        torch.arange(5),
        torch.arange(0.0, 1.0, 0.3),
        torch.arange(5, 0, -2),
        torch.linspace(0, 1, 5),
        torch.eye(3),
        torch.eye(2, 4),
        torch.tril(torch.ones(3, 3)),
        torch.triu(torch.ones(3, 4, dtype=torch.bool), 1),
        torch.tensor([1, 2, 3]),
        torch.scalar_tensor(2.5),
        x.new_tensor([1.0, 2.0]),
        torch.tril_indices(3, 3),
        torch.logspace(0, 2, 3),
    )
