"""LSTM, GRU and plain recurrent layers and cells."""

import torch
from torch import nn

from op_modules.case import BATCH, Cases, runs_of

cases = Cases()

LAYERS = {
    "plain": {},
    "no_bias": {"bias": False},
    "batch_first": {"batch_first": True},
    "two_layers": {"num_layers": 2},
    "bidirectional": {"bidirectional": True, "batch_first": True},
    "two_layers_both_ways": {"num_layers": 2, "bidirectional": True},
    "dropout_between": {"num_layers": 2, "dropout": 0.5},
}
KINDS = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}


def recurrent(name: str, kind: type, options: dict) -> type:
    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = kind(4, 5, **options)

        def forward(self, x):
            return self.layer(x)

    Recurrent.__name__ = name
    return Recurrent


for _kind, _type in KINDS.items():
    for _name, _options in LAYERS.items():
        cases.of((3, 2, 4))(recurrent(f"{_kind}_{_name}", _type, _options))
cases.of((3, 2, 4))(recurrent("rnn_relu", nn.RNN, {"nonlinearity": "relu"}))
cases.of((3, 2, 4))(recurrent("lstm_projection", nn.LSTM, {"proj_size": 3}))
cases.of((3, 4))(recurrent("lstm_unbatched", nn.LSTM, {}))
cases.of((3, 4))(recurrent("gru_unbatched", nn.GRU, {}))
for _kind, _type in KINDS.items():
    # PyTorch fixes the length of the sequence when it exports a recurrent layer for the CPU.
    cases.of(runs=runs_of((3, 6, 4), (1, 6, 4), (5, 6, 4)), dynamic=({0: BATCH},))(
        recurrent(f"{_kind}_dynamic", _type, {"batch_first": True, "bidirectional": True})
    )


@cases.of((3, 2, 4), (1, 2, 5), (1, 2, 5))
class LstmWithState(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.LSTM(4, 5)

    def forward(self, x, h, c):
        y, (h, c) = self.layer(x, (h, c))
        return y, h, c


@cases.of((3, 2, 4), (1, 2, 5))
class GruWithState(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.GRU(4, 5)

    def forward(self, x, h):
        return self.layer(x, h)


@cases.of((2, 4), (2, 5), (2, 5))
class Cells(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.gru, self.rnn = nn.LSTMCell(4, 5), nn.GRUCell(4, 5), nn.RNNCell(4, 5)

    def forward(self, x, h, c):
        h1, c1 = self.lstm(x, (h, c))
        return h1, c1, self.gru(x, h), self.rnn(x, h)


@cases.of(runs=runs_of((2, 7, 4), (3, 7, 4)), dynamic=({0: BATCH},))
class Tagger(nn.Module):
    """The usual use: the last state of a bidirectional LSTM into a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(4, 6, batch_first=True, bidirectional=True, num_layers=2)
        self.head = nn.Linear(12, 3)

    def forward(self, x):
        y, (h, _) = self.lstm(x)
        return {"tags": self.head(y), "label": self.head(torch.cat([h[-2], h[-1]], -1))}
