"""fake_quantize: floats through codes and back."""

import torch

from quantized.case import Call, Case, generator, numbers

a = torch.ops.aten
qd = torch.ops.quantized_decomposed
cases: dict[str, Case] = {}

RANGES = ((-128, 127, torch.int8), (0, 255, torch.uint8), (0, 127, torch.uint8), (-8, 7, torch.int8), (-32768, 32767, torch.int16))

for low, high, dtype in RANGES:
    for zero in (0, 3, high):
        for scale in (0.5, 0.037, 1.0 / 3):
            flat = numbers(scale, dtype, generator(1))
            label = f"[{low}, {high}] zero {zero} scale {scale:.3f}"
            for i, x in enumerate((flat, torch.empty(0), flat[:24].reshape(2, 3, 4), torch.tensor(0.7))):
                cases[f"tensor {label} {i}"] = Case(
                    Call(lambda x, s=scale, z=zero, lo=low, hi=high: a.fake_quantize_per_tensor_affine(x, s, z, lo, hi)), [(x,)]
                )
            cases[f"mask {label}"] = Case(
                Call(lambda x, s=scale, z=zero, lo=low, hi=high: a.fake_quantize_per_tensor_affine_cachemask(x, s, z, lo, hi)), [(flat,)]
            )
            s, z = torch.tensor([scale]), torch.tensor([zero], dtype=torch.int32)
            cases[f"qparams {label}"] = Case(
                Call(lambda x, s, z, lo=low, hi=high: a.fake_quantize_per_tensor_affine.tensor_qparams(x, s, z, lo, hi)), [(flat, s, z)]
            )
            for on in (0, 1):
                for kept in ({"e": torch.tensor([on])}, {}):
                    cases[f"enabled {on} {len(kept)} {label}"] = Case(
                        Call(lambda x, s, z, e, lo=low, hi=high: a._fake_quantize_per_tensor_affine_cachemask_tensor_qparams(x, s, z, e, lo, hi), **kept),
                        [(flat, s, z) if kept else (flat, s, z, torch.tensor([on]))],
                    )
            learned = torch.tensor([zero + 0.5])
            cases[f"learnable {label}"] = Case(
                Call(lambda x, s, z, lo=low, hi=high: a._fake_quantize_learnable_per_tensor_affine(x, s, z, lo, hi), s=s, z=learned), [(flat,)]
            )
    x = numbers(0.5, dtype, generator(2))
    x = x[: x.numel() // 12 * 12].reshape(3, -1, 4)
    for axis in (0, 1, 2):
        scales = torch.rand(x.shape[axis], generator=generator(3)) + 0.01
        scales[0] = 0.5
        whole = torch.randint(max(low, 0), min(high, 99), (x.shape[axis],), generator=generator(4))
        for form in ("fake_quantize_per_channel_affine", "fake_quantize_per_channel_affine_cachemask"):
            for kind, zeros in (("int32", whole.int()), ("float32", whole + 0.25)):
                cases[f"{form} [{low}, {high}] axis {axis} {kind}"] = Case(
                    Call(lambda x, s, z, f=form, i=axis, lo=low, hi=high: getattr(a, f)(x, s, z, i, lo, hi), s=scales, z=zeros), [(x,)]
                )
        cases[f"learnable channels [{low}, {high}] axis {axis}"] = Case(
            Call(lambda x, s, z, i=axis, lo=low, hi=high: a._fake_quantize_learnable_per_channel_affine(x, s, z, i, lo, hi), s=scales, z=whole + 0.5), [(x,)]
        )
        cases[f"decomposed channels [{low}, {high}] axis {axis}"] = Case(
            Call(lambda x, s, z, i=axis, lo=low, hi=high: qd.fake_quant_per_channel(x, s, z, i, lo, hi), s=scales, z=whole), [(x,)]
        )

for dtype in (torch.float16, torch.float64):
    x = torch.linspace(-3, 3, 101, dtype=dtype)
    cases[f"tensor {dtype}"] = Case(Call(lambda x: a.fake_quantize_per_tensor_affine(x, 0.13, 3, 0, 15)), [(x,)], within=(0.002,))
