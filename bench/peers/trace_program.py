"""A `.pt2` as TorchScript, for the peer that serves it so: python trace_program.py PROGRAM OUT OUTPUT_INDEX DTYPE:SHAPE ..."""

import sys

import torch

program, out, index = sys.argv[1], sys.argv[2], int(sys.argv[3])


class One(torch.nn.Module):
    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, *inputs):
        outputs = self.module(*inputs)
        outputs = tuple(outputs.values()) if isinstance(outputs, dict) else outputs
        return outputs[index] if isinstance(outputs, (tuple, list)) else outputs


def example(text):
    dtype, shape = text.split(":")
    return torch.ones([int(size) for size in shape.split(",")], dtype=getattr(torch, dtype))


with torch.no_grad():
    torch.jit.trace(One(torch.export.load(program).module()), tuple(map(example, sys.argv[3 + 1 :])), check_trace=False).save(out)
