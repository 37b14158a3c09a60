"""Makes packs of calls with other dtypes than they were written for: PyTorch's op samples as traces, each tensor in every dtype in turn.

    python make_dtype_fixtures.py FOLDER [--filter NAME …] [--exported]
    python make_dtype_fixtures.py packages/torch/fixtures/odd --packed

What `torch.jit.load` answers is the truth; where it raises, the program has to be refused when it is read. With --exported: the calls that PyTorch
raises for, and `torch.export` writes nevertheless, since its fake tensors do not look at the dtype. With --packed: the pack of `npm test`.
"""

import argparse
import io
import logging
import re
import sys
import warnings
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import torch
from fixture_pack import Pack, Skip, clones, close, export, reason_of, results_of, saved, targets_of, tensors_of
from make_edge_fixtures import SORTED, survives
from make_op_fixtures import ROUNDED, UNDEFINED, Call, contiguous, expected, is_undecided, seed, unspecified
from make_script_fixtures import saved as saved_script
from torch.testing._internal.common_methods_invocations import op_db

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool]
# What `npm test` asks: an op of each kind of rule, and of what was wrong once.
PACKED_OPS = """clamp full_like gradient hypot index_copy ldexp linalg.inv mse_loss nn.functional.conv_transpose1d nn.functional.conv_transpose3d
nn.functional.cross_entropy nn.functional.hinge_embedding_loss nn.functional.huber_loss nn.functional.instance_norm nn.functional.linear_cross_entropy
nn.functional.multi_margin_loss nn.functional.pad.reflect nn.functional.silu nn.functional.triplet_margin_loss polygamma.polygamma_n_1 searchsorted
index_fill linalg.matrix_rank.hermitian norm.nuc stft take_along_dim trapezoid""".split()
PACKED_DTYPES = [torch.float64, torch.int32, torch.uint8, torch.bool]
GIVEN = (torch.float32, torch.int64, torch.bool)
HALVES = (torch.float16, torch.bfloat16)
SMALL = 1 << 12
# What the CPU lacks is no fault of the program's.
LACKING = re.compile(r"not implemented for '(Half|BFloat16)'|Unsupported dtype (Half|BFloat16)|MKL FFT doesn't support")
# Nor are numbers that a dtype does not hold, indices that are others when converted, masks that indices become.
OF_NUMBERS = re.compile("without overflow|out of (range|bounds)|outside|must be (positive|non-negative)|singular|not positive|converge|larger than|greater than|size|shape")


def cast(value: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    return value.abs().to(dtype) if dtype == torch.uint8 and value.dtype != torch.bool else value.to(dtype)


def casts(tensors: list[torch.Tensor], dtypes: list[torch.dtype]) -> Iterator[tuple[str, list[torch.Tensor]]]:
    """One tensor in another dtype at a time, and all of them together."""
    for i, tensor in enumerate(tensors):
        for dtype in dtypes:
            if dtype != tensor.dtype and not tensor.dtype.is_complex:
                yield f"{i}-{name_of(dtype)}", [cast(t, dtype) if k == i else t for k, t in enumerate(tensors)]
    if len(tensors) > 1:
        for dtype in dtypes:
            if all(not t.dtype.is_complex for t in tensors) and any(t.dtype != dtype for t in tensors):
                yield f"all-{name_of(dtype)}", [cast(t, dtype) for t in tensors]


def name_of(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def is_sorted(op: str, tensors: list[torch.Tensor]) -> bool:
    """Whether what has to be in order is so after a conversion."""
    rows = tensors[SORTED[op]] if op in SORTED else torch.zeros(1)
    return rows.dtype.is_complex or bool((rows.double().diff(dim=-1) >= 0).all()) if rows.dim() else True


def answer(call, tensors: list[torch.Tensor]) -> list[torch.Tensor] | str:
    try:
        with torch.no_grad():
            return [result.clone() for result in results_of(call(*clones(tensors)))]
    except Exception as error:
        return str(error).strip().splitlines()[-1][:160]


def add(pack: Pack, label: str, call: Call, tensors: list[torch.Tensor], dtypes: list[torch.dtype] = DTYPES) -> None:
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        script = torch.jit.trace(call, clones(tuple(tensors)), check_trace=False, strict=False)
    data = saved_script(script)
    names = [argument.name for argument in script.forward.schema.arguments[1:]]
    for kind, inputs in casts(tensors, dtypes):
        if is_undecided(pack.op, inputs) or not is_sorted(pack.op, inputs):
            continue
        answers = []
        for number in (1, 2):
            seed(number)
            answers.append(answer(torch.jit.load(io.BytesIO(data)), inputs))
        outputs, again = answers
        # A kernel that the CPU lacks is no fault of the program's, and how halves are rounded is another sweep's.
        if LACKING.search(outputs) if isinstance(outputs, str) else any(t.dtype in HALVES for t in inputs):
            continue
        if isinstance(outputs, str) != isinstance(again, str) or (not isinstance(outputs, str) and not close(outputs, again)):
            continue
        declared = {name: f"{name_of(t.dtype)}[{', '.join(map(str, t.shape))}]" for name, t in zip(names, inputs)}
        run = {"inputs": [pack.tensor(t) for t in inputs]}
        if isinstance(outputs, str):
            run["raises"] = outputs
        else:
            free = unspecified(pack.op, inputs, outputs)
            run["outputs"] = [pack.tensor(t, f) for t, f in zip(outputs, free, strict=True)]
        sample = {"id": f"{label} {kind}", "targets": [], "core": False, "program": pack.place(data), "runs": [run], "inputs": declared}
        pack.samples.append({**sample, "refuses": isinstance(outputs, str) and not OF_NUMBERS.search(outputs)})


def is_of_others(raised: str) -> bool:
    """Whether PyTorch raises for something else than a dtype."""
    return LACKING.search(raised) is not None or OF_NUMBERS.search(raised) is not None


def add_exported(pack: Pack, label: str, call: Call, tensors: list[torch.Tensor]) -> None:
    for kind, inputs in casts(tensors, DTYPES):
        raised = answer(call, inputs)
        if not isinstance(raised, str) or is_of_others(raised):
            continue
        try:
            program = export(call, tuple(inputs))
        except Skip:
            continue
        program._example_inputs = None
        raised = answer(program.module(), inputs)
        if isinstance(raised, str) and not is_of_others(raised):
            run = {"inputs": [pack.tensor(t) for t in inputs], "raises": raised}
            targets = targets_of(program)
            pack.samples.append({"id": f"{label} {kind}", "targets": targets, "core": False, "program": pack.place(saved(program)), "runs": [run], "refuses": True})


def write(info, folder: Path, add_to) -> None:
    pack = Pack(info.full_name)
    fill(pack, info, GIVEN, add_to)
    if pack.samples:
        pack.write(folder)
    print(f"{pack.op}: {len(pack.samples)} samples, {len(pack.skipped)} skipped", file=sys.stderr, flush=True)


def write_packed(folder: Path) -> None:
    """One pack of a few ops, each in a few dtypes."""
    pack = Pack("dtype-rules")
    for info in op_db:
        if info.full_name in PACKED_OPS:
            fill(pack, info, GIVEN[:1], lambda pack, label, call, tensors, info=info: add(pack, f"{info.full_name} {label}", call, tensors, PACKED_DTYPES))
    print(f"{len(pack.samples)} samples, {pack.write(folder)} bytes", file=sys.stderr)


def fill(pack: Pack, info, dtypes: tuple[torch.dtype, ...], add_to) -> None:
    for dtype in dtypes:
        if dtype not in info.supported_dtypes("cpu") or info.name in UNDEFINED or info.name in ROUNDED:
            continue
        seed(0)
        given = [s for s in info.sample_inputs("cpu", dtype, requires_grad=False) if 0 < sum(t.numel() for t in tensors_of((s.input, s.args, s.kwargs))) < SMALL]
        # The one with most tensors: those that are optional have rules, too.
        given.sort(key=lambda s: -len(tensors_of((s.input, s.args, s.kwargs))))
        for index, sample in enumerate(given[:1]):
            label = f"{name_of(dtype)}-{index}"
            try:
                args = contiguous(((sample.input, *sample.args), sample.kwargs))
                call, tensors = Call(info.op, args, False), tensors_of(args)
                expected(call, tensors)
                add_to(pack, label, call, tensors)
            except Skip as skip:
                pack.skip(label, str(skip))
            except Exception as error:  # an op of its own kind must not end the whole run
                pack.skip(label, reason_of(error))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--filter", nargs="*", default=["*"], help="only packs with such names")
    parser.add_argument("--exported", action="store_true")
    parser.add_argument("--packed", action="store_true")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    torch.set_num_threads(1)
    args.folder.mkdir(parents=True, exist_ok=True)
    if args.packed:
        return write_packed(args.folder)
    for info in op_db:
        if any(fnmatch(info.full_name, pattern) for pattern in args.filter):
            # PyTorch itself dies of some inputs.
            survives(lambda info=info: write(info, args.folder, add_exported if args.exported else add))


if __name__ == "__main__":
    main()
