"""Writes small random modules as TorchScript (or traces, or exported programs) with PyTorch's answers, as packs of the op oracle.

    python make_random_modules.py FOLDER [--form scripted] [--count 300] [--seed 0] [--name random_modules]

A module branches and loops on data, sizes and numbers, returns early, breaks and continues, writes in place through views and aliases and into its
inputs, and keeps tensors in lists, tuples, dictionaries and optionals. Numbers are multiples of a half, so that sums are exact and conditions are
decided alike. What PyTorch itself loads answers at several sizes, 0 and 1 among them, or raises.
"""

import argparse
import importlib.util
import io
import logging
import random
import sys
import tempfile
import warnings
from pathlib import Path

import torch
from fixture_pack import Pack, Skip, clones, export, is_core, reason_of, saved, targets_of
from random_modules.program import module_text
from torch.utils import _pytree as pytree

SIZES = ((2, 3), (3, 2), (1, 1), (0, 3), (5, 4), (3, 0), (2, 3))
COUNTS = (2, 0, 1, -3, 3, 4, -1)
PACK = 250


def inputs_at(rng: random.Random, at: int) -> list[torch.Tensor]:
    n, m = SIZES[at]
    values = [torch.tensor([[rng.randrange(-8, 9) / 2 for _ in range(m)] for _ in range(n)]).reshape(n, m) for _ in range(2)]
    return [*values, torch.tensor(COUNTS[at])]


def answer(data: bytes, tensors: list[torch.Tensor], load) -> list[torch.Tensor] | None:
    try:
        leaves = pytree.tree_leaves(load(io.BytesIO(data))(*clones(tensors)))
        return [torch.tensor(leaf, dtype=torch.float64) if isinstance(leaf, float) else torch.as_tensor(leaf) for leaf in leaves]
    except Exception:
        return None


def archive(form: str, module: torch.nn.Module, tensors: list[torch.Tensor]) -> tuple[bytes, list[str], bool]:
    if form == "exported":
        free = {0: torch.export.Dim.AUTO, 1: torch.export.Dim.AUTO}
        program = export(module, tuple(tensors), dynamic_shapes=(free, free, None))
        return saved(program), targets_of(program), is_core(program)
    script = torch.jit.script(module) if form == "scripted" else torch.jit.trace(module, tuple(clones(tensors)), check_trace=False)
    target = io.BytesIO()
    torch.jit.save(script, target)
    return target.getvalue(), [], False


def load_exported(source: io.BytesIO) -> torch.nn.Module:
    return torch.export.load(source).module()


def sample(form: str, name: str, module: torch.nn.Module, rng: random.Random, pack: Pack) -> None:
    asked = [inputs_at(rng, at) for at in range(len(SIZES))]
    data, targets, core = archive(form, module, asked[0])
    load = load_exported if form == "exported" else torch.jit.load
    outputs = [answer(data, tensors, load) for tensors in asked]
    if outputs[0] is None:
        raise Skip("PyTorch raises at the example's size")
    runs = [
        {"inputs": [pack.tensor(t) for t in tensors], "outputs": None if got is None else [pack.tensor(t) for t in got]}
        for tensors, got in zip(asked, outputs)
    ]
    told = {"inputs": {"x": "float32[n, m]", "y": "float32[n, m]", "z": "int64[]"}} if form == "scripted" else {}
    program = {"id": name, "targets": targets, "core": core, "program": pack.place(data)}
    pack.samples.append({**program, **told, "runs": runs[:1], "others": runs[1:]})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--form", choices=["scripted", "traced", "exported"], default="scripted")
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, nargs="*", help="numbers of modules")
    parser.add_argument("--name", default="random_modules", help="of the packs")
    parser.add_argument("--texts", type=Path, help="a folder for the modules as Python")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    torch._C._set_graph_executor_optimize(False)
    args.folder.mkdir(parents=True, exist_ok=True)
    numbers = range(args.count) if args.only is None else args.only
    skipped = 0
    with tempfile.TemporaryDirectory() as own:
        texts = args.texts or Path(own)
        texts.mkdir(parents=True, exist_ok=True)
        for start in range(0, len(numbers), PACK):
            pack = Pack(args.name if len(numbers) <= PACK else f"{args.name}.{start // PACK}")
            for number in numbers[start : start + PACK]:
                name = f"{args.form}-{args.seed}-{number}"
                rng = random.Random(f"{args.seed} {number}")
                try:
                    sample(args.form, name, module_of(module_text(rng, args.form), name, texts), rng, pack)
                except Exception as error:  # what TorchScript does not compile, or torch.export does not follow
                    pack.skip(name, str(error)[-300:] if args.texts else reason_of(error))
            skipped += len(pack.skipped)
            pack.write(args.folder)
            print(f"{pack.op}: {len(pack.samples)} modules, {len(pack.skipped)} skipped")


def module_of(text: str, name: str, folder: Path) -> torch.nn.Module:
    """torch.jit.script reads the source of every class from its file."""
    path = folder / f"{name}.py"
    path.write_text(text)
    spec = importlib.util.spec_from_file_location(name.replace("-", "_"), path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module.Program().eval()


if __name__ == "__main__":
    main()
