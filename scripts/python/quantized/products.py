"""Products of codes, and layers between codes."""

import torch
import torch.nn.functional as F

from quantized.case import NARROW, Call, Case, bounds, codes, generator, name_of

a = torch.ops.aten
qd = torch.ops.quantized_decomposed
cases: dict[str, Case] = {}

for rows in (1, 3, 17):
    cases[f"int_mm {rows}"] = Case(
        Call(lambda x, y: a._int_mm(x, y)), [(codes(torch.int8, rows, 16, rng=generator(1)), codes(torch.int8, 16, 24, rng=generator(2)))]
    )
    cases[f"int_mm kept {rows}"] = Case(Call(lambda x, y: a._int_mm(x, y), y=codes(torch.int8, 16, 24, rng=generator(2))), [(codes(torch.int8, rows, 16, rng=generator(1)),)])
    cases[f"int_mm unsigned {rows}"] = Case(
        Call(lambda x, y: a._int_mm(x, y), y=codes(torch.int8, 16, 24, rng=generator(2))), [(codes(torch.uint8, rows, 16, rng=generator(1)),)]
    )
    cases[f"int8pack {rows}"] = Case(
        Call(lambda x, w, s: a._weight_int8pack_mm(x, w, s), w=codes(torch.int8, 24, 32, rng=generator(3)), s=torch.rand(24, generator=generator(4))),
        [(torch.randn(rows, 32, generator=generator(5)),)],
        within=(1e-3,),
    )


def there_and_back(x, dtype, scale, zero):
    low, high = bounds(dtype)
    return qd.dequantize_per_tensor(qd.quantize_per_tensor(x, scale, zero, low, high, dtype), scale, zero, low, high, dtype)


def weights(rows: int, columns: int, *, offset: bool = False) -> dict[str, torch.Tensor]:
    zeros = torch.randint(-5, 6, (rows,), generator=generator(7)) if offset else torch.zeros(rows, dtype=torch.int64)
    return {"w": codes(torch.int8, rows, columns, rng=generator(6)), "s": torch.rand(rows, generator=generator(8)) * 0.01 + 1e-3, "z": zeros}


LAYERS = {
    "linear": lambda x, w, b: F.linear(x, w, b),
    "linear without bias": lambda x, w, b: F.linear(x, w),
    "matmul": lambda x, w, b: x @ w.t(),
    "addmm": lambda x, w, b: torch.addmm(b, x.reshape(-1, 32), w.t()),
    "linear of a view": lambda x, w, b: F.linear(x.reshape(-1, 32), w, b),
    "both ways": lambda x, w, b: (F.linear(x, w, b), x.relu()),
}
for dtype in NARROW:
    for layer, run in LAYERS.items():
        for offset in (False, True):
            for shape in ((1, 32), (2, 5, 32), (17, 32), (0, 32), (2, 2, 3, 32)):

                def product(x, w, s, z, b, run=run, dtype=dtype):
                    zero = 3 if dtype == torch.int8 else 117
                    return run(there_and_back(x, dtype, 0.05, zero), qd.dequantize_per_channel(w, s, z, 0, -128, 127, torch.int8), b)

                kept = {**weights(24, 32, offset=offset), "b": torch.randn(24, generator=generator(9))}
                x = torch.randn(*shape, generator=generator(10)) * 3
                label = f"{layer} {name_of(dtype)} {'offset ' if offset else ''}{shape}"
                # A number in the middle between two codes may move a product by one code of it.
                cases[label] = Case(Call(product, **kept), [(x,)], within=(0.05 * 128 * 0.011, 0.05))

def per_tensor_weight(x, w, b):
    return F.linear(there_and_back(x, torch.uint8, 0.05, 117), qd.dequantize_per_tensor(w, 0.02, 0, -127, 127, torch.int8), b)


cases["linear, one scale"] = Case(
    Call(per_tensor_weight, w=codes(torch.int8, 24, 32, rng=generator(6)), b=torch.randn(24, generator=generator(9))),
    [(torch.randn(4, 32, generator=generator(10)),)],
    within=(0.05 * 128 * 0.02,),
)
for padding in (0, 1):
    for groups in (1, 2):

        def convolution(x, w, s, z, b, padding=padding, groups=groups):
            y = F.conv2d(there_and_back(x, torch.uint8, 0.05, 117), qd.dequantize_per_channel(w, s, z, 0, -128, 127, torch.int8), b, 1, padding, 1, groups)
            return there_and_back(torch.relu(y), torch.uint8, 0.06, 0)

        kept = {"w": codes(torch.int8, 8, 4 // groups, 3, 3, rng=generator(1)), "s": torch.rand(8, generator=generator(2)) * 0.01 + 1e-3}
        kept |= {"z": torch.zeros(8, dtype=torch.int64), "b": torch.randn(8, generator=generator(3))}
        cases[f"convolution padding {padding} groups {groups}"] = Case(Call(convolution, **kept), [(torch.randn(2, 4, 9, 9, generator=generator(4)),)], within=(0.0601,))


UNEVEN = torch.tensor([50.0, 1, 0.5, 0.02, 0.01, 1, 0.3, 2])
FLOATS = {
    "conv2d": (lambda x, w, b: F.conv2d(x, w, b, padding=1), (8, 4, 3, 3), (2, 4, 9, 9)),
    "conv1d": (lambda x, w, b: F.conv1d(x, w, b), (8, 4, 3), (2, 4, 9)),
    "conv_transpose2d": (lambda x, w, b: F.conv_transpose2d(x, w, b), (4, 8, 3, 3), (2, 4, 9, 9)),
    "linear": (lambda x, w, b: F.linear(x, w, b), (8, 32), (5, 32)),
    "linear3": (lambda x, w, b: F.linear(x, w), (8, 32), (2, 5, 32)),
    "matmul": (lambda x, w, b: x @ w.t(), (8, 32), (5, 32)),
    "addmm": (lambda x, w, b: torch.addmm(b, x, w.t()), (8, 32), (5, 32)),
    "bmm": (lambda x, w, b: torch.bmm(x, w), (2, 32, 8), (2, 5, 32)),
}
for layer, (run, weight_shape, shape) in FLOATS.items():
    for coded in (False, True):
        for clamp in (False, True):
            axis = weight_shape.index(8)
            weight = torch.randn(weight_shape, generator=generator(1)) * UNEVEN.reshape([8 if i == axis else 1 for i in range(len(weight_shape))])
            scale = weight.abs().amax([i for i in range(len(weight_shape)) if i != axis]) / 127
            kept = {"b": torch.randn(8, generator=generator(2)) * 9}
            kept |= {"w": torch.round(weight / scale.reshape([8 if i == axis else 1 for i in range(len(weight_shape))])).to(torch.int8), "s": scale} if coded else {"w": weight}

            def between(x, w, b, s=None, run=run, axis=axis, clamp=clamp):
                """Float or coded weights of very different size between codes: ONNX Runtime must not make codes of its own of them."""
                if s is not None:
                    w = qd.dequantize_per_channel(w, s, None, axis, -127, 127, torch.int8)
                y = run(there_and_back(x, torch.uint8, 0.02, 128), w, b)
                y = torch.relu(y) if clamp else y
                return there_and_back(y, torch.uint8, 0.02, 0 if clamp else 128)

            cases[f"between {layer} {'coded' if coded else 'float'} {'relu' if clamp else ''}"] = Case(
                Call(between, **kept), [(torch.randn(*shape, generator=generator(4)),)], within=(0.0201,)
            )


def embedded(i, w, s, z):
    return F.embedding(i, qd.dequantize_per_channel(w, s, z, 0, -128, 127, torch.int8))


cases["embedding"] = Case(Call(embedded, **weights(20, 8, offset=True)), [(torch.tensor([[0, 19, 3], [7, 7, 1]]),)])
cases["embedding, one scale"] = Case(
    Call(lambda i, w: F.embedding(i, qd.dequantize_per_tensor(w, 0.02, 3, -128, 127, torch.int8)), w=codes(torch.int8, 20, 8, rng=generator(6))),
    [(torch.tensor([[0, 19, 3], [7, 7, 1]]),)],
)
for size in (16, 32, 128):
    for low, high in ((-8, 7), (-128, 127)):
        for offset in (False, True):

            def grouped(x, w, s, z, b, size=size, low=low, high=high):
                return F.linear(x, qd.dequantize_per_channel_group(w, s, z, low, high, torch.int8, size, torch.float32), b)

            kept = {"w": torch.randint(low, high + 1, (24, 128), generator=generator(1)).to(torch.int8), "s": torch.rand(24, 128 // size, generator=generator(2)) * 0.01}
            kept |= {"z": torch.randint(-3 if offset else 0, 4 if offset else 1, (24, 128 // size), generator=generator(3)), "b": torch.randn(24, generator=generator(4))}
            for rows in (1, 9):
                cases[f"linear groups of {size} [{low}, {high}] {'offset ' if offset else ''}rows {rows}"] = Case(
                    Call(grouped, **kept), [(torch.randn(rows, 128, generator=generator(5)),)], within=(2e-4 if high < 8 else 2e-3,)
                )


def weight_only(x, w, s, z, b):
    return F.linear(x, qd.dequantize_per_channel(w, s, z, 0, -128, 127, torch.int8), b)


for columns in (32, 48, 100, 256):
    kept = {**weights(24, columns), "b": torch.randn(24, generator=generator(9))}
    cases[f"weight only {columns}"] = Case(Call(weight_only, **kept), [(torch.randn(5, columns, generator=generator(10)),)], within=(1e-3,))
