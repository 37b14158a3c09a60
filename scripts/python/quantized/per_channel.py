"""A scale for every channel, token or group."""

import torch

from quantized.case import INTEGERS, NARROW, Call, Case, bounds, codes, generator, name_of, numbers

qd = torch.ops.quantized_decomposed
cases: dict[str, Case] = {}

for dtype in INTEGERS:
    name, (low, high) = name_of(dtype), bounds(dtype)
    flat = numbers(0.5, dtype, generator(1))
    x = flat[: flat.numel() // 12 * 12].reshape(3, -1, 4)
    q = codes(dtype, *x.shape, rng=generator(2))
    for axis in (0, 1, 2, -1, -2):
        count = x.shape[axis]
        rng = generator(axis + 9)
        scales = torch.rand(count, generator=rng) * 0.2 + 0.01
        scales[0] = 0.5
        for zero_dtype in (torch.int64, torch.int32, torch.int8):
            zeros = torch.randint(0, 100, (count,), generator=rng).to(zero_dtype)
            for width in (torch.float32, torch.float64):
                if width == torch.float64 and zero_dtype != torch.int64:
                    continue
                kept = {"s": scales.to(width), "z": zeros}
                label = f"{name} axis {axis} {name_of(zero_dtype)} {name_of(width)}"
                cases[f"quantize {label}"] = Case(
                    Call(lambda x, s, z, a=axis, lo=low, hi=high, d=dtype: qd.quantize_per_channel(x, s, z, a, lo, hi, d), **kept), [(x,)]
                )
                cases[f"dequantize {label}"] = Case(
                    Call(lambda q, s, z, a=axis, lo=low, hi=high, d=dtype: qd.dequantize_per_channel(q, s, z, a, lo, hi, d), **kept), [(q,)]
                )
                given = (scales.to(width), zeros)
                cases[f"dequantize {label} given"] = Case(
                    Call(lambda q, s, z, a=axis, lo=low, hi=high, d=dtype: qd.dequantize_per_channel(q, s, z, a, lo, hi, d)), [(q, *given)]
                )
        cases[f"dequantize {name} axis {axis} no zeros"] = Case(
            Call(lambda q, s, a=axis, lo=low, hi=high, d=dtype: qd.dequantize_per_channel(q, s, None, a, lo, hi, d), s=scales), [(q,)]
        )
    scales, zeros = torch.rand(3, x.shape[1], 1, generator=generator(5)) + 0.01, torch.randint(-9, 9, (3, x.shape[1], 1), generator=generator(6))
    for width in (torch.float32, torch.float64):
        kept = {"s": scales.to(width), "z": zeros}
        cases[f"quantize tokens {name} {name_of(width)}"] = Case(
            Call(lambda x, s, z, lo=low, hi=high, d=dtype: qd.quantize_per_token(x, s, z, lo, hi, d), **kept), [(x,)]
        )
        cases[f"dequantize tokens {name} {name_of(width)}"] = Case(
            Call(lambda q, s, z, lo=low, hi=high, d=dtype: qd.dequantize_per_token(q, s, z, lo, hi, d, torch.float32), **kept), [(q,)]
        )

for dtype in NARROW:
    name = name_of(dtype)
    for low, high in ((-8, 7), (-128, 127)) if dtype == torch.int8 else ((0, 15), (0, 255)):
        for size in (2, 8, 32, 64):
            flat = numbers(0.5, dtype, generator(1), finite=True)
            x = flat[:128].reshape(4, 32)
            groups = max(1, 32 // size)
            scales = torch.rand(4, groups, generator=generator(2)) + 0.01
            for zero_dtype in (torch.int32, torch.int8, torch.float32):
                zeros = torch.randint(-2 if dtype == torch.int8 else 0, 3, (4, groups), generator=generator(3)).to(zero_dtype)
                label = f"{name} [{low}, {high}] groups of {size} {name_of(zero_dtype)}"
                kept = {"s": scales, "z": zeros}
                cases[f"quantize {label}"] = Case(
                    Call(lambda x, s, z, lo=low, hi=high, d=dtype, g=size: qd.quantize_per_channel_group(x, s, z, lo, hi, d, g), **kept), [(x,)]
                )
                q = torch.randint(low, high + 1, (4, 32), generator=generator(4)).to(dtype)
                cases[f"dequantize {label}"] = Case(
                    Call(lambda q, s, z, lo=low, hi=high, d=dtype, g=size: qd.dequantize_per_channel_group(q, s, z, lo, hi, d, g, torch.float32), **kept), [(q,)]
                )
            cases[f"dequantize {name} [{low}, {high}] groups of {size} no zeros"] = Case(
                Call(lambda q, s, lo=low, hi=high, d=dtype, g=size: qd.dequantize_per_channel_group(q, s, None, lo, hi, d, g, torch.float32), s=scales), [(q,)]
            )
