"""torchao's ops, as that package defines them: it is not needed here, for its three ops are registered with the same arithmetic."""

import torch

from quantized.case import Call, Case, generator, name_of, numbers
from quantized.torchao_ops import register

ao = register()
cases: dict[str, Case] = {}

BLOCKS = {"tensor": (4, 8, 16), "axis 0": (1, 8, 16), "axis 1": (4, 1, 16), "token": (1, 1, 16), "groups": (1, 1, 4), "blocks": (2, 4, 8)}

for label, block in BLOCKS.items():
    shape = (4, 8, 16)
    counts = [size // b for size, b in zip(shape, block, strict=True)]
    for dtype, low, high in ((torch.int8, -128, 127), (torch.uint8, 0, 255), (torch.int8, -8, 7), (torch.int8, -127, 127)):
        name = f"{label} {name_of(dtype)} [{low}, {high}]"
        flat = numbers(0.5, dtype, generator(1)).repeat(4)[: 4 * 8 * 16]
        x = flat.reshape(shape)
        scale = torch.rand(counts, generator=generator(2)) + 0.01
        zero = torch.randint(max(low, -5), 6, counts, generator=generator(3)).to(torch.int32)
        q = torch.randint(low, high + 1, shape, generator=generator(4)).to(dtype)
        kept = {"s": scale, "z": zero}
        cases[f"quantize {name}"] = Case(Call(lambda x, s, z, b=block, d=dtype, lo=low, hi=high: ao.quantize_affine(x, b, s, z, d, lo, hi), **kept), [(x,)])
        cases[f"dequantize {name}"] = Case(Call(lambda q, s, z, b=block, d=dtype, lo=low, hi=high: ao.dequantize_affine(q, b, s, z, d, lo, hi), **kept), [(q,)])
        cases[f"dequantize {name} no zero"] = Case(Call(lambda q, s, b=block, d=dtype, lo=low, hi=high: ao.dequantize_affine(q, b, s, None, d, lo, hi), s=scale), [(q,)])
        for mapping in ("SYMMETRIC", "SYMMETRIC_NO_CLIPPING_ERR", "ASYMMETRIC"):
            if mapping == "SYMMETRIC_NO_CLIPPING_ERR" and low == 0:
                continue
            for keep in (False, True):
                for kind, y in (("normal", torch.randn(shape, generator=generator(5))), ("nothing", torch.zeros(shape)), ("positive", torch.rand(shape, generator=generator(6)))):
                    cases[f"choose {mapping} {name} {keep} {kind}"] = Case(
                        Call(lambda x, b=block, d=dtype, lo=low, hi=high, m=mapping, k=keep: ao.choose_qparams_affine(x, m, b, d, lo, hi, 1e-6, torch.float32, torch.int32, k)),
                        [(y,)],
                    )


def dynamic_linear(x, w, s, b):
    scale, zero = ao.choose_qparams_affine(x, "SYMMETRIC", [1, x.shape[1]], torch.int8, -128, 127, 1e-7, torch.float32, torch.int8, True)
    q = ao.quantize_affine(x, [1, x.shape[1]], scale, zero, torch.int8, -128, 127)
    sums = torch._int_mm((q.to(torch.int32) + 128).to(torch.uint8), w.t()) - w.t().sum(dim=0, keepdim=True, dtype=torch.int32) * 128
    return sums.float() * scale * s.flatten() + b


kept = {"w": torch.randint(-128, 128, (24, 64), generator=generator(7)).to(torch.int8), "s": torch.rand(24, 1, generator=generator(8)) * 0.01}
kept |= {"b": torch.randn(24, generator=generator(9))}
cases["dynamic linear"] = Case(Call(dynamic_linear, **kept), [(torch.randn(5, 64, generator=generator(10)),)], within=(0.05,))
for size in (32, 64):

    def weight_only(x, w, s, z, b, size=size):
        return torch.nn.functional.linear(x, ao.dequantize_affine(w, [1, size], s, z, torch.int8, -8, 7), b)

    kept = {"w": torch.randint(-8, 8, (24, 64), generator=generator(7)).to(torch.int8), "s": torch.rand(24, 64 // size, generator=generator(8)) * 0.01}
    kept |= {"z": torch.randint(-2, 3, (24, 64 // size), generator=generator(9)).to(torch.int8), "b": torch.randn(24, generator=generator(9))}
    cases[f"weight only, groups of {size}"] = Case(Call(weight_only, **kept), [(torch.randn(5, 64, generator=generator(10)),)], within=(1e-3,))
