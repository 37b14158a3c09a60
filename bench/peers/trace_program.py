"""A `.pt2` as TorchScript, for the peer that serves it so: python trace_program.py PROGRAM OUT OUTPUT_INDEX NAME:DTYPE:SHAPE ...

A program of several inputs takes them by name, as `bench_models.py` exports it."""

import sys

import torch
import transformers.modeling_outputs  # noqa: F401  (the types that exported language models return)

program, out, index = sys.argv[1], sys.argv[2], int(sys.argv[3])
INPUTS = [entry.split(":") for entry in sys.argv[4:]]


class One(torch.nn.Module):
    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, *inputs):
        names = [name for name, _, _ in INPUTS]
        outputs = self.module(*inputs) if len(inputs) == 1 else self.module(**dict(zip(names, inputs)))
        outputs = tuple(outputs.values()) if isinstance(outputs, dict) else outputs
        return outputs[index] if isinstance(outputs, (tuple, list)) else outputs


def example(dtype, shape):
    return torch.ones([int(size) for size in shape.split(",")], dtype=getattr(torch, dtype))


with torch.no_grad():
    examples = tuple(example(dtype, shape) for _, dtype, shape in INPUTS)
    torch.jit.trace(One(torch.export.load(program).module()), examples, check_trace=False).save(out)
