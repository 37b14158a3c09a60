"""Makes the op oracle: PyTorch's own op samples as exported programs, with the outputs of eager PyTorch.

    python make_op_fixtures.py FOLDER [--filter NAME]

The folder gets one pack (see fixture_pack.py) per entry of PyTorch's op database (op_db). Each sample becomes a module: its tensors are the inputs, all else is part of the program.
Variants of a sample: as it is, in place (`add_`), and decomposed to Core ATen.
"""

import argparse
import logging
import random
import sys
import warnings
from pathlib import Path

import numpy as np
import torch
from fixture_pack import Pack, Skip, clones, close, decomposed, export, is_core, saved, targets_of, tensors_of
from torch import nn
from torch.testing._internal.common_methods_invocations import op_db
from torch.utils import _pytree as pytree

DTYPES = (torch.float32, torch.int64, torch.bool)
SAMPLES = 8
IN_PLACE_SAMPLES = 2
CORE_SAMPLES = 2
MAX_TENSOR_BYTES = 1 << 18

UNDEFINED = {
    name: "its result is uninitialised memory"
    for name in ("empty", "empty_like", "empty_permuted", "empty_strided", "new_empty", "new_empty_strided", "resize_", "resize_as_")
}

# Ops that may return any of several equally right positions when values tie.
TIES = {"topk", "sort", "argsort", "kthvalue", "median", "nanmedian", "mode", "msort"}

# Vectors that are unique up to their sign, by the positions of the results; scripts/python/fixtures/decompositions.py compares what they make up.
VECTORS = {"linalg.eigh": (1,), "linalg.svd": (0, 2), "svd": (0, 2)}

# Ops whose float32 results PyTorch itself rounds by more than the tolerance: float64 tells what they should be.
ROUNDED = {"matrix_exp"}


class Call(nn.Module):
    """One call of an op; tensors come as inputs, all other arguments are fixed."""

    def __init__(self, function, args: object, in_place: bool) -> None:
        super().__init__()
        self.function, self.in_place = function, in_place
        self.leaves, self.spec = pytree.tree_flatten(args)

    def forward(self, *tensors: torch.Tensor) -> list[torch.Tensor]:
        given = iter(tensors)
        leaves = [next(given) if isinstance(leaf, torch.Tensor) else leaf for leaf in self.leaves]
        args, kwargs = pytree.tree_unflatten(leaves, self.spec)
        if self.in_place:
            target = args[0].clone()
            self.function(target, *args[1:], **kwargs)
            return [target]
        return tensors_of(self.function(*args, **kwargs))


def seed(number: int) -> None:
    torch.manual_seed(number)
    np.random.seed(number)
    random.seed(number)


def spread(items: list, count: int) -> list:
    """At most `count` items, evenly spread, with their positions."""
    indexed = list(enumerate(items))
    if len(items) <= count:
        return indexed
    if count == 1:
        return [indexed[len(items) // 2]]
    return [indexed[round(i * (len(items) - 1) / (count - 1))] for i in range(count)]


def eager(module: nn.Module, tensors: list[torch.Tensor]) -> list[torch.Tensor]:
    try:
        with torch.no_grad():
            return tensors_of(module(*clones(tensors)))
    except Exception as error:
        raise Skip(f"PyTorch refuses it: {type(error).__name__}") from error


def expected(module: nn.Module, tensors: list[torch.Tensor]) -> list[torch.Tensor]:
    """Eager outputs; the op must give the same whatever the seed."""
    seed(1)
    first = eager(module, tensors)
    seed(2)
    second = eager(module, tensors)
    if not first:
        raise Skip("it returns no tensor")
    if not close(first, second):
        raise Skip("its result is random")
    return first


def has_ties(tensors: list[torch.Tensor]) -> bool:
    return any(t.numel() != torch.unique(t).numel() for t in tensors[:1])


def unspecified(name: str, tensors: list[torch.Tensor], outputs: list[torch.Tensor]) -> list[bool]:
    ties = name in TIES and has_ties(tensors)
    only_positions = name in {"argsort"}
    vectors = VECTORS.get(name, ())
    faulty = name.endswith("_ex") and name.startswith("linalg.") and outputs[-1].any().item()
    return [i in vectors or (faulty and i < len(outputs) - 1) or (ties and output.dtype == torch.int64 and (only_positions or i == 1)) for i, output in enumerate(outputs)]


def exactly(name: str, module: nn.Module, tensors: list[torch.Tensor], outputs: list[torch.Tensor]) -> list[torch.Tensor]:
    """The outputs, or what they should be where PyTorch rounds them too coarsely."""
    if name not in ROUNDED:
        return outputs
    wide = eager(module, [t.double() if t.dtype == torch.float32 else t for t in tensors])
    return [t.to(o.dtype) for t, o in zip(wide, outputs, strict=True)]


def is_undecided(name: str, tensors: list[torch.Tensor]) -> bool:
    """Whether rounding decides what PyTorch answers: of a singular matrix, factors of it and whether it is found to be singular."""
    if not name.startswith(("linalg.", "pinverse", "lu", "logdet", "cholesky", "inverse", "slogdet")):
        return False
    square = [t.double() for t in tensors[:1] if t.is_floating_point() and t.dim() > 1 and t.numel() > 0 and t.isfinite().all()]
    return any((torch.linalg.matrix_rank(t) < min(t.shape[-2:])).any().item() for t in square)


def add_sample(pack: Pack, label: str, module: Call, tensors: list[torch.Tensor], core: bool) -> None:
    """Adds one sample and, if asked, its decomposed form."""
    if sum(t.numel() * t.element_size() for t in tensors) > MAX_TENSOR_BYTES:
        raise Skip("its tensors are large")
    outputs = expected(module, tensors)
    outputs = exactly(pack.op, module, tensors, outputs)
    free = unspecified(pack.op, tensors, outputs)
    program = export(module, tuple(tensors))
    forms = [(label, program)]
    if core:
        forms += decomposed(label, program)
    for name, form in forms:
        if pack.op not in ROUNDED:
            check_export(form, tensors, outputs)
        form._example_inputs = None
        pack.samples.append(
            {
                "id": name,
                "targets": targets_of(form),
                "core": is_core(form),
                "program": pack.place(saved(form)),
                "runs": [
                    {
                        "inputs": [pack.tensor(t) for t in tensors],
                        "outputs": [pack.tensor(t, f) for t, f in zip(outputs, free, strict=True)],
                    }
                ],
            }
        )


def check_export(program, tensors: list[torch.Tensor], outputs: list[torch.Tensor]) -> None:
    """PyTorch's own run of the program must agree with eager PyTorch, else the sample proves nothing."""
    try:
        with torch.no_grad():
            again = tensors_of(program.module()(*clones(tensors)))
    except Exception as error:
        raise Skip(f"PyTorch cannot run its own program: {type(error).__name__}") from error
    if not close(again, outputs):
        raise Skip("PyTorch's own program gives another result than eager PyTorch")


def contiguous(value: object) -> object:
    for tensor in tensors_of(value):
        if tensor.layout is not torch.strided:
            raise Skip(f"a tensor has layout {str(tensor.layout).removeprefix('torch.')}")
    return pytree.tree_map_only(torch.Tensor, lambda t: t.detach().clone(memory_format=torch.contiguous_format), value)


def op_pack(info) -> Pack:
    pack = Pack(info.full_name if hasattr(info, "full_name") else info.name)
    for dtype in DTYPES:
        if dtype not in info.supported_dtypes("cpu"):
            continue
        kind = str(dtype).removeprefix("torch.")
        if info.name in UNDEFINED:
            pack.skip(kind, UNDEFINED[info.name])
            continue
        seed(0)
        samples = list(info.sample_inputs("cpu", dtype, requires_grad=False))
        for rank, (index, sample) in enumerate(spread(samples, SAMPLES)):
            forms = [(f"{kind}-{index}", info.op, False)]
            if info.inplace_variant and rank < IN_PLACE_SAMPLES and isinstance(sample.input, torch.Tensor):
                forms.append((f"{kind}-{index}-in-place", info.inplace_variant, True))
            for label, function, in_place in forms:
                try:
                    args = contiguous(((sample.input, *sample.args), sample.kwargs))
                    module = Call(function, args, in_place)
                    tensors = tensors_of(args)
                    add_sample(pack, label, module, tensors, core=rank < CORE_SAMPLES and not in_place)
                except Skip as skip:
                    pack.skip(label, str(skip))
    return pack


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--filter", default="", help="only packs whose name contains this")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)  # fake tensors report what the skips already say
    torch.set_num_threads(1)
    args.folder.mkdir(parents=True, exist_ok=True)
    total = {"packs": 0, "samples": 0, "skipped": 0, "bytes": 0}
    for info in op_db:
        if args.filter not in info.full_name:
            continue
        pack = op_pack(info)
        size = pack.write(args.folder)
        for key, count in zip(total, (1, len(pack.samples), len(pack.skipped), size), strict=True):
            total[key] += count
        print(f"{pack.op}: {len(pack.samples)} samples, {len(pack.skipped)} skipped", file=sys.stderr, flush=True)
    print(total)


if __name__ == "__main__":
    main()
