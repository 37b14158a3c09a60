"""quantize_per_tensor and dequantize_per_tensor, with numbers and with tensors as scale and zero."""

import torch

from quantized.case import INTEGERS, SCALES, Call, Case, bounds, codes, generator, name_of, numbers, ranges, zeros

qd = torch.ops.quantized_decomposed
cases: dict[str, Case] = {}


def floats(scale: float, dtype: torch.dtype) -> list[tuple[torch.Tensor]]:
    flat = numbers(scale, dtype, generator(1))
    return [(flat,), (torch.empty(0),), (flat[:24].reshape(2, 3, 4),), (torch.tensor(0.7),), (torch.empty(2, 0, 3),)]


for dtype in INTEGERS:
    name = name_of(dtype)
    for low, high in ranges(dtype):
        for zero in zeros(dtype):
            for scale in SCALES:
                label = f"{name} [{low}, {high}] zero {zero} scale {scale:.3f}"
                for i, args in enumerate(floats(scale, dtype)):
                    cases[f"quantize {label} {i}"] = Case(
                        Call(lambda x, s=scale, z=zero, a=low, b=high, d=dtype: qd.quantize_per_tensor(x, s, z, a, b, d)), [args], within=(1.0,)
                    )
    low, high = bounds(dtype)
    for zero in zeros(dtype):
        args = (codes(dtype, 3, 20, rng=generator(2)),)
        cases[f"dequantize {name} zero {zero}"] = Case(
            Call(lambda q, z=zero, a=low, b=high, d=dtype: qd.dequantize_per_tensor(q, 0.037, z, a, b, d)), [args]
        )
        cases[f"dequantize {name} zero {zero} half"] = Case(
            Call(lambda q, z=zero, a=low, b=high, d=dtype: qd.dequantize_per_tensor(q, 0.037, z, a, b, d, out_dtype=torch.float16).float()), [args], within=(0.003 * high,)
        )
        scale_at, zero_at = torch.tensor([0.037], dtype=torch.float64), torch.tensor([zero])
        flat = numbers(0.037, dtype, generator(3))
        for kind, given in (("input", (scale_at, zero_at)), ("kept", ())):
            kept = {} if given else {"s": scale_at, "z": zero_at}
            for form in ("tensor", "tensor2"):
                ends = (low, high) if form == "tensor" else ()
                more = {} if form == "tensor" else {"a": torch.tensor(low), "b": torch.tensor(high)}

                def quantize(x, s, z, a=None, b=None, d=dtype, form=form, ends=ends):
                    lo, hi = ends or (a, b)
                    return getattr(qd.quantize_per_tensor, form)(x, s, z, lo, hi, d)

                def dequantize(q, s, z, a=None, b=None, d=dtype, form=form, ends=ends):
                    lo, hi = ends or (a, b)
                    return getattr(qd.dequantize_per_tensor, form)(q, s, z, lo, hi, d)

                cases[f"quantize.{form} {name} zero {zero} {kind}"] = Case(Call(quantize, **kept, **more), [(flat, *given)], within=(1.0,))
                cases[f"dequantize.{form} {name} zero {zero} {kind}"] = Case(Call(dequantize, **kept, **more), [(*args, *given)])

cases["quantize beyond the zero"] = Case(Call(lambda x: qd.quantize_per_tensor(x, 0.1, 300, 0, 255, torch.uint8)), [(torch.linspace(-60, 60, 200),)])
cases["quantize tiny scale"] = Case(Call(lambda x: qd.quantize_per_tensor(x, 1e-40, 0, -128, 127, torch.int8)), [(torch.tensor([1.0, -1.0, 0.5, 1e-39]),)])
cases["quantize half"] = Case(Call(lambda x: qd.quantize_per_tensor(x, 0.1, 3, 0, 255, torch.uint8)), [(torch.linspace(-3, 30, 200).half(),)], within=(1.0,))
cases["convert"] = Case(Call(lambda x: qd.convert_element_type.no_fuse(x, torch.int32)), [(torch.linspace(-9, 9, 13),)])
cases["there and back, free size"] = Case(
    Call(lambda x: qd.dequantize_per_tensor(qd.quantize_per_tensor(x, 0.1, 3, 0, 255, torch.uint8), 0.1, 3, 0, 255, torch.uint8)),
    [(torch.linspace(-3, 30, 12).reshape(4, 3),), (torch.linspace(-3, 30, 15).reshape(5, 3),), (torch.empty(0, 3),)],
    within=(0.1,),
    dynamic=({0: torch.export.Dim("n", min=0)},),
)
