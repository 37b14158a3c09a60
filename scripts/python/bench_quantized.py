"""PyTorch's side of the benchmark of quantized programs: BERT-base, float and with every linear layer as pt2e or torchao writes it.

    python bench_quantized.py FOLDER THREADS

Writes FOLDER/bert-KIND.pt2 once, and prints one JSON line per kind: the milliseconds of a run in PyTorch. FOLDER/bert.bin holds the inputs,
FOLDER/bert-KIND.bin the answer.
"""

import json
import sys
from pathlib import Path

import torch
import torch.ao.quantization.fx._decomposed  # noqa: F401  (registers torch.ops.quantized_decomposed)
from bench_models import median_ms, text
from quantized.torchao_ops import register
from torch import nn

qd = torch.ops.quantized_decomposed
ao = register()


class Coded(nn.Module):
    """A linear layer whose weight is int8, a scale for each output."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        weight = linear.weight.detach()
        scale = weight.abs().amax(1) / 127
        self.register_buffer("codes", torch.round(weight / scale[:, None]).to(torch.int8))
        self.register_buffer("scale", scale)
        self.register_buffer("zero", torch.zeros(len(scale), dtype=torch.int64))
        self.register_buffer("bias", linear.bias.detach())
        self.most = 0.0

    def weight(self) -> torch.Tensor:
        return qd.dequantize_per_channel(self.codes, self.scale, self.zero, 0, -128, 127, torch.int8)


class Measured(Coded):
    def forward(self, x):
        self.most = max(self.most, float(x.abs().max()))
        return nn.functional.linear(x, self.weight(), self.bias)


class Static(Coded):
    def forward(self, x):
        scale = self.most / 127
        q = qd.quantize_per_tensor(x, scale, 128, 0, 255, torch.uint8)
        return nn.functional.linear(qd.dequantize_per_tensor(q, scale, 128, 0, 255, torch.uint8), self.weight(), self.bias)


class Dynamic(Coded):
    def forward(self, x):
        scale, zero = qd.choose_qparams.tensor(x, 0, 255, 2.0**-12, torch.uint8)
        q = qd.quantize_per_tensor.tensor(x, scale, zero, 0, 255, torch.uint8)
        return nn.functional.linear(qd.dequantize_per_tensor.tensor(q, scale, zero, 0, 255, torch.uint8), self.weight(), self.bias)


class Nibbles(nn.Module):
    """torchao's 4-bit weights in groups of 32."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        weight = linear.weight.detach()
        groups = weight.reshape(len(weight), -1, 32)
        scale = groups.abs().amax(2) / 7.5
        self.register_buffer("codes", torch.clamp(torch.round(groups / scale[..., None]), -8, 7).to(torch.int8).reshape(weight.shape))
        self.register_buffer("scale", scale)
        self.register_buffer("zero", torch.zeros_like(scale, dtype=torch.int8))
        self.register_buffer("bias", linear.bias.detach())

    def forward(self, x):
        weight = ao.dequantize_affine(self.codes, [1, 32], self.scale, self.zero, torch.int8, -8, 7)
        return nn.functional.linear(x, weight, self.bias)


def replaced(module: nn.Module, make) -> nn.Module:
    for name, child in module.named_children():
        if isinstance(child, (nn.Linear, Coded)):
            setattr(module, name, make(child))
        else:
            replaced(child, make)
    return module


def static(model: nn.Module, inputs: dict) -> nn.Module:
    replaced(model, Measured)(**inputs)

    def frozen(layer: Measured) -> Static:
        layer.__class__ = Static
        return layer

    return replaced(model, frozen)


def main() -> None:
    folder, threads = Path(sys.argv[1]), int(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(threads)
    kinds = {
        "float": lambda model, _: model,
        "static int8": static,
        "dynamic int8": lambda model, _: replaced(model, Dynamic),
        "int4 weights": lambda model, _: replaced(model, Nibbles),
    }
    for kind, quantize in kinds.items():
        torch.manual_seed(0)
        model, make = text()
        inputs = make(1)
        (folder / "bert.bin").write_bytes(b"".join(v.numpy().tobytes() for v in inputs.values()))
        name = f"bert-{kind.replace(' ', '-')}"
        with torch.inference_mode():
            model = quantize(model.eval(), inputs)
        with torch.no_grad():
            torch.export.save(torch.export.export(model, (), dict(inputs)), folder / f"{name}.pt2")
            (folder / f"{name}.bin").write_bytes(model(**inputs)[0].numpy().tobytes())
            eager = median_ms(lambda model=model: model(**inputs))
        shapes = {k: [str(v.dtype).removeprefix("torch."), list(v.shape)] for k, v in inputs.items()}
        print(json.dumps({"kind": kind, "name": name, "inputs": shapes, "eagerMs": eager}), flush=True)


if __name__ == "__main__":
    main()
