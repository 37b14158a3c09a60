"""Attention in the spellings that models use."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from op_modules.case import BATCH, LENGTH, Cases, bools

cases = Cases()

DYNAMIC = {0: BATCH, 1: LENGTH}


@cases.of((2, 3, 4, 8), (2, 3, 5, 8), (2, 3, 5, 8))
def plain(q, k, v):
    return F.scaled_dot_product_attention(q, k, v)


@cases.of((2, 3, 4, 8), (2, 3, 4, 8), (2, 3, 4, 8))
def causal(q, k, v):
    return F.scaled_dot_product_attention(q, k, v, is_causal=True)


@cases.of((2, 3, 4, 8), (2, 3, 6, 8), (2, 3, 6, 8))
def causal_of_unequal_lengths(q, k, v):
    return F.scaled_dot_product_attention(q, k, v, is_causal=True)


@cases.of((2, 3, 4, 8), (2, 3, 5, 8), (2, 3, 5, 8))
def scaled(q, k, v):
    return F.scaled_dot_product_attention(q, k, v, scale=0.3)


@cases.of(runs=lambda: [(torch.randn(2, 3, 4, 8), torch.randn(2, 3, 5, 8), torch.randn(2, 3, 5, 8), bools(2, 1, 4, 5))])
def bool_mask(q, k, v, mask):
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)


@cases.of(
    runs=lambda: [
        (
            torch.randn(2, 3, 4, 8),
            torch.randn(2, 3, 5, 8),
            torch.randn(2, 3, 5, 8),
            torch.tensor([[True] * 5, [False] * 5])[:, None, None, :],
        )
    ]
)
def fully_masked_rows(q, k, v, mask):
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)


@cases.of((2, 3, 4, 8), (2, 3, 5, 8), (2, 3, 5, 8), (4, 5))
def float_mask(q, k, v, mask):
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)


@cases.of((2, 3, 4, 8), (2, 3, 5, 8), (2, 3, 5, 8), (2, 1, 1, 5))
def float_mask_of_one_row(q, k, v, mask):
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)


@cases.of((2, 6, 4, 8), (2, 2, 5, 8), (2, 2, 5, 8))
def grouped_queries(q, k, v):
    return F.scaled_dot_product_attention(q, k, v, enable_gqa=True)


@cases.of((2, 4, 8), (2, 5, 8), (2, 5, 8))
def three_dimensions(q, k, v):
    return F.scaled_dot_product_attention(q, k, v)


@cases.of((4, 8), (5, 8), (5, 8))
def two_dimensions(q, k, v):
    return F.scaled_dot_product_attention(q, k, v)


@cases.of((2, 2, 3, 4, 8), (2, 2, 3, 5, 8), (2, 2, 3, 5, 8))
def five_dimensions(q, k, v):
    return F.scaled_dot_product_attention(q, k, v)


@cases.of((2, 3, 4, 8), (2, 3, 5, 8), (2, 3, 5, 6))
def other_value_size(q, k, v):
    return F.scaled_dot_product_attention(q, k, v)


@cases.of((2, 3, 4, 8), (1, 3, 5, 8), (1, 3, 5, 8))
def broadcast_batch(q, k, v):
    return F.scaled_dot_product_attention(q, k, v)


@cases.of((2, 4, 8), (2, 5, 8))
def by_hand(q, k):
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    return torch.softmax(scores, dim=-1) @ k


def multi_head(name: str, options: dict, call: dict) -> type:
    class MultiHead(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = nn.MultiheadAttention(8, 2, **options)

        def forward(self, x, y):
            return self.attention(x, y, y, **call)

    MultiHead.__name__ = f"multi_head_{name}"
    return MultiHead


cases.of((5, 2, 8), (4, 2, 8))(multi_head("weights", {}, {}))
cases.of((5, 2, 8), (4, 2, 8))(multi_head("no_weights", {}, {"need_weights": False}))
cases.of((2, 5, 8), (2, 4, 8))(multi_head("batch_first", {"batch_first": True}, {"average_attn_weights": False}))
cases.of((2, 5, 8), (2, 4, 8))(multi_head("bias_kv", {"batch_first": True, "add_bias_kv": True}, {}))
cases.of((2, 5, 8), (2, 4, 8))(multi_head("zero_attention", {"batch_first": True, "add_zero_attn": True}, {}))
cases.of((5, 8), (4, 8))(multi_head("unbatched", {}, {}))


@cases.of(
    runs=lambda: [
        (torch.randn(2, 5, 8), torch.tensor([[False] * 5, [False] * 3 + [True] * 2])),
        (torch.randn(3, 7, 8), torch.arange(7)[None] >= torch.tensor([7, 4, 1])[:, None]),
    ],
    dynamic=(DYNAMIC, DYNAMIC),
)
class MultiHeadPadding(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x, padding):
        return self.attention(x, x, x, key_padding_mask=padding, need_weights=False)[0]


@cases.of(runs=lambda: [(torch.randn(2, 5, 8),), (torch.randn(4, 9, 8),)], dynamic=(DYNAMIC,))
class CausalSelfAttention(nn.Module):
    """A decoder block that builds its mask from the length."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.out = nn.Linear(8, 24), nn.Linear(8, 8)

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = (part.view(b, t, 2, c // 2).transpose(1, 2) for part in self.qkv(x).split(c, dim=2))
        scores = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(k.size(-1)))
        mask = torch.tril(torch.ones(t, t, dtype=torch.bool))
        scores = scores.masked_fill(~mask, float("-inf"))
        y = torch.softmax(scores, dim=-1) @ v
        return self.out(y.transpose(1, 2).contiguous().view(b, t, c))


@cases.of(
    runs=lambda: [
        (torch.randn(2, 5, 8), torch.tensor([[False] * 5, [False] * 3 + [True] * 2])),
        (torch.randn(3, 7, 8), torch.arange(7)[None] >= torch.tensor([7, 4, 1])[:, None]),
    ],
    dynamic=(DYNAMIC, DYNAMIC),
)
class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=True, activation="gelu")
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def forward(self, x, padding):
        return self.encoder(x, src_key_padding_mask=padding)


@cases.of((2, 5, 8), (2, 4, 8))
class EncoderDecoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.transformer = nn.Transformer(8, 2, 1, 1, 16, batch_first=True)

    def forward(self, source, target):
        mask = nn.Transformer.generate_square_subsequent_mask(4)
        return self.transformer(source, target, tgt_mask=mask, tgt_is_causal=True)


@cases.of(runs=lambda: [(torch.randn(2, 2, 5, 8),), (torch.randn(1, 2, 9, 8),)], dynamic=({0: BATCH, 2: LENGTH},))
class Rotary(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("frequencies", 1.0 / (10000 ** (torch.arange(0, 8, 2).float() / 8)), persistent=False)

    def forward(self, x):
        positions = torch.arange(x.shape[2]).float()
        angles = torch.outer(positions, self.frequencies)
        angles = torch.cat([angles, angles], dim=-1)
        first, second = x.chunk(2, dim=-1)
        return x * angles.cos() + torch.cat([-second, first], dim=-1) * angles.sin()


@cases.of(runs=lambda: [(torch.randn(2, 4, 5, 5),), (torch.randn(2, 4, 9, 9),)], dynamic=({0: BATCH, 2: LENGTH, 3: LENGTH},))
def alibi(scores):
    t = scores.shape[-1]
    slopes = 2.0 ** -torch.arange(1, 5).float()
    distance = torch.arange(t)[None, :] - torch.arange(t)[:, None]
    return scores + slopes[:, None, None] * distance


@cases.of((2, 8, 4, 4))
class WindowBias(nn.Module):
    """Relative position bias as Swin indexes it."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(9, 8))
        grid = torch.stack(torch.meshgrid(torch.arange(2), torch.arange(2), indexing="ij")).flatten(1)
        relative = (grid[:, :, None] - grid[:, None, :]).permute(1, 2, 0) + 1
        self.register_buffer("index", relative[..., 0] * 3 + relative[..., 1])

    def forward(self, scores):
        bias = self.table[self.index.view(-1)].view(4, 4, -1).permute(2, 0, 1).contiguous()
        return scores + bias.unsqueeze(0)
