"""Scales and zeros chosen for the numbers at hand."""

import torch

from quantized.case import INTEGERS, Call, Case, bounds, generator, name_of

qd = torch.ops.quantized_decomposed
cases: dict[str, Case] = {}

inputs = {
    "normal": torch.randn(4, 6, 5, generator=generator(1)),
    "positive": torch.rand(4, 6, 5, generator=generator(2)) + 1,
    "negative": -torch.rand(4, 6, 5, generator=generator(3)) - 1,
    "nothing": torch.zeros(4, 6, 5),
    "small": torch.randn(4, 6, 5, generator=generator(4)) * 1e-6,
    "large": torch.randn(4, 6, 5, generator=generator(5)) * 1e30,
    "one": torch.tensor([[1.7]]),
}

for label, x in inputs.items():
    for dtype in INTEGERS:
        low, high = bounds(dtype)
        for eps in (2.0**-12, 2.0**-23):
            name = f"{label} {name_of(dtype)} eps {eps:.2g}"
            cases[f"choose {name}"] = Case(Call(lambda x, a=low, b=high, e=eps, d=dtype: qd.choose_qparams.tensor(x, a, b, e, d)), [(x,)])
            cases[f"choose symmetric {name}"] = Case(
                Call(lambda x, a=low, b=high, e=eps, d=dtype: qd.choose_qparams_symmetric.tensor(x, a, b, e, d)), [(x,)]
            )

            def dynamic(x, a=low, b=high, e=eps, d=dtype):
                scale, zero = qd.choose_qparams.tensor(x, a, b, e, d)
                q = qd.quantize_per_tensor.tensor(x, scale, zero, a, b, d)
                return q, qd.dequantize_per_tensor.tensor(q, scale, zero, a, b, d)

            step = float(max((x.max().clamp(min=0) - x.min().clamp(max=0)) / (high - low), eps)) * 1.001
            cases[f"dynamic {name}"] = Case(Call(dynamic), [(x,)], within=(1.0, step))
    for choose in ("choose_qparams_per_token", "choose_qparams_per_token_asymmetric"):

        def tokens(x, choose=choose):
            scale, zero = getattr(qd, choose)(x, torch.int8)
            q = qd.quantize_per_token(x, scale, zero, -128, 127, torch.int8)
            return q, qd.dequantize_per_token(q, scale, zero, -128, 127, torch.int8, torch.float32)

        step = float(x.abs().max() * 2 / 255 + 1e-5) * 1.001
        cases[f"{choose} {label} there and back"] = Case(Call(tokens), [(x,)], within=(1.0, step))
    cases[f"inner asymmetric {label}"] = Case(Call(lambda x: qd._choose_qparams_per_token_asymmetric_impl(x, torch.int8)), [(x,)])
    cases[f"per token asymmetric {label}"] = Case(Call(lambda x: qd.choose_qparams_per_token_asymmetric(x, torch.int8)), [(x,)])
