"""Writes packages/torch/src/aten/gen/aten-dtypes.ts: which dtypes each ATen op takes, as PyTorch's own op samples show, called in every dtype.

Run with the PyTorch release that the table shall describe:  python scripts/python/generate_dtypes.py

A rule never refuses what PyTorch was seen to take: it says in which dtypes each operand was ever taken, which operands always had one dtype,
what the promoted dtype was, which operands were never of a higher kind than the one that is written into, and what else was refused, as it was.
"""

import argparse
import collections
import itertools
import logging
import re
import sys
import warnings
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import torch
from fixture_pack import Skip, clones, tensors_of
from make_dtype_fixtures import DTYPES, LACKING, OF_NUMBERS, SMALL, cast
from make_edge_fixtures import survives
from make_op_fixtures import Call, contiguous, seed, spread
from torch.testing._internal.common_methods_invocations import op_db

LETTERS = dict(zip(DTYPES, "fdhH8421ub", strict=True))
SAMPLES = {torch.float32: 5, torch.int64: 2, torch.bool: 1}
# Ops that no trace of a sample is, and what takes the same.
LIKE = {
    "_convolution.default": ("convolution.default", *(f"conv{n}d.{way}" for n in (1, 2, 3) for way in ("default", "padding"))),
    **{f"_convolution.default@t{n}": (f"convolution.default@t{n}", f"conv_transpose{n}d.{'default' if n == 1 else 'input'}") for n in (1, 2, 3)},
    "pad.default@refl": tuple(f"reflection_pad{n}d.default" for n in (1, 2, 3)),
    "pad.default@repl": tuple(f"replication_pad{n}d.default" for n in (1, 2, 3)),
}
TARGET = Path(__file__).parents[2] / "packages/torch/src/aten/gen/aten-dtypes.ts"
# What no sample shows alone.
KNOWN = {
    "indices=84ub": ("index.Tensor", "_unsafe_index.Tensor"),
    "self=fdhH8421u other=fdhH8421u self~other": ("tensordot.default",),
    "self=fdhH8421u": ("rsub.Scalar", "sub.Scalar"),
    "other=fdhH8421u self=fdhH8421u": ("rsub.Tensor",),
    "imag=fdh real=fdh imag~real": ("complex.default",),
    "abs=fdh angle=fdh abs~angle": ("polar.default",),
    "input=fdhHu": ("_upsample_nearest_exact1d.vec",),
    "bias=fdhH input=fdhH running_mean=fdhH running_var=fdhH weight=fdhH bias~running_mean~running_var~weight "
    + " ".join(f"!input={x},{name}={other}" for name in ("weight", "running_mean") for x, other in (("d", "fhH"), ("f", "dhH"), ("h", "dH"), ("H", "dh"))): (
        "_native_batch_norm_legit.default",
        "_batch_norm_with_update.default",
    ),
    "grad_output=fdhH self=fdhH": tuple(f"max_pool{n}d_with_indices_backward.default" for n in (2, 3)),
}

# Arguments that choose the kernel, and how the table names what they choose.
DECIDING = {
    "reduction": lambda number, ranks: f"r{number}",
    "transposed": lambda is_so, ranks: f"t{ranks['input'] - 2}" if is_so else "",
    "mode": lambda name, ranks: name[:4] if isinstance(name, str) else "",
}
KINDS = "b", "u1248", "fdhH"


def kind(letter: str) -> int:
    return next(i for i, letters in enumerate(KINDS) if letter in letters)


def promoted(letters) -> str:
    dtypes = [next(d for d, known in LETTERS.items() if known == letter) for letter in letters]
    result = dtypes[0]
    for dtype in dtypes[1:]:
        result = torch.promote_types(result, dtype)
    return LETTERS[result]


class Plain:
    """The one op of a traced graph, and which parameter each of its inputs is."""

    def __init__(self, script, tensors: list[torch.Tensor]) -> None:
        graph = script.graph.copy()
        torch._C._jit_pass_inline(graph)
        nodes = [node for node in graph.nodes() if node.kind().startswith("aten::") and node.kind() not in ("aten::clone", "aten::broadcast_tensors")]
        if len(nodes) != 1 or nodes[0].schema() == "(no schema)":
            raise Skip("it is not one op")
        self.values = list(nodes[0].inputs())
        schema = torch._C.parse_schema(nodes[0].schema())
        self.name = f"{schema.name.removeprefix('aten::')}.{schema.overload_name or 'default'}"
        packet, overload = self.name.rsplit(".", 1)
        self.op = getattr(getattr(torch.ops.aten, packet), overload)
        self.arguments = list(schema.arguments)
        self.inputs = [value.debugName() for value in graph.inputs()][1:]
        places = {name: argument.name for argument, value in zip(self.arguments, self.values) for name in names_in(value)}
        if any(name not in places for name in self.inputs):
            raise Skip("it does not take its inputs as they are")
        if any(argument.name == "dtype" and self.evaluated(value, {}) is not None for argument, value in zip(self.arguments, self.values)):
            raise Skip("it converts its operands first")
        self.operands = [places[name] for name in self.inputs]
        ranks = {operand: tensor.dim() for operand, tensor in zip(self.operands, tensors)}
        constants = {a.name: self.evaluated(v, {}) for a, v in zip(self.arguments, self.values) if a.name in DECIDING and a.type.str() in ("int", "bool", "str")}
        if "cross_entropy_loss" in self.name:
            # Classes, or their probabilities.
            self.way = "c" if ranks["target"] < ranks["self"] else "p"
        elif "take_along_dim" in self.name:
            dims = [self.evaluated(v, {}) for a, v in zip(self.arguments, self.values) if a.name == "dim"]
            self.way = "flat" if dims == [None] else ""
        else:
            self.way = "".join(DECIDING[name](value, ranks) for name, value in constants.items())
        self.graph = graph

    def evaluated(self, value, tensors: dict):
        node = value.node()
        if value.debugName() in tensors:
            return tensors[value.debugName()]
        if node.kind() == "prim::ListConstruct":
            return [self.evaluated(item, tensors) for item in node.inputs()]
        if node.kind() == "aten::clone":
            return self.evaluated(node.inputsAt(0), tensors).clone()
        if node.kind() == "prim::ListUnpack" and node.inputsAt(0).node().kind() == "aten::broadcast_tensors":
            lists = self.evaluated(node.inputsAt(0).node().inputsAt(0), tensors)
            return torch.broadcast_tensors(*lists)[place_of(value)]
        if node.kind() != "prim::Constant":
            raise Skip("it calculates an argument")
        return value.toIValue()

    def __call__(self, *tensors: torch.Tensor) -> object:
        given = dict(zip(self.inputs, tensors))
        values = [self.evaluated(value, given) for value in self.values]
        named = {argument.name: value for argument, value in zip(self.arguments, values) if argument.kwarg_only}
        with torch.no_grad():
            return self.op(*[value for argument, value in zip(self.arguments, values) if not argument.kwarg_only], **named)


def names_in(value) -> list[str]:
    """The tensors that an argument is made of."""
    node = value.node()
    if node.kind() == "prim::ListConstruct":
        return [name for item in node.inputs() for name in names_in(item)]
    if node.kind() == "prim::ListUnpack" and node.inputsAt(0).node().kind() == "aten::broadcast_tensors":
        return names_in(list(node.inputsAt(0).node().inputsAt(0).node().inputs())[place_of(value)])
    return names_in(node.inputsAt(0)) if node.kind() == "aten::clone" else [value.debugName()]


def place_of(value) -> int:
    return [output.debugName() for output in value.node().outputs()].index(value.debugName())


def tried(tensors: list[torch.Tensor], pairs: bool):
    yield tensors
    for i, dtype in itertools.product(range(len(tensors)), DTYPES):
        yield [cast(t, dtype) if k == i else t for k, t in enumerate(tensors)]
    for dtype in DTYPES:
        alike = [cast(t, dtype) for t in tensors]
        yield alike
        for i, other in itertools.product(range(len(tensors)), (torch.int64, torch.float32, torch.bool)):
            yield [cast(tensors[k], other) if k == i else t for k, t in enumerate(alike)]
        # Indices and masks keep their dtype.
        yield [cast(t, dtype) if t.dtype == tensors[0].dtype else t for t in tensors]
    if pairs:
        for (i, j), a, b in itertools.product(itertools.combinations(range(min(len(tensors), 4)), 2), DTYPES, DTYPES):
            yield [cast(t, a if k == i else b) if k in (i, j) else t for k, t in enumerate(tensors)]


def observe(function, sample, in_place: bool, pairs: bool):
    args = contiguous(((sample.input, *sample.args), sample.kwargs))
    call, tensors = Call(function, args, in_place), tensors_of(args)
    # Of nothing PyTorch takes any dtype.
    if any(t.dtype not in LETTERS or t.numel() == 0 for t in tensors) or not 0 < len(tensors) < 9:
        return
    script = torch.jit.trace(call, clones(tuple(tensors)), check_trace=False, strict=False)
    plain = Plain(script, tensors)
    # As it is, it has to be taken.
    plain(*clones(tensors))
    # PyTorch is laxer where an operand has no dimension, and stricter where it sums.
    way = plain.way + ("z" if any(t.dim() == 0 for t in tensors) else "")
    name = plain.name + (f"@{way}" if way else "")
    for inputs in tried(tensors, pairs):
        seen = frozenset((operand, LETTERS[t.dtype]) for operand, t in zip(plain.operands, inputs))
        try:
            plain(*clones(inputs))
            yield name, seen, None
        except Exception as error:
            yield name, seen, (str(error).strip().splitlines() or [""])[0][:120]


def observations(info) -> dict[str, dict[frozenset, str | None]]:
    """By op, and by the dtypes that were given: what PyTorch raises, or None where it takes them."""
    seen: dict[str, dict[frozenset, str | None]] = collections.defaultdict(dict)
    forms = [(info.op, False)] + ([(info.inplace_variant, True)] if info.inplace_variant else [])
    for dtype, count in SAMPLES.items():
        if dtype not in info.supported_dtypes("cpu"):
            continue
        seed(0)
        given = [s for s in info.sample_inputs("cpu", dtype, requires_grad=False) if 0 < sum(t.numel() for t in tensors_of((s.input, s.args, s.kwargs))) < SMALL]
        # Operands that are optional have rules, too.
        fullest = max(given, key=lambda s: len(tensors_of((s.input, s.args, s.kwargs))), default=None)
        chosen = [fullest] * (fullest is not None) + [sample for _, sample in spread(given, count)]
        for (rank, sample), (function, in_place) in itertools.product(enumerate(chosen), forms):
            try:
                for op, dtypes, raised in observe(function, sample, in_place, rank == 0 and dtype == torch.float32):
                    seen[op][dtypes] = None if seen[op].get(dtypes, raised) is None else raised
            except Exception:  # PyTorch writes no trace of it
                continue
    return seen


def rules_of(op: str, seen: dict[frozenset, str | None]) -> Iterator[tuple[str, str]]:
    """The rule of an op, and of its calls with certain operands where those show more, under the name `op|operand,operand`."""
    known = {pairs: raised for pairs, raised in seen.items() if raised is None or not (OF_NUMBERS.search(raised) or LACKING.search(raised))}
    rule, left = rule_of(op, known)
    groups: dict[frozenset, dict] = collections.defaultdict(dict)
    for pairs, raised in known.items():
        groups[frozenset(name for name, _ in pairs)][pairs] = raised
    if len(groups) == 1:
        rule += excluded(left)
    yield op, rule.strip()
    for names, group in groups.items():
        if len(groups) > 1 and any(each.keys() == names for each in left):
            own, others = rule_of(op, group)
            own = (own + excluded(others)).strip()
            if own != rule:
                yield f"{op}|{','.join(sorted(names))}", own


def rule_of(op: str, seen: dict[frozenset, str | None]) -> tuple[str, list[dict]]:
    """What a table's line says, and what was refused that it takes."""
    taken = [dict_of(pairs) for pairs, raised in seen.items() if raised is None]
    refused = [dict_of(pairs) for pairs, raised in seen.items() if raised is not None]
    if not taken or not refused:
        return "", []
    names = list(dict.fromkeys(name for each in taken for name in sorted(each)))
    parts: list[str] = []
    left = refused

    def needed(text: str, fails) -> None:
        """Keeps what refuses something that nothing before it does."""
        nonlocal left
        rest = [each for each in left if not fails(each)]
        if len(rest) < len(left):
            parts.append(text)
            left = rest

    for name in names:
        letters = widened({letter for each in taken for letter in each.get(name, ())}, refused)
        needed(f"{name}={letters}", lambda each, name=name, letters=letters: not each.get(name, set()) <= set(letters))
    for sign, seen_letters in (("~", set(LETTERS.values())), ("^", set("fdhH"))):
        for group in alike(names, taken, refused, seen_letters):
            kinds = lambda each, group=group, letters=seen_letters: set().union(*(each.get(name, set()) for name in group)) & letters
            needed(sign.join(group) if len(group) > 1 else sign + group[0], lambda each, kinds=kinds: len(kinds(each)) > 1)
    if op.split(".")[0].endswith("_") and "self" in names:
        for name in names:
            higher = lambda each, name=name: name in each and max(map(kind, each[name])) > min(map(kind, each["self"]))
            if name != "self" and not any(higher(each) for each in taken):
                needed(f"self>{name}", higher)
    whole = widened({promoted([letter for letters in each.values() for letter in letters]) for each in taken}, refused)
    needed(f"*={whole}", lambda each: promoted([letter for letters in each.values() for letter in letters]) not in whole)
    return " ".join(parts), left


def excluded(left: list[dict]) -> str:
    """What is refused and no rule says, as it was seen: `!self=fd,other=b`. Nothing where that is no rule but a list."""
    found = [{name: frozenset(letters) for name, letters in each.items()} for each in left if all(len(letters) == 1 for letters in each.values())]
    for name in dict.fromkeys(name for each in found for name in each):
        merged: dict[frozenset, frozenset] = collections.defaultdict(frozenset)
        for each in found:
            merged[frozenset((key, value) for key, value in each.items() if key != name)] |= each[name]
        found = [{**dict(rest), name: letters} for rest, letters in merged.items()]
    if not 0 < len(found) < 12:
        return ""
    order = "".join(LETTERS.values())
    return "".join(" !" + ",".join(f"{name}={''.join(sorted(each[name], key=order.index))}" for name in sorted(each)) for each in found)


def alike(names: list[str], taken: list[dict], refused: list[dict], letters: set[str]) -> list[list[str]]:
    """Operands that always had one dtype among these."""
    groups: list[list[str]] = []
    for a, b in itertools.combinations_with_replacement(names, 2):
        differ = lambda each, a=a, b=b: a in each and b in each and len((each[a] | each[b]) & letters) > 1
        if any(differ(each) for each in taken) or not any(differ(each) for each in refused):
            continue
        known = next((group for group in groups if a in group or b in group), None)
        if known is None:
            groups.append([a] if a == b else [a, b])
        else:
            known += [name for name in (a, b) if name not in known]
    return groups


def dict_of(pairs: frozenset) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for name, letter in pairs:
        found.setdefault(name, set()).add(letter)
    return found


def widened(letters: set[str], refused: list[dict]) -> str:
    """What is taken as float32 is as a half type, unless PyTorch says otherwise: some kernels for the CPU are missing, the program is right."""
    if "f" in letters:
        letters = letters | {half for half in "hH" if not any(each and all(found == {half} for found in each.values()) for each in refused)}
    return "".join(letter for letter in LETTERS.values() if letter in letters)


def table() -> dict[str, str]:
    """The rules that the table holds, by op."""
    text = TARGET.read_text()
    lines = text[text.index("`") + 1 : text.rindex("`")].splitlines()
    return {op: rule for rule, ops in (line.split(": ") for line in lines) for op in ops.split(" ")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--filter", nargs="*", help="only these ops of the database; the table keeps the rules of the others")
    filter = parser.parse_args().filter
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    torch.set_num_threads(1)
    seen: dict[str, dict[frozenset, str | None]] = collections.defaultdict(dict)
    for info in op_db:
        if filter is not None and not any(fnmatch(info.full_name, pattern) for pattern in filter):
            continue
        for op, found in asked(info).items():
            for dtypes, raised in found.items():
                seen[op][dtypes] = None if seen[op].get(dtypes, raised) is None else raised
        print(info.full_name, file=sys.stderr, flush=True)
    write(seen, {} if filter is None else table())


def write(seen: dict[str, dict[frozenset, str | None]], kept: dict[str, str]) -> None:
    for like, others in LIKE.items():
        for other in others:
            seen |= {op.replace(like, other): found for op, found in seen.items() if op.startswith(like) and op[len(like) :] in ("", "@z")}
    packets = {re.split("[@|]", op)[0] for op in seen}
    by_op = {op: rule for op, rule in kept.items() if re.split("[@|]", op)[0] not in packets}
    by_op |= {op: rule for name in seen for op, rule in rules_of(name, seen[name])}
    by_op |= {way: rule for rule, ops in KNOWN.items() for op in ops for way in (op, f"{op}@z")}
    rules: dict[str, list[str]] = collections.defaultdict(list)
    for op in sorted(by_op):
        if by_op[op]:
            rules[by_op[op]].append(op)
    body = "\n".join(f"{rule}: {' '.join(ops)}" for rule, ops in sorted(rules.items(), key=lambda entry: entry[1]))
    version = torch.__version__.split("+")[0]
    TARGET.write_text(
        f"// Generated by scripts/python/generate_dtypes.py from torch {version}. Do not edit.\n"
        f"/** Which dtypes ops take, one rule with its ops per line; see dtype-rules.ts. */\n"
        f"export const ATEN_DTYPES: string = `{body}`;\n"
    )
    print(f"{sum(map(len, rules.values()))} ops, {len(rules)} rules, {TARGET.stat().st_size} bytes")


def asked(info) -> dict:
    """The observations of one op, from a process of its own: PyTorch itself dies of some dtypes."""
    import pickle
    import tempfile

    with tempfile.NamedTemporaryFile() as file:
        survives(lambda: Path(file.name).write_bytes(pickle.dumps(dict(observations(info)))))
        data = Path(file.name).read_bytes()
    return pickle.loads(data) if data else {}


if __name__ == "__main__":
    main()
