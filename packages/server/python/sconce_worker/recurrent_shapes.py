"""What recurrent layers give, said in shapes alone, so that the length of a sequence stays free in an export."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Callable, Iterator, Sequence

import torch

_OPS = ("lstm", "gru", "rnn_tanh", "rnn_relu")


@contextmanager
def free_lengths() -> Iterator[None]:
    """
    torch.export finds what these layers give by unrolling them over time, which makes a constant of the length. Does nothing with a PyTorch
    that has no place for another rule; the length is a constant then, and the report says so.
    """
    replaced: list[tuple[object, dict[object, object]]] = []
    try:
        for name in _OPS:
            op = getattr(torch.ops.aten, name).input
            kernels, cache = getattr(op, "py_kernels", None), getattr(op, "_dispatch_cache", None)
            if isinstance(kernels, dict) and isinstance(cache, dict):
                replaced.append((op, dict(kernels)))
                kernel = _shapes_only(op, kernels.get(torch._C.DispatchKey.CompositeImplicitAutograd))
                for key in (torch._C.DispatchKey.CompositeImplicitAutograd, torch._C.DispatchKey.Autograd):
                    kernels[key] = kernel
                cache.clear()
        yield
    finally:
        for op, kernels in replaced:
            op.py_kernels.clear()
            op.py_kernels.update(kernels)
            op._dispatch_cache.clear()


def _shapes_only(op: Callable[..., object], known: Callable[..., object] | None) -> Callable[..., object]:
    """`op(input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first)`; an LSTM has two tensors in `hx`."""
    names = [argument.name for argument in op._schema.arguments]

    def kernel(*args: object, **kwargs: object) -> object:
        given = {**dict(zip(names, args)), **kwargs}
        rows = given["input"]
        if not isinstance(rows, torch._subclasses.FakeTensor):
            return op.decompose(*args, **kwargs) if known is None else known(*args, **kwargs)
        states: Sequence[torch.Tensor] = given["hx"] if isinstance(given["hx"], (list, tuple)) else [given["hx"]]
        width = states[0].shape[-1] * (2 if given["bidirectional"] else 1)
        return rows.new_empty((*rows.shape[:-1], width)), *(state.new_empty(state.shape) for state in states)

    return kernel
