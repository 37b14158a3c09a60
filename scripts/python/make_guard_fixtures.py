"""Makes the fixtures of guards: programs exported with dynamic sizes, asked at many sizes, with what PyTorch's own loaded program answers.

    python make_guard_fixtures.py FILE

FILE is a pack as fixture_pack.py describes it. A run has `outputs`, or `raises`: "guard" where PyTorch refused the sizes before it ran,
"run" where an op failed.
"""

import io
import itertools
import json
import logging
import math
import sys
import warnings
import zipfile
from pathlib import Path

import torch
import torch.nn.functional as F
from fixture_pack import Pack, bare, is_core, results_of, targets_of, tensors_of
from torch import nn
from torch.export import Dim

A, D = Dim.AUTO, Dim.DYNAMIC
SIZES = (0, 1, 2, 3, 4, 7, 8, 9)


class Fn(nn.Module):
    """A function of one tensor, as a module."""

    def __init__(self, function, **parts):
        super().__init__()
        self.function = function
        for name, part in parts.items():
            self.add_module(name, part)

    def forward(self, x):
        return self.function(self, x)


class Fn2(Fn):
    """A function of two tensors."""

    def forward(self, x, y):
        return self.function(self, x, y)


class Nested(nn.Module):
    def forward(self, first, parts, *rest, key=None):
        total = first.sum(1) + parts["x"].sum(1) + parts["list"][0].sum(1) + rest[0].sum(1) + key.sum(1)
        holds = parts["list"][0].shape[1] % 2 == 0 and rest[0].shape[1] > 2 and key.shape[1] < 7
        return total if holds else total * 100


class Count(nn.Module):
    def forward(self, x, count):
        return x[:count] * 2 if count > 3 and count < x.shape[0] else x


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.project = nn.Linear(8, 24)

    def forward(self, x):
        batch, length, _ = x.shape
        q, k, v = self.project(x).view(batch, length, 3, 2, 4).permute(2, 0, 3, 1, 4)
        return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, length, 8)


def values(*shape):
    """Small numbers that differ, so that a wrong branch or row shows."""
    return (torch.arange(math.prod(shape), dtype=torch.float32).reshape(shape) * 0.37 + 1).remainder(5) - 2


def cases():
    """Name, module, example, dynamic_shapes, further arguments; `{}` marks a keyword call."""
    linear = nn.Linear(5, 2)
    kinds = {
        "auto": A, "dynamic": D, "dim": Dim("b"), "min0": Dim("b", min=0), "min1": Dim("b", min=1), "min0max8": Dim("b", min=0, max=8),
        "min1max8": Dim("b", min=1, max=8), "min2max8": Dim("b", min=2, max=8), "min3max8": Dim("b", min=3, max=8), "max8": Dim("b", max=8),
        "auto_min3_max8": A(min=3, max=8), "dynamic_min0_max8": D(min=0, max=8),
    }
    rows = [(values(n, 5),) for n in SIZES]
    for name, dim in kinds.items():
        yield f"linear_{name}", linear, (values(4, 5),), ({0: dim},), rows

    # The cases of the report that brought this about.
    yield "guard_even", Fn(lambda s, x: x.mean(1) if x.shape[1] % 2 == 0 else x.mean(1) * 10), (values(3, 6),), ((A, A),), [
        (values(n, m),) for n, m in ((3, 6), (3, 7), (2, 10))
    ]
    yield "guard_area", Fn(lambda s, x: x.amax((1, 2)) if x.shape[1] * x.shape[2] > 30 else -x.amax((1, 2))), (values(2, 6, 7),), ({1: A, 2: A},), [
        (values(2, h, w),) for h, w in ((6, 7), (3, 4), (9, 4))
    ]
    yield "auto_batch", linear, (values(4, 5),), ({0: A},), [(values(n, 5),) for n in (4, 1, 2)]

    plane = [(values(n, m),) for n, m in itertools.product((0, 1, 2, 3), SIZES)]
    for name, function in {
        "even": lambda s, x: x.sum(1) if x.shape[1] % 2 == 0 else x.sum(1) * 100,
        "even_batch": lambda s, x: x.sum(1) if x.shape[0] % 2 == 0 else x.sum(1) * 100,
        "area": lambda s, x: x.sum(1) if x.shape[0] * x.shape[1] > 15 else x.sum(1) * 100,
        "area_at_most": lambda s, x: x.sum(1) if x.shape[0] * x.shape[1] < 25 else x.sum(1) * 100,
        "extremes": lambda s, x: x.sum(1) if torch.sym_max(x.shape[1], 3) % 4 == 0 and torch.sym_min(x.shape[0], 2) == 2 else x.sum(1) * 100,
        "ceil": lambda s, x: x.sum(1) if math.ceil(x.shape[1] / 3) == 3 else x.sum(1) * 100,
        "trunc": lambda s, x: x.sum(1) if int(x.shape[1] * 0.5) == 4 else x.sum(1) * 100,
        "round": lambda s, x: x.sum(1) if round(x.shape[1] * 0.25) == 2 else x.sum(1) * 100,
        "powers": lambda s, x: x.sum(1) if x.shape[1] ** 2 > 50 and 2 ** x.shape[1] > 100 else x.sum(1) * 100,
        "either": lambda s, x: x.sum(1) if (x.shape[1] > 4) | (x.shape[0] > 2) else x.sum(1) * 100,
        "both": lambda s, x: x.sum(1) if (x.shape[1] > 4) & (x.shape[0] < 3) else x.sum(1) * 100,
        "last_bit": lambda s, x: x.sum(1) if x.shape[1] & 1 == 0 else x.sum(1) * 100,
        "distance": lambda s, x: x.sum(1) if abs(x.shape[1] - x.shape[0]) >= 3 else x.sum(1) * 100,
        "minus": lambda s, x: x.sum(1) if -(-x.shape[1] // 4) == 2 else x.sum(1) * 100,
        "pad_to_four": lambda s, x: F.pad(x, (0, (-x.shape[1]) % 4)).view(x.shape[0], -1, 4),
        "pairs": lambda s, x: x.view(x.shape[0], x.shape[1] // 2, 2).sum(2),
        "bounds": lambda s, x: x.sum(1) if x.shape[0] > 1 and 3 < x.shape[1] <= 8 else x.sum(1) * 100,
        "not_eight": lambda s, x: x.sum(1) if x.shape[1] != 7 else x.sum(1) * 100,
        "flat": lambda s, x: x.reshape(-1) + 1,
        "transposed": lambda s, x: x.t().reshape(-1),
        "softmax": lambda s, x: x.softmax(1) * 2,
        "self_product": lambda s, x: x @ x.t(),
        "cat_twice": lambda s, x: torch.cat([x, x * 2], 1),
        "column": lambda s, x: x[:, :1] * x,
        "expanded": lambda s, x: x.unsqueeze(1).expand(-1, 2, -1) * 1.5,
        "normed": lambda s, x: (x - x.sum(1, keepdim=True)) * 0.1,
        "squeezed": lambda s, x: x.squeeze(0) * 2,
    }.items():
        yield name, Fn(function), (values(3, 8),), ((A, A),), plane
        try:
            a, b = Dim("a"), Dim("b")
            torch.export.export(Fn(function), (values(3, 8),), dynamic_shapes=((a, b),))
        except Exception:  # PyTorch wants the relation stated; the automatic form is enough
            continue
        yield f"{name}_named", Fn(function), (values(3, 8),), ((a, b),), plane

    b = Dim("b", min=1, max=4)
    thrice = [(values(n, 3),) for n in SIZES]
    yield "twice", Fn(lambda s, x: x + 1), (values(8, 3),), ({0: 2 * b},), thrice
    yield "twice_viewed", Fn(lambda s, x: x.view(-1, 2, 3).sum(1)), (values(8, 3),), ({0: 2 * b},), thrice
    yield "twice_flat", Fn(lambda s, x: x.reshape(x.shape[0] * 3)), (values(8, 3),), ({0: 2 * b},), thrice
    yield "odd_flat", Fn(lambda s, x: x.reshape(x.shape[0] * 3)), (values(9, 3),), ({0: 2 * b + 1},), thrice
    both = [(values(n, 3), values(m, 3)) for n, m in itertools.product(SIZES, (0, 1, 2, 3, 4, 5))]
    yield "twice_and_once", Fn2(lambda s, x, y: (x.reshape(x.shape[0] * 3), y + 1)), (values(8, 3), values(4, 3)), ({0: 2 * b}, {0: b}), both
    yield "one_more", Fn2(lambda s, x, y: x[1:] + y), (values(5, 3), values(4, 3)), ({0: b + 1}, {0: b}), both
    yield "two_to_three", Fn2(lambda s, x, y: x.view(-1, 2).sum(1) + y.view(-1, 3).sum(1)), (values(8), values(12)), ({0: 2 * b}, {0: 3 * b}), [
        (values(n), values(m)) for n, m in itertools.product((0, 2, 3, 4, 6, 8, 10), (0, 3, 6, 8, 9, 12, 15))
    ]
    pairs = [(values(n, 3), values(m, 5)) for n, m in itertools.product((0, 1, 2, 3, 4, 6), repeat=2)]
    for name, function in {
        "equal": lambda s, x, y: x.sum(1) + y.sum(1),
        "more_than": lambda s, x, y: x.sum() + y.sum() if x.shape[0] > y.shape[0] else x.sum() * y.sum(),
        "multiple_of": lambda s, x, y: x.sum() + y.sum() if x.shape[0] % y.shape[0] == 0 else x.sum() * y.sum(),
        "independent": lambda s, x, y: (x * 2, y * 3),
        "outer": lambda s, x, y: x.sum(1)[:, None] * y.sum(1)[None, :],
    }.items():
        yield name, Fn2(function), (values(4, 3), values(4 if name == "equal" else 2, 5)), ({0: A}, {0: A}), pairs

    images = [(values(n, h, w, 3),) for n in (0, 1, 2) for h, w in itertools.product((2, 3, 4, 6, 7), (3, 4, 6))]
    yield "patch_merging", Fn(lambda s, x: x.view(x.shape[0], x.shape[1] // 2, 2, x.shape[2] // 2, 2, 3).sum((2, 4))), (values(2, 6, 8, 3),), (
        {0: A, 1: A, 2: A},
    ), images
    planes = [(values(n, 3, h, w),) for n in (1, 2) for h, w in itertools.product((4, 5, 6, 8), (4, 6, 7))]
    yield "pixel_unshuffle", Fn(lambda s, x: F.pixel_unshuffle(x, 2)), (values(2, 3, 6, 8),), ({0: A, 2: A, 3: A},), planes
    yield "convolution", nn.Sequential(nn.Conv2d(3, 2, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)), (values(2, 3, 6, 8),), ({0: A, 2: A, 3: A},), planes
    sequences = [(values(n, m, 8),) for n, m in itertools.product((1, 2, 3), (1, 2, 5))]
    yield "attention", Attention(), (values(2, 5, 8),), ({0: A, 1: A},), sequences
    yield "attention_named", Attention(), (values(2, 5, 8),), ({0: Dim("a"), 1: Dim("b")},), sequences
    yield "encoder", nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), (values(2, 5, 8),), ({0: A, 1: A},), sequences
    counts = [(values(n, 3), c) for n, c in itertools.product((4, 5, 9), (0, 3, 4, 5, 8))]
    yield "count", Count(), (values(9, 3), 5), ({0: A}, A), counts

    def nested(n, a, x, l, r, k):
        return (values(n, a), {"x": values(n, x), "list": [values(n, l)]}, values(n, r)), {"key": values(n, k)}

    shapes = {"first": (A, A), "parts": {"x": (A, A), "list": [(A, A)]}, "rest": ((A, A),), "key": (A, A)}
    runs = [nested(*sizes) for sizes in ((2, 3, 4, 6, 5, 5), (1, 1, 1, 2, 3, 6), (2, 3, 4, 5, 5, 5), (2, 3, 4, 6, 2, 5), (2, 3, 4, 6, 5, 7), (0, 3, 4, 6, 5, 5))]
    yield "nested", Nested(), nested(2, 3, 4, 6, 5, 5), shapes, runs
    yield "nested_strict", Nested(), nested(2, 3, 4, 6, 5, 5), shapes, runs
    yield "unreadable", Fn(lambda s, x: x.sum(1)), (values(3, 8),), ((A, A),), plane
    yield "deferred", Fn(lambda s, x: x.view(-1, 2).sum(1) if x.shape[0] * x.shape[1] > 6 else x.view(-1)), (values(4, 3),), ((Dim("a"), Dim("b")),), plane


def split(args):
    return args if len(args) == 2 and isinstance(args[1], dict) else (args, {})


def add(pack, name, module, example, dynamic, runs):
    args, kwargs = split(example)
    program = torch.export.export(
        module.eval(), args, kwargs, dynamic_shapes=dynamic, strict=name.endswith("strict"),
        prefer_deferred_runtime_asserts_over_guards=name == "deferred",
    )
    file = io.BytesIO()
    torch.export.save(bare(program), file)
    saved = file.getvalue()
    loaded = torch.export.load(io.BytesIO(saved)).module()
    packed = [run(pack, loaded, *split(item)) for item in runs]
    if name == "unreadable":
        saved = with_guard(saved, "mystery(L['x'].size()[1]) == 0")
        packed = [item if item["inputs"][0]["shape"] == list(args[0].shape) else {"inputs": item["inputs"], "raises": "guard"} for item in packed]
    pack.samples.append({"id": name, "targets": targets_of(program), "core": is_core(program), "program": pack.place(saved), "runs": packed})
    refused = sum("raises" in item for item in packed)
    print(f"{name}: {len(packed)} runs, {refused} refused", file=sys.stderr)


def with_guard(saved, text):
    """The program with a guard that nobody understands."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(saved)) as source, zipfile.ZipFile(target, "w") as archive:
        for entry in source.infolist():
            data = source.read(entry)
            if entry.filename.endswith("models/model.json"):
                program = json.loads(data)
                data = json.dumps({**program, "guards_code": [*program["guards_code"], text]}).encode()
            archive.writestr(zipfile.ZipInfo(entry.filename), data)
    return target.getvalue()


def run(pack, loaded, args, kwargs):
    flat = [torch.tensor(leaf) if isinstance(leaf, int) else leaf for leaf in torch.utils._pytree.tree_leaves((args, kwargs))]
    inputs = [pack.tensor(tensor) for tensor in tensors_of(flat)]
    try:
        with torch.no_grad():
            return {"inputs": inputs, "outputs": [pack.tensor(tensor) for tensor in results_of(loaded(*args, **kwargs))]}
    except (AssertionError, ZeroDivisionError):
        return {"inputs": inputs, "raises": "guard"}
    except RuntimeError as error:
        return {"inputs": inputs, "raises": "guard" if "Runtime assertion" in str(error) else "run"}


def main():
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    torch.manual_seed(0)
    torch.set_num_threads(1)
    path = Path(sys.argv[1])
    pack = Pack(path.stem)
    for case in cases():
        add(pack, *case)
    print(f"{len(pack.samples)} programs, {sum(len(s['runs']) for s in pack.samples)} runs, {pack.write(path.parent)} bytes", file=sys.stderr)


if __name__ == "__main__":
    main()
