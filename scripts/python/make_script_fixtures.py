"""Makes the TorchScript oracle: PyTorch's op samples and the modules of op_modules, traced or scripted, asked at several sizes.

    python make_script_fixtures.py traced|scripted FOLDER [--filter NAME …] [--samples N]

One pack (see fixture_pack.py) per op or family. The run of a sample has the sizes that it was traced with. In each of the `others` all sizes of
one number have another one; what `torch.jit.load` answers is the truth, and one without outputs is one that it refuses.
"""

import argparse
import io
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from fixture_kit import slim_archive
from fixture_pack import Pack, Skip, clones, close, reason_of, results_of, tensors_of
from make_op_fixtures import MAX_TENSOR_BYTES, ROUNDED, UNDEFINED, Call, contiguous, expected, is_undecided, seed, spread, unspecified
from op_modules import FAMILIES, models
from script_source import script_call
from torch import nn
from torch.testing._internal.common_methods_invocations import op_db

SAMPLES = {torch.float32: 4, torch.int64: 2, torch.bool: 1}
OTHER_SIZES = 4
# Their sequences and offsets have to stay sorted.
SORTED = ("searchsorted", "bucketize", "embedding_bag")
SECONDS_APART = (1, 2)
# Families of TorchScript alone; their cases say at which sizes they are asked.
ASKED = {"models": models.cases}


def saved(script: torch.jit.ScriptModule) -> bytes:
    whole = io.BytesIO()
    torch.jit.save(script, whole)
    return slim_archive(whole.getvalue(), {})


def resized(value: torch.Tensor, sizes: dict[int, int]) -> torch.Tensor:
    """The tensor with other sizes, its elements repeated or cut off: indices stay indices."""
    for axis, size in enumerate(value.shape):
        wanted = sizes.get(size, size)
        if size > 0 and wanted != size:
            value = value.index_select(axis, torch.arange(wanted) % size)
    return value.clone()


def other_sizes(tensors: list[torch.Tensor]) -> Iterator[dict[int, int]]:
    """One number among all sizes changed at a time, all of them together, and the first size 1 and 0, as batches are."""
    numbers = sorted({size for tensor in tensors for size in tensor.shape if size > 0}, reverse=True)
    for number in numbers[:OTHER_SIZES]:
        yield {number: number + 1}
        yield {number: number * 2}
    if len(numbers) > 1:
        yield {number: number + 1 for number in numbers}
    first = next((tensor.shape[0] for tensor in tensors if tensor.dim() > 0), 0)
    yield from ({first: size} for size in (1, 0) if first > size)


def answer(script, tensors: list[torch.Tensor]) -> list[torch.Tensor] | None:
    try:
        with torch.no_grad():
            return results_of(script(*clones(tensors)))
    except Exception:
        return None


def runs_of(name: str, data: bytes, tensors: list[torch.Tensor]) -> Iterator[tuple[list, list | None]]:
    """Inputs and answers at other sizes, where PyTorch answers the same whatever the seed."""
    for sizes in other_sizes(tensors):
        inputs = [resized(value, sizes) for value in tensors]
        if is_undecided(name, inputs):
            continue
        answers = []
        for number in SECONDS_APART:
            seed(number)
            answers.append(answer(torch.jit.load(io.BytesIO(data)), inputs))
        first, second = answers
        if (first is None) != (second is None) or (first is not None and not close(first, second)):
            continue
        yield inputs, first


def add(
    pack: Pack,
    label: str,
    script,
    tensors: list[torch.Tensor],
    want: list[torch.Tensor],
    precision: str | None = None,
    asked: list[list[torch.Tensor]] | None = None,
) -> None:
    """`asked`: the inputs at other sizes; without it they are made of `tensors`."""
    data = saved(script)
    loaded = answer(torch.jit.load(io.BytesIO(data)), tensors)
    if loaded is None or not close(loaded, want):
        raise Skip("PyTorch's own program gives another result than eager PyTorch")
    free = unspecified(pack.op, tensors, want)
    run = {"inputs": [pack.tensor(t) for t in tensors], "outputs": [pack.tensor(t, f) for t, f in zip(want, free, strict=True)]}
    others = []
    taken = [tensors]
    is_sorted = any(name in f"{pack.op} {label}" for name in SORTED)
    wanted = [(inputs, answer(torch.jit.load(io.BytesIO(data)), inputs)) for inputs in asked or []]
    for inputs, outputs in wanted if asked is not None else [] if is_sorted else runs_of(pack.op, data, tensors):
        packed = None
        if outputs is not None:
            taken.append(inputs)
            free = unspecified(pack.op, inputs, outputs)
            packed = [pack.tensor(t, f) for t, f in zip(outputs, free, strict=True)]
        others.append({"inputs": [pack.tensor(t) for t in inputs], "outputs": packed})
    narrow = {"precision": precision} if precision else {}
    sample = {**narrow, "id": label, "targets": [], "core": False, "program": pack.place(data), "runs": [run], "others": others}
    if isinstance(script, torch.jit.TopLevelTracedModule):
        pack.samples.append(sample)
        return
    # A script does not say what it takes.
    names = [argument.name for argument in script.forward.schema.arguments[1:]]
    pack.samples.append({**sample, "inputs": dict(zip(names, declared(taken)))})


def declared(runs: list[list[torch.Tensor]]) -> list[str]:
    """The inputs as model.yaml says them, `float32[n3, 4]`: sizes that differ between runs have names, and those that go together one."""
    symbols: dict[tuple[int, ...], str] = {}

    def size_of(sizes: tuple[int, ...]) -> str:
        if len(set(sizes)) == 1:
            return str(sizes[0])
        taken = sum(name.startswith(f"n{sizes[0]}") for name in symbols.values())
        return symbols.setdefault(sizes, f"n{sizes[0]}" + "_" * taken)

    return [
        f"{str(values[0].dtype).removeprefix('torch.')}[{', '.join(size_of(sizes) for sizes in zip(*(value.shape for value in values)))}]"
        for values in zip(*runs)
    ]


def traced(module: nn.Module, args: tuple):
    try:
        with torch.no_grad():
            return torch.jit.trace(module, clones(args), check_trace=False, strict=False)
    except Exception as error:
        raise Skip(f"torch.jit.trace refuses it: {reason_of(error)}") from error


def scripted(module: nn.Module):
    try:
        return torch.jit.script(module)
    except Exception as error:
        raise Skip(f"torch.jit.script refuses it: {reason_of(error)}") from error


def op_pack(info, kind: str, samples: int) -> Pack:
    pack = Pack(info.full_name)
    for dtype, count in SAMPLES.items():
        if dtype not in info.supported_dtypes("cpu"):
            continue
        name = str(dtype).removeprefix("torch.")
        if info.name in UNDEFINED:
            pack.skip(name, UNDEFINED[info.name])
            continue
        if info.name in ROUNDED:
            pack.skip(name, "PyTorch rounds it by more than the tolerance")
            continue
        seed(0)
        inputs = list(info.sample_inputs("cpu", dtype, requires_grad=False))
        for index, sample in spread(inputs, max(2, count * samples // 4)):
            label = f"{name}-{index}"
            try:
                args = contiguous(((sample.input, *sample.args), sample.kwargs))
                tensors = tensors_of(args)
                if sum(t.numel() * t.element_size() for t in tensors) > MAX_TENSOR_BYTES:
                    raise Skip("its tensors are large")
                call = Call(info.op, args, False)
                want = expected(call, tensors)
                script = traced(call, tuple(tensors)) if kind == "traced" else script_call(info, args)
                add(pack, label, script, tensors, want)
            except Skip as skip:
                pack.skip(label, str(skip))
            except Exception as error:  # an op of its own kind must not end the whole run
                pack.skip(label, reason_of(error))
    return pack


def family_pack(family: str, cases: dict, kind: str) -> Pack:
    pack = Pack(family)
    for label, case in cases.items():
        try:
            torch.manual_seed(0)
            args, *others = case.runs()
            module = fresh(case)
            script = traced(module, args) if kind == "traced" else scripted(getattr(module, "layer", module))
            with torch.no_grad():
                want = results_of(fresh(case)(*clones(args)))
            asked = [tensors_of(other) for other in others] if cases in ASKED.values() else None
            add(pack, label, script, tensors_of(args), want, case.precision, asked)
        except Skip as skip:
            pack.skip(label, str(skip))
        except Exception as error:
            pack.skip(label, reason_of(error))
    return pack


def fresh(case) -> nn.Module:
    """The module as it was before any run: a run may change its buffers."""
    torch.manual_seed(1)
    return case.make().eval()


def packs(kind: str, samples: int) -> Iterator[tuple[str, Callable[[], Pack]]]:
    for info in op_db:
        yield info.full_name, lambda info=info: op_pack(info, kind, samples)
    for family, cases in (FAMILIES | ASKED).items():
        yield f"module-{family}", lambda family=family, cases=cases: family_pack(f"module-{family}", cases, kind)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=["traced", "scripted"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--filter", nargs="*", default=[""], help="only packs whose name contains one of these")
    parser.add_argument("--samples", type=int, default=4, help="float32 samples per op; of other dtypes fewer")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    args.folder.mkdir(parents=True, exist_ok=True)
    total = {"packs": 0, "samples": 0, "skipped": 0, "bytes": 0}
    for name, make in packs(args.kind, args.samples):
        if not any(part in name for part in args.filter):
            continue
        pack = make()
        size = pack.write(args.folder)
        for key, count in zip(total, (1, len(pack.samples), len(pack.skipped), size), strict=True):
            total[key] += count
        print(f"{pack.op}: {len(pack.samples)} samples, {len(pack.skipped)} skipped", file=sys.stderr, flush=True)
    print(total)


if __name__ == "__main__":
    main()
