"""Makes random programs of views and in-place ops with PyTorch's results, as one pack of the op oracle.

    python make_view_programs.py FOLDER [--count 100] [--seed 0] [--turns 0] [--name view_programs]

Each program clones an input, then takes views of what it has, writes through them, and reads; everything it has is an output, so a
write that reaches too much or too little shows. A program that eager PyTorch or torch.export refuses is drawn again.
"""

import argparse
import io
import logging
import random
import warnings
from pathlib import Path

import torch
from fixture_pack import Pack, Skip, close, decomposed, export, is_core, saved, targets_of, tensors_of
from torch import nn

VALUES = [-1.5, 0.25, 2.0, 3.0]


def pick(rng: random.Random, tensor: torch.Tensor) -> int:
    return rng.randrange(-tensor.dim(), tensor.dim())


def view(rng: random.Random, t: torch.Tensor):
    """A random view op for a tensor of this rank and size, as a function."""
    kind = rng.choice(
        "select slice step transpose permute flatten view unsqueeze squeeze narrow unbind split chunk expand diagonal movedim unfold "
        "detach T reshape split_sizes tensor_split view_as expand_as alias".split()
    )
    if t.dim() == 0:
        return lambda x: x.unsqueeze(0)
    d, e = pick(rng, t), pick(rng, t)
    n = t.shape[d]
    i, j = rng.randrange(max(n, 1)), rng.randrange(max(n, 1))
    low, high = min(i, j), max(i, j) + 1
    order = rng.sample(range(t.dim()), t.dim())
    index = tuple(slice(None) for _ in range(d % t.dim()))
    return {
        "select": lambda x: x.select(d, i - n if i % 2 else i),
        "slice": lambda x: x[(*index, slice(low, high))],
        "step": lambda x: x[(*index, slice(low, None, 2))],
        "transpose": lambda x: x.transpose(d, e),
        "permute": lambda x: x.permute(order),
        "flatten": lambda x: x.flatten(),
        "view": lambda x: x.view(-1),
        "unsqueeze": lambda x: x.unsqueeze(d),
        "squeeze": lambda x: x.squeeze(),
        "narrow": lambda x: x.narrow(d, low, high - low),
        "unbind": lambda x: x.unbind(d)[i],
        "split": lambda x: x.split(2, d)[-1],
        "chunk": lambda x: x.chunk(2, d)[0],
        "expand": lambda x: x.unsqueeze(0).expand(2, *(-1 for _ in range(x.dim()))),
        "diagonal": lambda x: x.diagonal(0, d, e),
        "movedim": lambda x: x.movedim(d, e),
        "unfold": lambda x: x.unfold(d, 2, 1),
        "detach": lambda x: x.detach(),
        "T": lambda x: x.mT,
        "reshape": lambda x: x.reshape(*x.shape[:-1], 1, x.shape[-1]),
        "split_sizes": lambda x: x.split([low, n - low], d)[1],
        "tensor_split": lambda x: x.tensor_split(2, d)[0],
        "view_as": lambda x: x.view_as(x + 1),
        "expand_as": lambda x: x.expand_as(torch.stack([x, x])),
        "alias": lambda x: torch.ops.aten.alias(x),
    }[kind]


def write(rng: random.Random, t: torch.Tensor, other: int):
    """A random in-place op on a tensor; `other` is the number of a value to read."""
    kind = rng.choice(
        "add mul fill zero relu copy copy_scaled setitem masked index add_other sub_row clamp int_copy out neg bool_mask none_index lerp "
        "accumulate".split()
    )
    value = rng.choice(VALUES)
    n = t.shape[0] if t.dim() else 1
    i = rng.randrange(max(n, 1))

    def out(t, _):
        torch.mul(t.clone(), value, out=t)

    return {
        "add": lambda t, values: t.add_(value),
        "mul": lambda t, values: t.mul_(value),
        "fill": lambda t, values: t.fill_(value),
        "zero": lambda t, values: t.zero_(),
        "relu": lambda t, values: t.relu_(),
        "copy": lambda t, values: t.copy_(values[other].sum()),
        "copy_scaled": lambda t, values: t.copy_(t * value),
        "setitem": lambda t, values: t.__setitem__(i, value),
        "masked": lambda t, values: t.masked_fill_(t > 0.3, value),
        "index": lambda t, values: t.__setitem__(torch.tensor([i]), value),
        "add_other": lambda t, values: t.add_(values[other].mean(), alpha=2),
        "sub_row": lambda t, values: t.sub_(t.sum(0)),
        "clamp": lambda t, values: t.clamp_(-0.5, 0.5),
        "int_copy": lambda t, values: t.copy_((t * 3).to(torch.int64)),
        "out": out,
        "neg": lambda t, values: t.neg_(),
        "bool_mask": lambda t, values: t.__setitem__(t > 0, value),
        "none_index": lambda t, values: t.__setitem__((slice(None), torch.tensor([0])), value),
        "lerp": lambda t, values: t.lerp_(torch.ones_like(t), 0.25),
        "accumulate": lambda t, values: t.index_put_((torch.tensor([i, i]),), torch.tensor(value), accumulate=True),
    }[kind]


def turn(rng: random.Random, t: torch.Tensor):
    """A random in-place op on a tensor of this rank that changes its shape."""
    d, e = (pick(rng, t), pick(rng, t)) if t.dim() else (0, 0)
    return {
        "t": lambda x: x.t_(),
        "transpose": lambda x: x.transpose_(d, e),
        "swapaxes": lambda x: x.swapaxes_(d, e),
        "squeeze": lambda x: x.squeeze_(),
        "squeeze_dim": lambda x: x.squeeze_(d),
        "unsqueeze": lambda x: x.unsqueeze_(d),
    }[rng.choice("t transpose swapaxes squeeze squeeze_dim unsqueeze".split())]


class Program(nn.Module):
    def __init__(self, steps: list, start: str) -> None:
        super().__init__()
        self.steps, self.start = steps, start
        self.register_buffer("state", torch.arange(24.0).reshape(2, 3, 4) / 10)

    def forward(self, x):
        values = [{"clone": x.clone, "input": lambda: x, "buffer": lambda: self.state, "fresh": lambda: x * 2}[self.start]()]
        for step in self.steps:
            step(values)
        return tuple(values)


def view_step(at: int, op) -> object:
    def step(values):
        values.append(op(values[at]))

    return step


def turn_step(at: int, op, keeps: bool) -> object:
    """`keeps`: the result is another name of the same tensor, and is used as well."""

    def step(values):
        result = op(values[at])
        if keeps:
            values.append(result)

    return step


def write_step(at: int, op) -> object:
    def step(values):
        op(values[at], values)

    return step


def pure_step(at: int, value: float) -> object:
    def step(values):
        values.append(values[at] + value)

    return step


def draw(rng: random.Random, x: torch.Tensor, turns: float) -> Program:
    """A program of which each step works on a tensor of this size; `turns`: the share of steps that change a shape in place."""
    program = Program([], rng.choice(["clone", "clone", "fresh", "input", "buffer"]))
    for _ in range(rng.randrange(3, 9)):
        values = list(Program(program.steps, program.start)(x.clone()))
        at = rng.randrange(len(values))
        is_turn = turns > 0 and rng.random() < turns
        roll = rng.random()
        if is_turn:
            step = turn_step(at, turn(rng, values[at]), roll < 0.5)
        elif roll < 0.5 and len(values) < 7:
            step = view_step(at, view(rng, values[at]))
        elif roll < 0.92:
            step = write_step(at, write(rng, values[at], rng.randrange(len(values))))
        else:
            step = pure_step(at, rng.choice(VALUES))
        try:
            Program([*program.steps, step], program.start)(x.clone())
        except (RuntimeError, IndexError, ValueError):
            continue
        program.steps.append(step)
    return program


def add_program(pack: Pack, rng: random.Random, name: str, turns: float) -> bool:
    x = torch.randn(2, 3, 4)
    program = draw(rng, x, turns)
    is_dynamic = rng.random() < 0.4 and program.start != "buffer"
    form = export(Program(program.steps, program.start), (x,), dynamic_shapes=({0: torch.export.Dim.AUTO},) if is_dynamic else None)
    sizes = [x]
    if is_dynamic and not isinstance(form.graph_module.graph.find_nodes(op="placeholder")[-1].meta["val"].shape[0], int):
        sizes.append(torch.randn(5, 3, 4))
    forms = [(name, form), *(decomposed(name, form) if rng.random() < 0.3 else [])]
    stored = [(label, f, saved(f)) for label, f in forms]  # before any run: a run may change the program's buffers
    runs = [(value, tensors_of(Program(program.steps, program.start)(value.clone()))) for value in sizes]
    packed = [{"inputs": [pack.tensor(value)], "outputs": [pack.tensor(t) for t in want]} for value, want in runs]
    for label, f, data in stored:
        if agrees(data, runs):
            sample = {"id": label, "targets": targets_of(f), "core": is_core(f), "program": pack.place(data), "runs": packed}
            pack.samples.append(sample)
    return True


def agrees(data: bytes, runs: list) -> bool:
    """Whether PyTorch's own run of the program takes the sizes and gives what eager PyTorch gives."""
    try:
        results = [tensors_of(torch.export.load(io.BytesIO(data)).module()(value.clone())) for value, _ in runs]
    except (RuntimeError, AssertionError):
        return False
    return all(close(got, want) for got, (_, want) in zip(results, runs))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--turns", type=float, default=0, help="the share of steps that change a tensor's shape in place")
    parser.add_argument("--name", default="view_programs", help="of the pack")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    args.folder.mkdir(parents=True, exist_ok=True)
    pack, made, drawn = Pack(args.name), 0, 0
    while made < args.count:
        seed = args.seed * 1_000_000 + drawn
        drawn += 1
        torch.manual_seed(seed)
        try:
            made += add_program(pack, random.Random(seed), f"seed-{seed}", args.turns)
        except (Skip, RuntimeError, IndexError, ValueError, AssertionError):
            continue
    size = pack.write(args.folder)
    print(f"{made} programs of {drawn} drawn, {size} bytes")


if __name__ == "__main__":
    main()
