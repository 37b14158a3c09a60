"""Makes the second half of the op oracle: the hand-written modules of op_modules, one pack per family, in committed form.

    python make_module_fixtures.py FOLDER [--filter FAMILY]

Each case becomes the program as exported and, where that differs, the program decomposed to Core ATen (`-core`).
"""

import argparse
import logging
import sys
import warnings
from pathlib import Path

import torch
from fixture_pack import Pack, Skip, clones, close, decomposed, export, is_core, reason_of, results_of, saved, targets_of, tensors_of
from op_modules import FAMILIES
from op_modules.case import Case


def agrees(case: Case, program, runs: list[tuple]) -> bool:
    """Whether PyTorch's own run of the program gives what eager PyTorch gives, state included."""
    for args in runs:
        with torch.no_grad():
            want = tensors_of(fresh(case)(*clones(args)))
            try:
                got = tensors_of(program.module()(*clones(args)))
            except (AssertionError, RuntimeError) as error:
                raise Skip(f"PyTorch cannot run its own program: {reason_of(error)}") from error
        if not close(got, want):
            return False
    return True


def fresh(case: Case) -> torch.nn.Module:
    """The module as it was before any run: a run may change its buffers."""
    torch.manual_seed(1)
    return case.make().eval()


def add_case(pack: Pack, label: str, case: Case) -> None:
    torch.manual_seed(0)
    runs = case.runs()
    program = export(fresh(case), runs[0], dynamic_shapes=case.dynamic)
    forms = [(label, program), *decomposed(label, program)]
    for name, form in forms:
        data = saved(form)  # before any run: a run may change the program's buffers
        if not agrees(case, form, runs):
            pack.skip(name, "PyTorch's own program gives another result than eager PyTorch")
            continue
        packed = []
        for args in runs:
            with torch.no_grad():
                outputs = results_of(fresh(case)(*clones(args)))
            packed.append(
                {"inputs": [pack.tensor(t) for t in tensors_of(args)], "outputs": [pack.tensor(t) for t in outputs]}
            )
        sample = {"id": name, "targets": targets_of(form), "core": is_core(form), "program": pack.place(data)}
        precision = {"precision": case.precision} if case.precision else {}
        pack.samples.append({**sample, **precision, "runs": packed})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--filter", default="", help="only families whose name contains this")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    torch.set_num_threads(1)
    args.folder.mkdir(parents=True, exist_ok=True)
    for family, cases in FAMILIES.items():
        if args.filter not in family:
            continue
        pack = Pack(family)
        for label, case in cases.items():
            try:
                add_case(pack, label, case)
            except Skip as skip:
                pack.skip(label, str(skip))
        size = pack.write(args.folder)
        print(f"{family}: {len(pack.samples)} samples, {len(pack.skipped)} skipped, {size} bytes", file=sys.stderr)
        for skipped in pack.skipped:
            print(f"  {skipped['id']}: {skipped['reason']}", file=sys.stderr)


if __name__ == "__main__":
    main()
