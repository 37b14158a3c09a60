"""Makes packs of the programs in quantized/, with what PyTorch answers.

    python make_quantized_fixtures.py FOLDER [--filter FAMILY ...] [--every N] [--traced]

`--every N` takes one case of N: the packs in packages/torch/fixtures/quantized are made with `--every 12 --traced`. `--traced` adds programs as TorchScript, one
in four of those.
"""

import argparse
import io
import logging
import sys
import warnings
from fnmatch import fnmatch
from pathlib import Path

import torch
from fixture_kit import slim_archive
from fixture_pack import Pack, Skip, clones, export, is_core, reason_of, results_of, saved, targets_of
from quantized import FAMILIES, Case


def add(pack: Pack, label: str, case: Case) -> None:
    dynamic = None if case.dynamic is None else (case.dynamic,)
    program = export(case.module.eval(), case.runs[0], dynamic_shapes=dynamic)
    program._example_inputs = None
    runs = []
    for args in case.runs:
        try:
            with torch.no_grad():
                outputs = results_of(case.module(*args))
        except (AssertionError, IndexError, RuntimeError) as error:
            raise Skip(f"PyTorch raises: {reason_of(error)}") from error
        described = [
            {**pack.tensor(tensor), "within": case.within[min(i, len(case.within) - 1)]} for i, tensor in enumerate(outputs)
        ]
        runs.append({"inputs": [pack.tensor(tensor) for tensor in args], "outputs": described})
    place = pack.place(saved(program))
    pack.samples.append({"id": label, "targets": targets_of(program), "core": is_core(program), "program": place, "runs": runs})


def add_traced(pack: Pack, label: str, case: Case) -> None:
    args = case.runs[0]
    try:
        with torch.no_grad():
            script = torch.jit.trace(case.module.eval(), clones(args), check_trace=False, strict=False)
            outputs = results_of(script(*clones(args)))
    except Exception as error:
        raise Skip(f"torch.jit.trace refuses it: {reason_of(error)}") from error
    whole = io.BytesIO()
    torch.jit.save(script, whole)
    within = case.within
    described = [{**pack.tensor(tensor), "within": within[min(i, len(within) - 1)]} for i, tensor in enumerate(outputs)]
    place = pack.place(slim_archive(whole.getvalue(), {}))
    run = {"inputs": [pack.tensor(tensor) for tensor in args], "outputs": described}
    pack.samples.append({"id": f"{label}, traced", "targets": [], "core": False, "program": place, "runs": [run]})


def chosen(cases: dict[str, Case], every: int) -> list[tuple[str, Case]]:
    """One case of so many, and the first of every kind: the first two words of what it is called."""
    kinds = set()
    found = []
    for number, (label, case) in enumerate(cases.items()):
        kind = tuple(label.split(" ")[:2])
        if number % every == 0 or kind not in kinds:
            found.append((label, case))
        kinds.add(kind)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--filter", nargs="*", default=["*"], help="only families with such names")
    parser.add_argument("--every", type=int, default=1, help="one case of so many")
    parser.add_argument("--traced", action="store_true", help="as TorchScript, too")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    torch.set_num_threads(1)
    args.folder.mkdir(parents=True, exist_ok=True)
    for name, cases in FAMILIES.items():
        if not any(fnmatch(name, pattern) for pattern in args.filter):
            continue
        pack = Pack(name)
        for number, (label, case) in enumerate(chosen(cases, args.every)):
            for write in (add, add_traced) if args.traced and number % 4 == 0 else (add,):
                try:
                    write(pack, label, case)
                except Skip as skip:
                    pack.skip(label, str(skip))
        size = pack.write(args.folder)
        print(f"{name}: {len(pack.samples)} programs, {len(pack.skipped)} skipped, {size} bytes", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
