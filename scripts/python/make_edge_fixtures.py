"""Makes packs of edge inputs (see edges/) for the programs of the op oracle, with what PyTorch's own program answers or raises.

    python make_edge_fixtures.py FOLDER [--seed N] [--kind NAME ...] [--filter NAME ...] [--samples N] [--limit N]

The programs: PyTorch's op database (float32 and int64), the hand-written modules of op_modules, and those of edge_programs.
"""

import argparse
import logging
import os
import resource
import sys
import warnings
import zlib
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import torch
from edges import KINDS, Endless, Subject, answer, subjects_of
from fixture_pack import Pack, Skip, close, is_core, saved, targets_of, tensors_of
from make_op_fixtures import UNDEFINED, Call, contiguous, is_undecided, seed, spread, unspecified
from op_modules import FAMILIES
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.testing._internal.common_methods_invocations import op_db

MAX_ELEMENTS = 1 << 14

# What PyTorch may take for one answer: an index of 2^31 - 1 is also the number of a bin, or of repetitions.
MAX_BYTES = 6 << 30
# And the seconds of processor time for all inputs of one op or case; what is answered by then is kept.
MAX_SECONDS = 240
MAX_OUTPUT_ELEMENTS = 1 << 20

# Ops of numbers, not of indices, in which large ones cancel.
CANCELLING = {"nn.functional.triplet_margin_loss", "nn.functional.triplet_margin_with_distance_loss"}

# Ops that take rows in ascending order, and which of their operands that are.
SORTED = {"searchsorted": 0, "bucketize": 1}


def op_modules(info, samples: int) -> Iterator[tuple[str, torch.nn.Module, list[torch.Tensor]]]:
    for dtype in (torch.float32, torch.int64):
        if dtype not in info.supported_dtypes("cpu") or info.name in UNDEFINED:
            continue
        seed(0)
        given = [s for s in info.sample_inputs("cpu", dtype, requires_grad=False) if is_roomy(s)]
        for index, sample in spread(given, samples):
            try:
                args = contiguous(((sample.input, *sample.args), sample.kwargs))
            except Skip:
                continue
            yield f"{str(dtype).removeprefix('torch.')}-{index}", Call(info.op, args, False), tensors_of(args)


def is_roomy(sample) -> bool:
    """Whether its sizes can be freed: PyTorch takes 0 and 1 for constants."""
    tensors = tensors_of((sample.input, sample.args, sample.kwargs))
    return 0 < sum(t.numel() for t in tensors) <= MAX_ELEMENTS and all(size > 1 for size in tensors[0].shape)


def case_modules(cases: dict) -> Iterator[tuple[str, torch.nn.Module, list[torch.Tensor]]]:
    for label, case in cases.items():
        torch.manual_seed(0)
        args = case.runs()[0]
        if case.precision is None and all(isinstance(a, torch.Tensor) for a in args):
            torch.manual_seed(1)
            yield label, case.make().eval(), list(args)


def add(pack: Pack, subject: Subject, kinds: list[str], limit: int, number: int) -> None:
    program, targets, core = saved_bare(subject), targets_of(subject.program), is_core(subject.program)
    for kind in kinds:
        rng = np.random.default_rng([number, zlib.crc32(f"{pack.op} {subject.label} {kind}".encode())])
        for _, (label, tensors) in spread(list(KINDS[kind](subject, rng)), limit):
            if pack.op in SORTED:
                tensors = [t.sort(-1)[0] if i == SORTED[pack.op] else t for i, t in enumerate(tensors)]
            name = f"{subject.label} {kind} {label}"
            if is_undecided(pack.op, tensors):
                pack.skip(name, "its matrix is singular: rounding decides what PyTorch answers")
                continue
            try:
                seed(1)
                outputs = answer(subject, tensors)
                seed(2)
                again = answer(subject, tensors)
            except Endless:
                pack.skip(name, "PyTorch does not end over it")
                continue
            if is_oversized(outputs):
                pack.skip(name, "its result is too large")
                continue
            if isinstance(outputs, str) != isinstance(again, str) or (
                not isinstance(outputs, str) and not close(outputs, again)
            ):
                pack.skip(name, "its result is random")
                continue
            if not isinstance(outputs, str) and "attention" in " ".join(targets) and not has_meaning(subject, tensors):
                pack.skip(name, "PyTorch reads memory beside its operands")
                continue
            if not isinstance(outputs, str) and "embedding_bag" in " ".join(targets) and any(falls(t) for t in tensors[1:]):
                pack.skip(name, "its bags end before they begin")
                continue
            if not isinstance(outputs, str) and not subject.declares(outputs):
                pack.skip(name, "PyTorch's result is not what its program declares")
                continue
            if not isinstance(outputs, str) and kind == "indices" and pack.op in CANCELLING | {"searchsorted"}:
                pack.skip(name, "rounding decides the result" if pack.op in CANCELLING else "it may not be sorted")
                continue
            run = {"inputs": [pack.tensor(t) for t in tensors]}
            if isinstance(outputs, str):
                run["raises"] = outputs
            else:
                free = unspecified(pack.op, tensors, outputs)
                run["outputs"] = [pack.tensor(t, f) for t, f in zip(outputs, free, strict=True)]
            pack.samples.append({"id": name, "targets": targets, "core": core, "program": pack.place(program), "runs": [run]})


def is_oversized(outputs: list[torch.Tensor] | str) -> bool:
    if isinstance(outputs, str):
        return "can't allocate memory" in outputs
    return sum(t.numel() for t in outputs) > MAX_OUTPUT_ELEMENTS


def falls(offsets: torch.Tensor) -> bool:
    return offsets.dtype == torch.int64 and offsets.dim() == 1 and bool((offsets.diff() < 0).any())


def has_meaning(subject: Subject, tensors: list[torch.Tensor]) -> bool:
    """Whether attention is defined: the kernels for the CPU do not look whether there are as many values as keys."""
    with sdpa_kernel(SDPBackend.MATH):
        return not isinstance(answer(subject, tensors), str)


def saved_bare(subject: Subject) -> bytes:
    example, subject.program._example_inputs = subject.program._example_inputs, None
    data = saved(subject.program)
    subject.program._example_inputs = example
    return data


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", nargs="*", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--filter", nargs="*", default=["*"], help="only packs with such names")
    parser.add_argument("--samples", type=int, default=2, help="programs per op and dtype")
    parser.add_argument("--limit", type=int, default=8, help="inputs per program and kind")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    torch.set_num_threads(1)
    args.folder.mkdir(parents=True, exist_ok=True)
    sources = {info.full_name: (lambda info=info: op_modules(info, args.samples)) for info in op_db}
    # A pack per case: a family in one would be lost with the case over which PyTorch ends, or which takes for ever.
    sources |= {f"{family}.{label}": (lambda case=case, label=label: case_modules({label: case})) for family, cases in FAMILIES.items() for label, case in cases.items()}
    for name, modules in sources.items():
        family = name.split(".")[0]
        if not any(fnmatch(name, pattern) or (family in FAMILIES and fnmatch(family, pattern)) for pattern in args.filter):
            continue
        # PyTorch itself dies of some inputs (linear algebra of nothing, indices that it does not check): what is left is asked alone.
        if survives(lambda name=name, modules=modules: write(name, modules(), args.kind, args)):
            continue
        for kind in args.kind:
            if not survives(lambda name=name, modules=modules, kind=kind: write(f"{name}-{kind}", modules(), [kind], args)):
                print(f"{name}: PyTorch ends over {kind}", file=sys.stderr, flush=True)


def write(name: str, modules: Iterator, kinds: list[str], args: argparse.Namespace) -> None:
    pack = Pack(name)
    for label, module, tensors in modules:
        try:
            for subject in subjects_of(label, module, tensors):
                add(pack, subject, kinds, args.limit, args.seed)
                if pack.samples:
                    pack.write(args.folder)
        except Skip as skip:
            pack.skip(label, str(skip))
    print(f"{name}: {len(pack.samples)} runs, {len(pack.skipped)} skipped", file=sys.stderr, flush=True)


def survives(work: Callable[[], None]) -> bool:
    """Runs the work in a process of its own; whether that came to its end."""
    child = os.fork()
    if child == 0:
        status = 1
        resource.setrlimit(resource.RLIMIT_AS, (MAX_BYTES, MAX_BYTES))
        resource.setrlimit(resource.RLIMIT_CPU, (MAX_SECONDS, MAX_SECONDS))
        try:
            work()
            status = 0
        except Exception as error:
            print(f"{type(error).__name__}: {error}"[:300], file=sys.stderr, flush=True)
        finally:
            os._exit(status)
    return os.waitpid(child, 0)[1] == 0


if __name__ == "__main__":
    main()
