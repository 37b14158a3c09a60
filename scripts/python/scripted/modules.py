"""Modules inside modules: lists, dictionaries, exported and ignored methods, functions, interfaces, networks of torch.nn."""

from typing import Dict, List, Optional, Tuple

import torch
from fixture_kit import case, rand, randint
from torch import Tensor, nn
from torch.nn import functional as F


@torch.jit.script
def scaled(x: Tensor, factor: float = 2.0, bias: Optional[Tensor] = None) -> Tensor:
    if bias is None:
        return x * factor
    return x * factor + bias


class Lists(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4)])
        self.heads = nn.ModuleDict({"a": nn.Linear(4, 2), "b": nn.Linear(4, 3)})
        self.body = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Sequential(nn.LayerNorm(4), nn.GELU()))

    def forward(self, x: Tensor) -> Dict[str, Tensor]:
        for i, layer in enumerate(self.layers):
            x = layer(x) * (i + 1)
        x = self.body(x)
        out: Dict[str, Tensor] = {}
        for name, head in self.heads.items():
            out[name] = head(x)
        out["last"] = self.layers[-1](x)
        return out


class Methods(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 3)

    @torch.jit.ignore
    def report(self, x: Tensor) -> Tensor:
        return x + 100

    @torch.jit.unused
    def unused(self, x: Tensor) -> Tensor:
        return x + 1000

    @torch.jit.export
    def embed(self, x: Tensor) -> Tensor:
        return self.linear(x)

    def helper(self, x: Tensor, times: int = 2) -> Tensor:
        for _ in range(times):
            x = self.linear(x)
        return x

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            x = self.unused(x)
        return self.helper(self.embed(x), times=3) + scaled(x) + scaled(x, bias=self.linear.bias) + self.helper(x)


@torch.jit.interface
class Block(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        pass


class Twice(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * 2


class Interfaced(nn.Module):
    block: Block

    def __init__(self):
        super().__init__()
        self.block = Twice()

    def forward(self, x: Tensor) -> Tensor:
        return self.block.forward(x)


@torch.jit.script
class Pair:
    def __init__(self, a: Tensor, b: int):
        self.a = a
        self.b = b

    def total(self) -> Tensor:
        return self.a * self.b


class Classes(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        p = Pair(x + 1, 3)
        p.b = p.b + 1
        return p.total() + p.a


class WithBlock(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            y = x * 2
        return y + 1


class Cache(nn.Module):
    """An attribute that every call writes before it is read is not a state."""

    last: Optional[Tensor]

    def __init__(self):
        super().__init__()
        self.last = None

    def forward(self, x: Tensor) -> Tensor:
        self.last = x * 2
        last = self.last
        assert last is not None
        return last + 1


class Shared(nn.Module):
    """Tied weights, and a module that is called twice."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(9, 4, padding_idx=0)
        self.out = nn.Linear(4, 9, bias=False)
        self.out.weight = self.embed.weight

    def forward(self, ids: Tensor) -> Tensor:
        return self.out(self.embed(ids) + self.embed(ids.flip(1)))


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.mha = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x: Tensor, mask: Tensor) -> Tuple[Tensor, Optional[Tensor]]:
        return self.mha(x, x * 2, x + 1, key_padding_mask=mask)


class Convolutions(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding="same")
        self.bn = nn.BatchNorm2d(4)
        self.reflect = nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect", groups=2)
        self.up = nn.ConvTranspose2d(4, 2, 2, stride=2)
        self.pool = nn.AdaptiveAvgPool2d(2)
        with torch.no_grad():
            self.bn.running_mean.add_(0.3), self.bn.running_var.mul_(1.7)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu6(self.bn(self.conv(x)), inplace=True)
        x = F.hardswish(self.reflect(x)) + F.max_pool2d(x, 3, 1, 1)
        x = F.interpolate(self.up(x), scale_factor=2.0, mode="bilinear", align_corners=False)
        return torch.flatten(self.pool(F.pad(x, [1, 1, 0, 0])), 1)


class Normalised(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.GroupNorm(2, 4), nn.InstanceNorm1d(4, affine=True), nn.PReLU(4), nn.Softmax(dim=1), nn.LeakyReLU(0.2), nn.Dropout(0.5), nn.Identity(), nn.Hardsigmoid(), nn.ELU(), nn.Softplus()])

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return F.normalize(x, dim=1) + F.cosine_similarity(x, x + 1, dim=1).unsqueeze(1)


class Recurrent(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.rnn = kind(3, 5, num_layers=2, batch_first=True, bidirectional=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.rnn(x)[0]


class Cell(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell, self.head = nn.LSTMCell(3, 4), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        state: Optional[Tuple[Tensor, Tensor]] = None
        out: List[Tensor] = []
        for t in range(x.size(1)):
            state = self.cell(x[:, t], state)
            out.append(self.head(state[0]))
        return torch.stack(out, 1)


class Positions(nn.Module):
    """A table cut to the length of the input."""

    def __init__(self):
        super().__init__()
        self.register_buffer("table", rand(1, 16, 4, seed=9))
        self.embed = nn.Embedding(10, 4)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embed(ids)
        return x + self.table[:, : x.size(1)] + torch.arange(ids.size(1), device=ids.device).unsqueeze(-1)


def encoder():
    return nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=True), 2, enable_nested_tensor=False)


torch.manual_seed(0)
case("module-lists", Lists(), rand(2, 4), also=[(rand(5, 4),)])
case("methods", Methods(), rand(2, 3), also=[(rand(5, 3),)])
case("interface", Interfaced(), rand(2, 3), also=[(rand(5, 3),)])
case("classes", Classes(), rand(2, 3), also=[(rand(5, 3),)])
case("with-no-grad", WithBlock(), rand(2, 3), also=[(rand(5, 3),)])
case("cache", Cache(), rand(2, 3), also=[(rand(5, 3),)])
case("shared", Shared(), randint(2, 3, low=0, high=9), also=[(randint(5, 3, low=0, high=9),)])
case("attention", Attention(), rand(2, 5, 8), torch.tensor([[False] * 5, [False, False, True, True, True]]),
     also=[(rand(3, 5, 8), torch.zeros(3, 5, dtype=torch.bool))])
case("convolutions", Convolutions(), rand(2, 3, 8, 8), also=[(rand(3, 3, 8, 8),)])
case("normalised", Normalised(), rand(2, 4, 6), also=[(rand(3, 4, 6),)])
case("lstm", Recurrent(nn.LSTM), rand(2, 4, 3))
case("gru", Recurrent(nn.GRU), rand(2, 4, 3))
case("lstm-cell", Cell(), rand(2, 4, 3), also=[(rand(3, 4, 3),)])
case("positions", Positions(), randint(2, 4, low=0, high=10), also=[(randint(3, 4, low=0, high=10),)])
case("encoder", encoder(), rand(2, 4, 8), also=[(rand(3, 4, 8),)])


class Measured(nn.Module):
    """Quantization-aware training whose observers are switched off: fake quantization alone."""

    def __init__(self):
        super().__init__()
        from torch.ao.quantization import FusedMovingAvgObsFakeQuantize, MovingAverageMinMaxObserver

        self.linear = nn.Linear(3, 4)
        self.quantize = FusedMovingAvgObsFakeQuantize(MovingAverageMinMaxObserver, quant_min=0, quant_max=255)
        self.quantize(rand(8, 4))
        self.quantize.disable_observer()

    def forward(self, x: Tensor) -> Tensor:
        return self.quantize(self.linear(x))


case("fake-quantized", Measured(), rand(2, 3), also=[(rand(5, 3) * 9,)])
