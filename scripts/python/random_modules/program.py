"""The text of a random module: statements of known types, drawn from a grammar."""

import random
from collections.abc import Callable

HEAD = '''from typing import Dict, List, Optional, Tuple
import torch
from torch import Tensor, nn


def twice(a: Tensor, i: int) -> Tensor:
    b = a * 2
    if i > 1:
        b = b - i
    return b


def written(a: Tensor, i: int) -> Tensor:
    a += i
    return a


def turned(a: Tensor) -> Tensor:
    return a.t()


def first(a: List[Tensor], b: Tensor) -> Tensor:
    for c in a:
        if bool(c.sum() > 0):
            return c
    return b


def doubled(a: Tensor, b: Tensor) -> Tensor:
    c = a.clone()
    c[1:] *= 2
    return c + b


def less(a: Tensor, b: Tensor) -> Tensor:
    c = b - 1
    c.t().add_(a.sum())
    return c


def counted(b: Tensor, i: int) -> int:
    a = 0
    while a < 5:
        a += 1
        if bool(b.sum() > a):
            break
        if a == i:
            continue
    return a


class Sub(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("scale", torch.tensor(2.0))

    def forward(self, a: Tensor, p: bool) -> Tensor:
        if p:
            return a * self.scale
        a = a + 1
        return a


class Program(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.sub = Sub()
        self.flag = {flag}
        self.mode = "{mode}"
        self.count = {count}
        self.register_buffer("buf", torch.tensor(1.5))

    def forward(self, x: Tensor, y: Tensor, z: Tensor):
'''

#: The variables that a module begins with; T: a matrix of the inputs' sizes, V and W: a matrix and a vector of other sizes, S: a tensor of one number.
START = [
    ("a", "T", "x"), ("b", "T", "y * 2"), ("c", "T", "x + y"), ("v", "V", "a[1:]"), ("u", "V", "b.t()"), ("w", "W", "c.view(-1)"),
    ("s", "S", "y.sum()"), ("i", "I", "0"), ("j", "I", "x.size(0)"), ("k", "I", "int(z)"), ("f", "F", "1.5"),
    ("p", "B", "self.flag"), ("q", "B", "bool(x.sum() > 0)"), ("l", "L", "[a, y]"), ("h", "N", "[1, j]"), ("d", "D", '{"u": c, "v": y}'),
    ("e", "P", "(a, b)"), ("o", "O", "torch.jit.annotate(Optional[Tensor], None)"),
]

#: What the program must know when it is exported.
EXPORTED = {"k": "3", "q": "x.size(0) > 2"}


class Writer:
    """`is_exported`: without numbers and conditions of the data, but with torch.cond; `of_tensors`: the module answers tensors alone."""

    def __init__(self, rng: random.Random, is_exported: bool = False, of_tensors: bool = False) -> None:
        self.rng = rng
        self.is_exported = is_exported
        self.of_tensors = of_tensors
        self.lines: list[str] = []
        self.names: dict[str, list[str]] = {}
        self.left = rng.randrange(4, 16)
        self.loops = 0

    def one_of(self, *makers: str | Callable[[], str]) -> str:
        made = self.rng.choice(makers)
        return made if isinstance(made, str) else made()

    def data(self, text: str, otherwise: str) -> str:
        return otherwise if self.is_exported else text

    def name(self, kind: str) -> str:
        return self.rng.choice(self.names[kind])

    def small(self) -> int:
        return self.rng.choice((-3, -2, -1, 0, 1, 2, 3, 4))

    def other(self) -> int:
        return self.rng.choice((-3, -2, 2, 3, 5))

    # Expressions; `deep` is how much deeper they may go.

    def t(self, deep: int = 2) -> str:
        if deep == 0 or self.rng.random() < 0.3:
            return self.name("T")
        a = lambda: self.t(deep - 1)
        return self.one_of(
            lambda: f"({a()} + {a()})",
            lambda: f"({a()} - {self.s(1)})",
            lambda: f"({a()} * {self.small()})",
            lambda: f"({a()} + {self.i(1)})",
            lambda: f"({self.i(1)} - {a()})",
            lambda: f"({a()} // {self.other()})",
            lambda: f"({a()} % {self.other()})",
            lambda: f"torch.where({self.mask()}, {a()}, {a()})",
            lambda: f"{a()}.relu()",
            lambda: f"{a()}.clone()",
            lambda: f"{a()}.masked_fill({self.mask()}, {self.small()})",
            lambda: f"twice({a()}, {self.i(1)})",
            lambda: f"written({a()}, {self.i(1)})",
            lambda: f"self.sub({a()}, {self.b(1)})",
            lambda: self.data(f"first({self.name('L')}, {a()})", f"torch.cond({self.name('S')} > {self.small()}, doubled, less, ({a()}, {a()}))"),
            lambda: f"{self.name('D')}[\"{self.key()}\"]",
            lambda: f"{self.name('P')}[{self.rng.randrange(2)}]",
            lambda: f"({a()} if {self.b(1)} else {a()})",
            lambda: f"turned(turned({a()}))",
            lambda: f"{a()}[:]",
            lambda: f"{a()}.contiguous()",
            lambda: f"({a()} * self.buf)",
            lambda: f"torch.cat([{self.name('T')}[:1], {self.name('T')}[1:]])",
            lambda: f"torch.add({a()}, {a()}, alpha={self.other()})",
        )

    def key(self) -> str:
        return self.rng.choice("uv")

    def v(self) -> str:
        t = self.name("T")
        return self.one_of(
            f"{t}[1:]", f"{t}[:-1]", f"{t}[:, :1]", f"{t}[::2]", f"{t}.t()", f"{t}.transpose(0, 1)", f"{t}[:, 1:]", f"{t}.view(1, -1)",
            f"{t}.reshape(-1, 1)", lambda: f"{self.name('V')}[:1]", lambda: f"{self.name('V')}.t()", lambda: f"{self.name('V')}[:, 1:]",
            lambda: f"{self.name('V')} * 2", lambda: f"{self.name('V')}.t().contiguous()", lambda: f"{t}[{self.i(1)}:]",
            lambda: f"{t}[:, :{self.i(1)}]", lambda: f"{self.name('W')}.unsqueeze(0)", lambda: f"{t}.narrow(0, 0, {self.name('T')}.size(0))",
        )

    def w(self) -> str:
        t = self.name("T")
        return self.one_of(
            f"{t}.view(-1)", f"{t}.flatten()", f"{t}.reshape(-1)", f"{t}.diagonal()", f"{t}.sum(0)", f"{t}.sum(1)", f"{t}.t().flatten()",
            lambda: f"{self.name('V')}.flatten()", lambda: f"{self.name('W')}[1:]", lambda: f"{self.name('W')}[::2]", lambda: f"{t}[{self.mask()}]",
            lambda: f"{self.name('V')}.sum(0)", lambda: f"{self.name('V')}.diagonal()", lambda: f"{self.name('W')} + 1",
        )

    def mask(self) -> str:
        t = self.name("T")
        return self.one_of(
            lambda: f"({t} > {self.small()})", lambda: f"({t} == {self.name('T')})", lambda: f"({t} < {self.name('S')})",
            lambda: f"(({t} > 0) & ({self.name('T')} < 2))", lambda: f"~({t} >= {self.i(1)})",
        )

    def s(self, deep: int = 2) -> str:
        if deep == 0 or self.rng.random() < 0.3:
            return self.name("S")
        return self.one_of(
            lambda: f"{self.name('T')}.sum()", lambda: f"{self.name('V')}.sum()", lambda: f"{self.name('W')}.sum()",
            lambda: f"({self.s(deep - 1)} + {self.small()})", lambda: f"({self.s(deep - 1)} * {self.s(deep - 1)} % 7)",
            lambda: f"{self.mask()}.float().sum()", lambda: f"{self.name('S')}.clone()",
        )

    def i(self, deep: int = 2) -> str:
        if deep == 0 or self.rng.random() < 0.3:
            return self.one_of(lambda: self.name("I"), lambda: str(self.small()))
        a = lambda: self.i(deep - 1)
        return self.one_of(
            lambda: f"({a()} + {a()})", lambda: f"({a()} - {a()})", lambda: f"({a()} * {self.other()})", lambda: f"({a()} // {self.other()})",
            lambda: f"({a()} % {self.other()})", lambda: f"abs({a()})", lambda: f"min({a()}, {a()})", lambda: f"max({a()}, {a()})",
            lambda: self.data(f"int({self.s(1)})", "3"), lambda: f"int({self.f(1)})", lambda: f"{self.name('T')}.size({self.rng.randrange(2)})",
            lambda: f"{self.name('V')}.shape[{self.rng.randrange(2)}]", lambda: f"{self.name('W')}.size(0)", lambda: f"{self.name('V')}.numel()",
            lambda: f"len({self.name('L')})", lambda: f"len({self.name('N')})", lambda: f"int({self.b(1)})", lambda: "self.count", lambda: self.data("int(z)", "2"),
            lambda: self.data(f"counted({self.name('T')}, {a()})", "1"), lambda: f"{self.name('N')}[{self.rng.choice((0, 1, -1))}]", lambda: f"(-{a()})",
            lambda: f"({a()} if {self.b(1)} else {a()})", lambda: f"len({self.name('T')})",
        )

    def f(self, deep: int = 2) -> str:
        if deep == 0 or self.rng.random() < 0.3:
            return self.one_of(lambda: self.name("F"), lambda: str(self.small() / 2))
        a = lambda: self.f(deep - 1)
        return self.one_of(
            lambda: f"float({self.i(1)})", lambda: f"({a()} + {a()})", lambda: f"({a()} * {self.other() / 2})", lambda: f"({a()} // {self.other()})",
            lambda: f"({a()} % {self.other()})", lambda: f"({self.i(1)} / {self.rng.choice((2, 4, -2))})", lambda: self.data(f"float({self.s(1)})", "0.5"),
            lambda: f"({a()} - {self.i(1)})", lambda: f"min({a()}, {a()})", lambda: f"abs({a()})",
        )

    def b(self, deep: int = 2) -> str:
        if deep == 0 or self.rng.random() < 0.2:
            return self.name("B")
        a = lambda: self.b(deep - 1)
        ops = ("<", ">", "<=", ">=", "==", "!=")
        return self.one_of(
            lambda: f"({self.i(1)} {self.rng.choice(ops)} {self.i(1)})", lambda: f"({self.i(1)} {self.rng.choice(ops)} {self.i(1)})",
            lambda: self.data(f"bool({self.s(1)} {self.rng.choice(ops)} {self.small()})", "self.flag"), lambda: self.data(f"bool({self.mask()}.{self.rng.choice(('any', 'all'))}())", "not self.flag"),
            lambda: f"(not {a()})", lambda: f"({a()} and {a()})", lambda: f"({a()} or {a()})", lambda: f"({self.f(1)} {self.rng.choice(ops)} {self.f(1)})",
            lambda: f"({self.name('O')} is None)", lambda: 'self.mode == "u"', lambda: "self.flag", lambda: f"{self.name('N')} == [1, 2]",
            lambda: f"({self.i(1)} in {self.name('N')})", lambda: self.data("bool(z > 0)", "x.size(1) > 2"), lambda: f"({self.name('T')}.size(0) > 1)",
        )

    def any_tensor(self) -> str:
        return self.one_of(lambda: self.name("T"), lambda: self.name("V"), lambda: self.name("W"), lambda: self.name("T"))

    # Statements.

    def value(self, kind: str) -> str:
        return {
            "T": self.t, "V": self.v, "W": self.w, "S": self.s, "I": self.i, "F": self.f, "B": self.b,
            "L": lambda: self.one_of(lambda: f"[{self.t(1)}, {self.t(1)}]", lambda: f"[{self.name('T')}]", lambda: self.name("L"), lambda: f"{self.name('L')} + [{self.name('T')}]", lambda: f"{self.name('L')}[1:]"),
            "N": lambda: self.one_of(lambda: f"[{self.i(1)}, {self.i(1)}]", lambda: self.name("N"), lambda: f"{self.name('T')}.shape", lambda: f"[{self.small()} + g for g in {self.name('N')}]"),
            "D": lambda: self.one_of(lambda: f'{{"u": {self.t(1)}, "v": {self.t(1)}}}', lambda: self.name("D")),
            "P": lambda: f"({self.t(1)}, {self.t(1)})",
            "O": lambda: self.one_of("None", lambda: self.t(1)),
        }[kind]()

    def assign(self) -> list[str]:
        kind = self.rng.choice("TTTTVVWSIIIFBLNDPO")
        if kind == "I":
            return [f"{self.name('I')} = ({self.i()}) % 9 - 2"] if self.rng.random() < 0.5 else [f"{self.name('I')} = {self.i(1)}"]
        name = self.rng.choice([n for n in self.names[kind] if n not in ("x", "y")])
        return [f"{name} = {self.value(kind)}"]

    def write(self) -> list[str]:
        t, n = self.name("T"), self.any_tensor()
        return [self.one_of(
            lambda: f"{t} += {self.t(1)}", lambda: f"{t} *= {self.small()}", lambda: f"{n} -= {self.s(1)}", lambda: f"{n} += {self.i(1)}",
            lambda: f"{n}.mul_({self.small()})", lambda: f"{n}.fill_({self.small()})", lambda: f"{n}.add_({self.s(1)})", lambda: f"{n}.zero_()",
            lambda: f"{t}.copy_({self.t(1)})", lambda: f"{t}.relu_()", lambda: f"{t}.masked_fill_({self.mask()}, {self.small()})",
            lambda: f"{n}.copy_({self.s(1)})", lambda: f"{t}[1:] = {self.small()}", lambda: f"{t}[:, :1] = {self.s(1)}",
            lambda: f"{t}[{self.mask()}] = {self.small()}", lambda: f"{t}[:1] = {self.name('T')}[:1] * 2", lambda: f"{n}[:1] += {self.small()}",
            lambda: f"{n}[{self.i(1)}:] = {self.f(1)}", lambda: f"{t}[:, {self.small()}:] *= 2", lambda: f"{self.name('S')} += {self.s(1)}",
            lambda: f"{self.name('S')}.add_({self.i(1)})", lambda: f"{self.name('V')}.t().mul_(2)", lambda: f"{t}[1:][:1].fill_({self.small()})",
            lambda: f"{t}.view(-1)[1:] = {self.small()}", lambda: f"{t}.t()[:1] -= 1", lambda: f"{t}.clamp_(-9, 9)", lambda: f"{t} = written({self.name('T')}, {self.i(1)})",
            lambda: f"written({n}, {self.i(1)})", lambda: f"{t}.diagonal().add_({self.small()})", lambda: f"{n}[...] = {self.small()}",
            lambda: f"{t}[torch.tensor([0, -1])[:{t}.size(0)]] = {self.small()}", lambda: f"torch.add({t}, {self.t(1)}, out={self.name('T')})",
            lambda: f"turned({t}).mul_({self.small()})", lambda: f"{t}.index_fill_(0, torch.arange({t}.size(0) // 2), {self.small()})",
        )]

    def guarded(self) -> list[str]:
        """Items, where there are any."""
        t, l, h = self.name("T"), self.name("L"), self.name("N")
        at = self.rng.choice((0, -1))
        some = f"if {t}.size(0) > 0 and {t}.size(1) > 0:"
        return self.rng.choice((
            lambda: [some, f"    {t}[{at}] = {self.small()}"], lambda: [some, f"    {t}[{at}, {at}] += {self.i(1)}"], lambda: [some, f"    {t}[:, {at}] *= {self.small()}"],
            lambda: [some, f"    {self.name('S')} = {t}[0, {at}]"], lambda: [some, f"    {self.name('W')} = {t}[{at}]"], lambda: [some, f"    {self.name('S')} = {t}.max()"],
            lambda: [f"if len({l}) > 0:", f"    {l}[{at}] = {self.t(1)}"], lambda: [f"if len({l}) > 0:", f"    {l}[{at}] += {self.t(1)}"],
            lambda: [f"if len({l}) > 0:", f"    {self.name('T')} = {l}[{at}]"], lambda: [f"if len({l}) > 1:", f"    {self.name('T')} = {l}.pop()"],
            lambda: [f"if len({l}) > 0:", f"    {l}[{at}].mul_({self.small()})"], lambda: [f"if len({h}) > 0:", f"    {h}[{at}] = {self.i(1)}"],
            lambda: [f"if len({h}) > 1:", f"    {self.name('I')} = {h}.pop({self.rng.choice(('', '0', '-1'))})"],
            lambda: [f"if {self.name('O')} is not None:", f"    {self.name('T')} = {self.name('T')} * 2"],
            lambda: ["if o is not None:", f"    {self.name('T')} = o + {self.t(1)}"], lambda: ["if o is not None:", "    o += 1"],
        ))()

    def hold(self) -> list[str]:
        l, h, d = self.name("L"), self.name("N"), self.name("D")
        return self.rng.choice((
            lambda: [f"{l}.append({self.t(1)})"], lambda: [f"{h}.append({self.i(1)})"], lambda: [f'{d}["{self.key()}"] = {self.t(1)}'],
            lambda: [f'{d}["{self.key()}"] += {self.t(1)}'], lambda: [f'{d}["{self.key()}"].mul_({self.small()})'], lambda: ["a, b = b, a"],
            lambda: [f"a, c = {self.name('P')}"], lambda: [f"{l} += [{self.t(1)}]"], lambda: [f"{l}.extend([{self.t(1)}])"], lambda: [f"{l}.reverse()"],
            lambda: [f"{h}.insert(0, {self.i(1)})"], lambda: [f"{l}.insert(0, {self.t(1)})"], lambda: [f"for g in {l}:", f"    {self.one_of('g += 1', 'a = a + g', 'g.mul_(2)', 's = s + g.sum()')}"],
            lambda: [f"{h}.sort()"], lambda: [f"e[{self.rng.randrange(2)}].add_({self.small()})"], lambda: [f"i = sum({h}) % 7"],
            lambda: [f"for r, g in enumerate({l}):", f"    {self.one_of('g += r', 'a = a + g * r', 'i = r')}"], lambda: [f"for r, g in zip({h}, {l}):", "    b = b + g * r"],
            lambda: [f"{l}.clear()"], lambda: [f"a = torch.stack({l} + [a]).sum(0)"], lambda: [f"for g in {self.name('T')}:", f"    {self.one_of('g += 1', 's = s + g.sum()')}"],
            lambda: [f"for g, r in {d}.items():", f"    {self.one_of('r += 1', 'a = a + r')}"],
        ))()

    def block(self, depth: int, in_loop: bool) -> list[str]:
        lines: list[str] = []
        for _ in range(self.rng.choice((1, 1, 2, 2, 3))):
            lines += self.statement(depth, in_loop)
        if in_loop and self.rng.random() < 0.25:
            lines += [f"if {self.b(1)}:", f"    {self.rng.choice(('break', 'continue'))}"] if self.rng.random() < 0.7 else [self.rng.choice(("break", "continue"))]
        elif self.rng.random() < 0.06:
            lines.append(self.result())
        return [f"    {line}" for line in lines]

    def loop(self, depth: int) -> list[str]:
        self.loops += 1
        r = self.rng.random()
        if r < 0.35:
            turn = f"r{self.loops}"
            head = [f"{turn} = 0", f"while {self.b(1)} and {turn} < {self.rng.choice((1, 3, 4))}:", f"    {turn} += 1"]
            if self.rng.random() < 0.4:
                head[1] = f"while {turn} < min(4, {self.i(1)}):"
            return [*head, *self.block(depth - 1, True)]
        count = self.one_of(lambda: str(self.rng.randrange(4)), lambda: f"min(4, {self.i(1)})", lambda: f"{self.name('T')}.size({self.rng.randrange(2)})", self.data("int(z)", "3"), lambda: f"{self.small()}, min(3, {self.i(1)})", lambda: f"min(5, {self.i(1)}), -1, -2")
        turn = self.rng.choice(("i", "j", f"r{self.loops}"))
        body = self.block(depth - 1, True)
        if turn[0] == "r" and self.rng.random() < 0.5:
            body.insert(0, self.one_of(f"    a = a + {turn}", f"    i = i + {turn}", f"    a[{turn}:] += 1", f"    b[:, :{turn}] *= 2"))
        return [f"for {turn} in range({count}):", *body]

    def statement(self, depth: int, in_loop: bool) -> list[str]:
        self.left -= 1
        r = self.rng.random()
        if depth > 0 and self.left > 0 and r < 0.38:
            if r < 0.22:
                lines = [f"if {self.b()}:", *self.block(depth - 1, in_loop)]
                if self.rng.random() < 0.5:
                    lines += ["else:", *self.block(depth - 1, in_loop)]
                return lines
            return self.loop(depth)
        return self.rng.choice((self.assign, self.write, self.write, self.guarded, self.hold))()

    def result(self) -> str:
        numbers = "a + i, b + j, c * f" if self.of_tensors else "i, j, f, p"
        return f'return (a, b, c, x, y, v.sum(), u.sum(), w.sum(), s, {numbers}, d["u"], d["v"], e[0], e[1])'

    def text(self) -> str:
        rng = self.rng
        head = HEAD.replace("{flag}", str(rng.random() < 0.5)).replace("{mode}", rng.choice("uv")).replace("{count}", str(rng.randrange(-2, 4)))
        lines = []
        for name, kind, value in START:
            value = EXPORTED.get(name, value) if self.is_exported else value
            lines.append(f"{name} = {value}")
            self.names.setdefault(kind, ["x", "y"] if kind == "T" else []).append(name)
        while self.left > 0:
            lines += self.statement(3, False)
        if rng.random() < 0.5:
            lines += ["for g in l:", "    c = c * 2 - g"]
        if rng.random() < 0.5:
            lines += ["if o is not None:", "    c = c + o"]
        if rng.random() < 0.5:
            lines += ["for n in h:", "    i = (i * 3 + n) % 1000"]
        lines.append(self.result())
        return head + "".join(f"        {line}\n" for line in lines)


def module_text(rng: random.Random, form: str) -> str:
    return Writer(rng, form == "exported", form != "scripted").text()
