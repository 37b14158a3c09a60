"""Makes programs of which sizes decide whether a result is a copy or a view, and which then write in place, as one pack of the op oracle.

    python make_alias_programs.py FOLDER [--count 300] [--seed 0] [--name aliases]

A program takes a view of a tensor, then a copy or a view of that, maybe another view, writes into one of them, and gives them all. Some are
exported with free sizes, some at sizes of 0 and 1, some behind a mask. PyTorch's own program answers at sizes 0, 1, 2 and 5, or raises.
"""

import argparse
import logging
import random
import warnings
from itertools import product
from pathlib import Path

import torch
from edges.subject import Picked, answer, exported
from fixture_pack import Pack, Skip, export, is_core, saved, targets_of
from make_edge_fixtures import saved_bare
from torch import nn

SIZES = (0, 1, 2, 5)

STARTS = {"clone": lambda x: x.clone(), "double": lambda x: x * 2, "cat": lambda x: torch.cat([x, x], 0), "turned": lambda x: x.mT * 2}

TURNS = {
    "itself": lambda x: x,
    "transpose": lambda x: x.transpose(0, -1),
    "mT": lambda x: x.mT,
    "permute": lambda x: x.permute(*range(1, x.dim()), 0),
    "movedim": lambda x: x.movedim(-1, 0),
    "columns": lambda x: x[..., :1],
    "steps": lambda x: x[..., ::2],
    "rows": lambda x: x[1:],
    "some": lambda x: x[:, :3],
    "last": lambda x: x.select(-1, -1),
    "unsqueeze": lambda x: x.unsqueeze(1).transpose(0, 2),
    "twice": lambda x: x.transpose(0, 1).unsqueeze(-1),
    "expand": lambda x: x.unsqueeze(0).expand(2, *x.shape),
    "diagonal": lambda x: x.diagonal(0, 0, -1),
    "narrow": lambda x: x.narrow(-1, 0, x.shape[-1]),
}

COPIES = {
    "contiguous": lambda x: x.contiguous(),
    "flat": lambda x: x.reshape(-1),
    "flatten": lambda x: x.flatten(),
    "ravel": lambda x: x.ravel(),
    "flatten_first": lambda x: x.flatten(0, 1) if x.dim() > 1 else x.flatten(),
    "flatten_last": lambda x: x.flatten(-2) if x.dim() > 1 else x.flatten(),
    "swapped": lambda x: x.reshape(*reversed(x.shape)),
    "same": lambda x: x.reshape(x.shape),
    "joined": lambda x: x.reshape(x.shape[0], -1),
    "as_other": lambda x: x.reshape_as(x.mT.clone()) if x.dim() > 1 else x.reshape_as(x),
    "view": lambda x: x.view(*x.shape, 1),
    "to": lambda x: x.to(torch.float32),
    "float": lambda x: x.float(),
    "alias": lambda x: torch.ops.aten.alias(x),
    "detach": lambda x: x.detach(),
    "contiguous_twice": lambda x: x.mT.contiguous().mT.contiguous() if x.dim() > 1 else x.contiguous(),
    "dropout": lambda x: nn.functional.dropout(x, 0.5, training=False),
    "unflatten": lambda x: x.unflatten(-1, (-1, 1)),
    "squeezed": lambda x: x.unsqueeze(0).squeeze(0).contiguous(),
    "split": lambda x: x.split(1, -1)[0].contiguous(),
    "chunk": lambda x: x.chunk(1, 0)[0].reshape(-1),
}

AFTER = {"nothing": lambda x: x, "first": lambda x: x[:1], "turned": lambda x: x.transpose(0, -1), "flat": lambda x: x.reshape(-1), "more": lambda x: x.unsqueeze(-1)}

WRITES = {
    "add": lambda x: x.add_(1),
    "mul": lambda x: x.mul_(-3),
    "fill": lambda x: x.fill_(7),
    "copy": lambda x: x.copy_(x.cos() + 1),
    "masked": lambda x: x.masked_fill_(x > 0, 9),
    "set": lambda x: x.__setitem__(slice(0, 1), 5),
    "zero": lambda x: x.zero_(),
}


class Program(nn.Module):
    """`at`: which of the four tensors is written into, and which thereafter."""

    def __init__(self, steps: list, writes: list) -> None:
        super().__init__()
        self.steps, self.writes = steps, writes

    def forward(self, x):
        values = []
        for step in self.steps:
            x = step(x)
            values.append(x)
        for at, write in self.writes:
            write(values[at])
        return tuple(value + 0 for value in values)


def draw(rng: random.Random) -> tuple[str, Program]:
    names = [rng.choice(list(kind)) for kind in (STARTS, TURNS, COPIES, AFTER)]
    steps = [kind[name] for kind, name in zip((STARTS, TURNS, COPIES, AFTER), names)]
    writes = [(rng.randrange(4), rng.choice(list(WRITES))) for _ in range(rng.choice((1, 1, 2)))]
    label = "-".join(names + [f"{write}{at}" for at, write in writes])
    return label, Program(steps, [(at, WRITES[name]) for at, name in writes])


def free_runs(rng: random.Random, label: str, program: Program, pack: Pack) -> None:
    """With every size free, at all sizes of two dimensions, or some of three."""
    rank = rng.choice((2, 2, 3))
    x = torch.randn(*((5, 4, 3)[:rank]))
    is_picked = rng.random() < 0.2
    subject = exported(label, Picked(program) if is_picked else program, [torch.ones(5, dtype=torch.bool), x] if is_picked else [x])
    data, targets, core = saved_bare(subject), targets_of(subject.program), is_core(subject.program)
    free = subject.free[-1]
    shapes = [shape for shape in product(SIZES, repeat=rank) if all(not isinstance(dim, int) or dim == size for dim, size in zip(free, shape))]
    if rank == 3:
        shapes = rng.sample(shapes, min(len(shapes), 20))
    for shape in shapes:
        value = torch.randn(shape)
        for kept in ((0, 1, shape[0]) if is_picked else (None,)):
            tensors = [value] if kept is None else [torch.arange(shape[0]) < kept, value]
            name = f"{label}{'' if kept is None else f'-picked{kept}'} {list(shape)}"
            outputs = answer(subject, tensors)
            if not isinstance(outputs, str) and not subject.declares(outputs):
                pack.skip(name, "PyTorch's result is not what its program declares")
                continue
            add(pack, name, (targets, core, data), tensors, outputs)


def fixed_runs(rng: random.Random, label: str, program: Program, pack: Pack) -> None:
    """Exported at the very sizes that it is asked with."""
    x = torch.randn([rng.choice(SIZES) for _ in range(rng.choice((2, 3)))])
    form = export(program, (x,))
    data = saved(form)
    with torch.no_grad():
        outputs = list(form.module()(x.clone()))
    add(pack, f"{label} {list(x.shape)} fixed", (targets_of(form), is_core(form), data), [x], outputs)


def add(pack: Pack, name: str, program: tuple, tensors: list, outputs: object) -> None:
    targets, core, data = program
    run = {"inputs": [pack.tensor(t) for t in tensors]}
    run |= {"raises": outputs} if isinstance(outputs, str) else {"outputs": [pack.tensor(t) for t in outputs]}
    pack.samples.append({"id": name, "targets": targets, "core": core, "program": pack.place(data), "runs": [run]})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--name", default="aliases", help="of the pack")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    torch.manual_seed(args.seed)
    args.folder.mkdir(parents=True, exist_ok=True)
    rng, pack = random.Random(args.seed), Pack(args.name)
    for number in range(args.count):
        label, program = draw(rng)
        try:
            (fixed_runs if rng.random() < 0.4 else free_runs)(rng, f"{number} {label}", program, pack)
        except (Skip, RuntimeError, IndexError, ValueError) as refused:  # there is no such view, or PyTorch does not write it
            pack.skip(f"{number} {label}", str(refused).splitlines()[0][:100])
    pack.write(args.folder)
    print(f"{args.name}: {len(pack.samples)} runs, {len(pack.skipped)} skipped")


if __name__ == "__main__":
    main()
