"""Sequences of several lengths, packed and padded again, through recurrent layers; attention in float64."""

import torch
import torch.nn.functional as F
from fixture_kit import case, rand
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


class Sorted(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.LSTM(3, 4, batch_first=True)

    def forward(self, x: Tensor, lengths: Tensor):
        packed, (hidden, cell) = self.layer(pack_padded_sequence(x, lengths, batch_first=True))
        padded, again = pad_packed_sequence(packed, batch_first=True, padding_value=-1.0)
        return padded, again, hidden, cell


class Unsorted(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.GRU(3, 2, num_layers=2, bidirectional=True)

    def forward(self, x: Tensor, lengths: Tensor):
        packed, hidden = self.layer(pack_padded_sequence(x, lengths, enforce_sorted=False))
        return pad_packed_sequence(packed)[0], hidden


class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.RNN(3, 4, nonlinearity="relu", batch_first=True)
        self.other = nn.RNN(3, 4, batch_first=True)

    def forward(self, x: Tensor, lengths: Tensor, first: Tensor):
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        return self.layer(packed, first)[1], self.other(packed, first)[1]


class Doubles(nn.Module):
    def forward(self, q: Tensor, k: Tensor, allowed: Tensor):
        masked = F.scaled_dot_product_attention(q, k, k, attn_mask=allowed)
        return masked, F.scaled_dot_product_attention(q, k, k, is_causal=True, scale=0.3)


def lengths(*numbers):
    return torch.tensor(numbers)


def doubles(*shape):
    return rand(*shape, dtype=torch.float64)


torch.manual_seed(0)
case("sorted", Sorted(), rand(3, 5, 3), lengths(5, 3, 2), also=[(rand(3, 5, 3), lengths(4, 4, 1)), (rand(1, 2, 3), lengths(1))])
case("unsorted", Unsorted(), rand(5, 3, 3), lengths(2, 5, 3), also=[(rand(5, 3, 3), lengths(1, 1, 2)), (rand(2, 1, 3), lengths(1))])
case("plain", Plain(), rand(3, 5, 3), lengths(2, 5, 3), rand(1, 3, 4), also=[(rand(3, 5, 3), lengths(5, 1, 1), rand(1, 3, 4))])
case("doubles", Doubles(), doubles(1, 2, 3, 4), doubles(1, 2, 5, 4), torch.arange(15).reshape(3, 5) % 7 > 2, also=[(doubles(2, 2, 1, 4), doubles(2, 2, 2, 4), torch.tensor([[False, False]]))])
