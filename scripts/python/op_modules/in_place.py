"""In-place ops on whole values. The result is always read through another name of the same value as well."""

import torch
import torch.nn.functional as F
from torch import nn

from op_modules.case import Cases, bools, ints

cases = Cases()

UNARY = "relu_ sigmoid_ tanh_ exp_ neg_ abs_ sqrt_ rsqrt_ reciprocal_ square_ floor_ ceil_ round_ trunc_ sin_ cos_ log_ log1p_ erf_ sign_"


def unary(name: str):
    def apply(x):
        y = x.abs() + 0.5
        alias = y
        getattr(y, name)()
        return y + 1, alias

    apply.__name__ = name.rstrip("_")
    return apply


for _name in UNARY.split():
    cases.of((2, 3))(unary(_name))

ACTIVATIONS = {
    "hardswish": nn.Hardswish(inplace=True),
    "hardsigmoid": nn.Hardsigmoid(inplace=True),
    "hardtanh": nn.Hardtanh(-0.5, 0.5, inplace=True),
    "relu6": nn.ReLU6(inplace=True),
    "silu": nn.SiLU(inplace=True),
    "mish": nn.Mish(inplace=True),
    "leaky_relu": nn.LeakyReLU(0.1, inplace=True),
    "elu": nn.ELU(inplace=True),
    "celu": nn.CELU(inplace=True),
    "selu": nn.SELU(inplace=True),
    "threshold": nn.Threshold(0.1, 20, inplace=True),
    "dropout_eval": nn.Dropout(0.5, inplace=True),
}


def activation(name: str, layer: nn.Module):
    class Activation(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, x):
            y = x * 2
            z = self.layer(y)
            return z, y + z

    Activation.__name__ = f"activation_{name}"
    return Activation


for _name, _layer in ACTIVATIONS.items():
    cases.of((2, 3, 4))(activation(_name, _layer))


@cases.of((2, 3), (2, 3))
def arithmetic(x, y):
    z = x.clone()
    z.add_(y)
    z.add_(1)
    z.add_(y, alpha=2)
    z.sub_(y).sub_(0.5)
    z.mul_(y).mul_(3)
    z.div_(y.abs() + 1).div_(2)
    return z


@cases.of((2, 3))
def augmented_assignment(x):
    y = x * 1
    z = y
    y += 2
    y *= y
    y -= 1
    y /= 3
    return y, z


@cases.of(runs=lambda: [(ints(2, 3), torch.randn(2, 3))])
def keeps_the_dtype(i, f):
    a = i.clone()
    a += 1
    a *= 2
    b = f.clone()
    b += i
    c = f.half()
    c += f
    return a, b, c


@cases.of(runs=lambda: [(ints(2, 3, low=-9),)])
def integer_division(i):
    a = i.clone()
    a //= 2
    b = i.clone()
    b %= 3
    c = i.clone().div_(2, rounding_mode="trunc")
    return a, b, c


@cases.of((2, 3))
def powers_and_clamps(x):
    return x.clone().pow_(2), x.clone().clamp_(-0.5, 0.5), x.clone().clamp_min_(0), x.clone().clamp_(max=0.1)


@cases.of(runs=lambda: [(torch.randn(2, 3), bools(2, 3))])
def masked_fill_scalar(x, m):
    y = x.clone()
    y.masked_fill_(m, float("-inf"))
    return y


@cases.of(runs=lambda: [(torch.randn(2, 3), bools(3), torch.tensor(7.0))])
def masked_fill_tensor_broadcast(x, m, v):
    y = x.clone()
    y.masked_fill_(m, v)
    return y


@cases.of((2, 3))
def fill_and_zero(x):
    a, b, c = x.clone(), x.clone(), x.clone()
    a.fill_(2)
    b.zero_()
    c.fill_(torch.tensor(1.5))
    return a, b, c


@cases.of((2, 3), (3,))
def copy_broadcasts(x, y):
    z = torch.zeros_like(x)
    z.copy_(y)
    return z


@cases.of(runs=lambda: [(torch.randn(2, 3), ints(2, 3))])
def copy_casts(x, i):
    z = torch.empty_like(i)
    z.copy_(x * 3)
    return z


@cases.of((4, 3), (2, 3))
def index_put_tensor(x, v):
    y = x.clone()
    y[torch.tensor([2, 0])] = v
    return y


@cases.of((4, 3))
def index_put_accumulate(x):
    y = x.clone()
    y.index_put_((torch.tensor([1, 1, 3]),), torch.ones(3, 3), accumulate=True)
    return y


@cases.of((4, 3), (2, 3))
def index_ops(x, v):
    index = torch.tensor([3, 1])
    a = x.clone().index_copy_(0, index, v)
    b = x.clone().index_add_(0, index, v, alpha=2)
    c = x.clone().index_fill_(1, torch.tensor([0]), 9)
    return a, b, c


@cases.of(runs=lambda: [(torch.randn(3, 4), ints(3, 2, high=4), torch.randn(3, 2))])
def scatters(x, i, v):
    a = x.clone().scatter_(1, i[:, :1], v[:, :1])
    b = x.clone().scatter_(1, i[:, :1], 2.5)
    c = x.clone().scatter_add_(1, i, v)
    d = x.clone().scatter_reduce_(1, i, v, "amax", include_self=True)
    return a, b, c, d


@cases.of(runs=lambda: [(torch.randn(3, 4), bools(3, 4), torch.randn(12))])
def masked_scatter(x, m, source):
    return x.clone().masked_scatter_(m, source)


@cases.of((1, 2, 3))
def changes_of_shape(x):
    a = x.clone().squeeze_(0)
    b = x.clone().unsqueeze_(1)
    c = x.clone().transpose_(1, 2)
    d = x[0].clone().t_()
    return a, b, c, d


@cases.of(runs=lambda: [(bools(2, 3), bools(2, 3))])
def logic(a, b):
    c = a.clone().logical_not_()
    d = a.clone().logical_and_(b)
    e = a.clone()
    e |= b
    f = a.clone()
    f &= ~b
    return c, d, e, f


@cases.of((2, 3), (2, 3), (2, 3))
def addcmul_addcdiv_lerp(x, y, z):
    return x.clone().addcmul_(y, z, value=0.5), x.clone().addcdiv_(y, z.abs() + 1), x.clone().lerp_(y, 0.3)


@cases.of((4, 4))
def triangles(x):
    return x.clone().tril_(), x.clone().triu_(1), x.clone().fill_diagonal_(5)


@cases.of((2, 3))
def cumsum(x):
    return x.clone().cumsum_(1)


@cases.of((2, 3))
def mutates_its_input(x):
    x.add_(1)
    return x * 2


@cases.of((2, 3), (2, 3))
def out_variants(x, y):
    z = torch.empty_like(x)
    torch.add(x, y, out=z)
    return z


@cases.of((2, 8))
def normalize_out(x):
    y = F.normalize(x * 1, dim=1)
    y *= 2
    return y


@cases.of((2, 3))
def chain_of_many(x):
    y = x.clone()
    for i in range(5):
        y.add_(i).mul_(0.5)
        y = y + x
    return y
