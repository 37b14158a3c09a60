"""Whole models as people write them, small: traced and scripted, and asked at their example's size and at others."""

import math
from typing import Dict, List, Optional, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from op_modules.case import Cases, bools, ints, runs_of

cases = Cases()


@cases.of(runs=runs_of((2, 3, 16, 16), (1, 3, 16, 16), (5, 3, 16, 16), (0, 3, 16, 16)))
class CnnClassifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 6, 3)
        self.fc1, self.fc2 = nn.Linear(6 * 3 * 3, 12), nn.Linear(12, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = x.view(x.size(0), -1)
        x = F.dropout(F.relu(self.fc1(x)), training=self.training)
        return F.log_softmax(self.fc2(x), dim=1)


class Block(nn.Module):
    def __init__(self, inner: int, outer: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(inner, outer, 3, stride, 1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(outer), nn.BatchNorm2d(outer)
        self.conv2 = nn.Conv2d(outer, outer, 3, 1, 1, bias=False)
        self.relu = nn.ReLU(inplace=True)
        self.down = nn.Sequential(nn.Conv2d(inner, outer, 1, stride, bias=False), nn.BatchNorm2d(outer)) if stride > 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        identity = self.down(x)
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        out += identity
        return self.relu(out)


@cases.of(runs=runs_of((2, 3, 16, 20), (1, 3, 16, 20), (3, 3, 33, 47), (0, 3, 16, 20)))
class Resnet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 7, 2, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1))
        self.layers = nn.Sequential(Block(4, 4, 1), Block(4, 8, 2))
        self.pool, self.fc = nn.AdaptiveAvgPool2d((1, 1)), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(torch.flatten(self.pool(self.layers(self.stem(x))), 1))


@cases.of(runs=runs_of((2, 3, 18, 22), (1, 3, 18, 22), (1, 3, 25, 31), (0, 3, 18, 22)))
class Unet(nn.Module):
    def __init__(self):
        super().__init__()
        self.inc, self.down, self.up = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 8, 3, padding=1), nn.ConvTranspose2d(8, 4, 2, stride=2)
        self.conv, self.out = nn.Conv2d(8, 4, 3, padding=1), nn.Conv2d(4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        x1 = F.relu(self.inc(x))
        x2 = F.relu(self.down(F.max_pool2d(x1, 2)))
        y = self.up(x2)
        dy, dx = x1.size(2) - y.size(2), x1.size(3) - y.size(3)
        y = F.pad(y, [dx // 2, dx - dx // 2, dy // 2, dy - dy // 2])
        return self.out(F.relu(self.conv(torch.cat([x1, y], dim=1))))


class SelfAttention(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads, self.size = heads, width // heads
        self.q, self.k, self.v, self.o = (nn.Linear(width, width) for _ in range(4))

    def split(self, x: Tensor) -> Tensor:
        return x.view(x.size(0), x.size(1), self.heads, self.size).permute(0, 2, 1, 3)

    def forward(self, x: Tensor, mask: Optional[Tensor] = None) -> Tensor:
        q, k, v = self.split(self.q(x)), self.split(self.k(x)), self.split(self.v(x))
        scores = torch.matmul(q, k.transpose(-1, -2)) / math.sqrt(self.size)
        if mask is not None:
            scores = scores + mask
        context = torch.matmul(torch.softmax(scores, dim=-1), v).permute(0, 2, 1, 3).contiguous()
        return self.o(context.view(context.size(0), context.size(1), self.heads * self.size))


def texts(high: int, *shapes: Tuple[int, int]):
    """Runs of ids and a mask of the same shape."""

    def runs():
        made = []
        for rows, length in shapes:
            mask = torch.ones(rows, length, dtype=torch.int64)
            if length > 3:
                mask[1:, -2:] = 0
            made.append((ints(rows, length, high=high), mask))
        return made

    return runs


@cases.of(runs=texts(30, (3, 7), (1, 7), (2, 12), (5, 1), (0, 7)))
class Bert(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.places, self.types = nn.Embedding(30, 8, padding_idx=0), nn.Embedding(16, 8), nn.Embedding(2, 8)
        self.register_buffer("position_ids", torch.arange(16).expand((1, -1)))
        self.register_buffer("token_type_ids", torch.zeros(1, 16, dtype=torch.int64))
        self.norm, self.attention, self.norm2 = nn.LayerNorm(8), SelfAttention(8, 2), nn.LayerNorm(8)
        self.up, self.down, self.pooler = nn.Linear(8, 16), nn.Linear(16, 8), nn.Linear(8, 8)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tuple[Tensor, Tensor]:
        batch, length = input_ids.size(0), input_ids.size(1)
        types = self.token_type_ids[:, :length].expand(batch, length)
        x = self.words(input_ids) + self.types(types) + self.places(self.position_ids[:, :length])
        x = self.norm(x)
        mask = attention_mask[:, None, None, :].to(x.dtype)
        mask = (1.0 - mask) * -3.4028234663852886e38
        x = self.norm2(x + self.attention(x, mask))
        x = x + self.down(F.gelu(self.up(x)))
        return x, torch.tanh(self.pooler(x[:, 0]))


@cases.of(runs=lambda: [(ints(2, 6, high=20),), (ints(1, 6, high=20),), (ints(4, 11, high=20),), (ints(3, 1, high=20),), (ints(0, 6, high=20),)])
class LstmTagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.lstm, self.tag = nn.Embedding(20, 5, padding_idx=0), nn.LSTM(5, 4, 2, batch_first=True, bidirectional=True), nn.Linear(8, 3)

    def forward(self, ids: Tensor) -> Tuple[Tensor, Tensor]:
        states, _ = self.lstm(self.embed(ids))
        scores = self.tag(states)
        return F.log_softmax(scores, dim=2), scores.argmax(-1)


@cases.of(runs=lambda: [(torch.randn(b, n, 4), torch.randn(2, b, 6), torch.randn(2, b, 6)) for b, n in ((2, 5), (1, 5), (3, 9), (1, 1))])
class StreamingVad(nn.Module):
    """State goes in and comes out."""

    def __init__(self):
        super().__init__()
        self.conv, self.lstm, self.out = nn.Conv1d(4, 6, 3, padding=1), nn.LSTM(6, 6, 2), nn.Linear(6, 1)

    def forward(self, x: Tensor, h: Tensor, c: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
        y = F.relu(self.conv(x.transpose(1, 2))).permute(2, 0, 1)
        y, (h, c) = self.lstm(y, (h, c))
        return torch.sigmoid(self.out(y)).mean(0), h, c


@cases.of(runs=lambda: [(ints(b, n, high=12), ints(b, 4, high=12)) for b, n in ((2, 6), (1, 6), (3, 8))])
class Seq2Seq(nn.Module):
    """Teacher forcing: a cell for each word of the target."""

    def __init__(self):
        super().__init__()
        self.embed, self.encoder, self.cell, self.out = nn.Embedding(12, 5), nn.GRU(5, 6, batch_first=True), nn.GRUCell(5, 6), nn.Linear(12, 12)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        memory, last = self.encoder(self.embed(source))
        state = last.squeeze(0)
        steps: List[Tensor] = []
        for t in range(target.size(1)):
            state = self.cell(self.embed(target[:, t]), state)
            weights = torch.softmax(torch.bmm(memory, state.unsqueeze(2)).squeeze(2), dim=1)
            context = torch.bmm(weights.unsqueeze(1), memory).squeeze(1)
            steps.append(self.out(torch.cat([state, context], dim=1)))
        return torch.stack(steps, dim=1)


@cases.of(runs=lambda: [(torch.randn(b, 5),) for b in (2, 1, 4, 0)])
class GreedyDecoder(nn.Module):
    """A fixed number of steps, each fed with what the one before chose."""

    def __init__(self):
        super().__init__()
        self.embed, self.cell, self.out = nn.Embedding(9, 4), nn.LSTMCell(4, 5), nn.Linear(5, 9)

    def forward(self, state: Tensor) -> Tensor:
        token = torch.zeros(state.size(0), dtype=torch.long, device=state.device)
        cell = torch.zeros_like(state)
        tokens: List[Tensor] = []
        for _ in range(4):
            state, cell = self.cell(self.embed(token), (state, cell))
            token = self.out(state).argmax(1)
            tokens.append(token)
        return torch.stack(tokens, 1)


@cases.of(runs=lambda: [(torch.randn(b, n, 6), torch.arange(n)[None] < ints(b, 1, high=n + 1, low=1)) for b, n in ((2, 5), (1, 5), (3, 9), (0, 5))])
class AttentionPooling(nn.Module):
    def __init__(self):
        super().__init__()
        self.score = nn.Sequential(nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 1))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        scores = self.score(x).squeeze(-1).masked_fill(~mask, float("-inf"))
        return (torch.softmax(scores, 1).unsqueeze(-1) * x).sum(1)


@cases.of(runs=runs_of((2, 8, 5, 7), (1, 8, 5, 7), (3, 8, 9, 4), (0, 8, 5, 7)))
class YoloHead(nn.Module):
    def __init__(self):
        super().__init__()
        self.na, self.no, self.stride = 3, 7, 8.0
        self.conv = nn.Conv2d(8, 21, 1)
        self.register_buffer("anchors", torch.tensor([[10.0, 13.0], [16.0, 30.0], [33.0, 23.0]]))

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        bs, _, ny, nx = x.shape
        x = x.view(bs, self.na, self.no, ny, nx).permute(0, 1, 3, 4, 2).contiguous()
        yv, xv = torch.meshgrid([torch.arange(ny), torch.arange(nx)], indexing="ij")
        grid = torch.stack((xv, yv), 2).expand(1, self.na, ny, nx, 2).to(x.dtype) - 0.5
        anchors = self.anchors.view(1, self.na, 1, 1, 2).expand(1, self.na, ny, nx, 2)
        xy, wh, conf = x.sigmoid().split((2, 2, 3), 4)
        xy = (xy * 2 + grid) * self.stride
        wh = (wh * 2) ** 2 * anchors
        return torch.cat((xy, wh, conf), 4).view(bs, self.na * nx * ny, self.no)


@cases.of(runs=runs_of((2, 1, 6, 8), (1, 1, 6, 8), (1, 1, 9, 5), (0, 1, 6, 8)))
class SuperResolution(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2, self.shuffle = nn.Conv2d(1, 6, 5, padding=2), nn.Conv2d(6, 4, 3, padding=1), nn.PixelShuffle(2)

    def forward(self, x: Tensor) -> Tensor:
        up = F.interpolate(x, scale_factor=2.0, mode="bicubic", align_corners=False)
        return torch.clamp(up + self.shuffle(self.conv2(torch.tanh(self.conv1(x)))), -2.0, 2.0)


@cases.of(runs=runs_of((2, 4, 6, 8), (1, 4, 6, 8), (3, 4, 10, 4), (0, 4, 6, 8)))
def space_to_depth(x):
    b, c, h, w = x.size()
    x = x.view(b, c, h // 2, 2, w // 2, 2).permute(0, 3, 5, 1, 2, 4).contiguous()
    return x.view(b, c * 4, h // 2, w // 2)


@cases.of(runs=runs_of((2, 10, 9, 4), (1, 10, 9, 4), (3, 8, 12, 4), (1, 13, 5, 4), (0, 10, 9, 4)))
class SwinBlock(nn.Module):
    """Windows, with the image padded to a multiple of theirs and rolled."""

    def __init__(self):
        super().__init__()
        self.window, self.shift = 4, 2
        self.attention = SelfAttention(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        batch, height, width, channels = x.shape
        pad_r = (self.window - width % self.window) % self.window
        pad_b = (self.window - height % self.window) % self.window
        x = F.pad(x, (0, 0, 0, pad_r, 0, pad_b))
        _, ph, pw, _ = x.shape
        x = torch.roll(x, shifts=(-self.shift, -self.shift), dims=(1, 2))
        w = self.window
        windows = x.view(batch, ph // w, w, pw // w, w, channels).permute(0, 1, 3, 2, 4, 5).reshape(-1, w * w, channels)
        y = self.attention(windows)
        y = y.view(batch, ph // w, pw // w, w, w, channels).permute(0, 1, 3, 2, 4, 5).reshape(batch, ph, pw, channels)
        y = torch.roll(y, shifts=(self.shift, self.shift), dims=(1, 2))
        return y[:, :height, :width, :].contiguous()


def window_reverse(windows: Tensor, window: int, height: int, width: int) -> Tensor:
    batch = int(windows.shape[0] / (height * width / window / window))
    x = windows.view(batch, height // window, width // window, window, window, -1)
    return x.permute(0, 1, 3, 2, 4, 5).contiguous().view(batch, height, width, -1)


@cases.of(runs=runs_of((2, 8, 12, 3), (1, 8, 12, 3), (3, 16, 4, 3)))
class SwinWindows(nn.Module):
    """The batch as the original Swin calculates it back."""

    def forward(self, x: Tensor) -> Tensor:
        batch, height, width, channels = x.shape
        windows = x.view(batch, height // 4, 4, width // 4, 4, channels).permute(0, 1, 3, 2, 4, 5).contiguous().view(-1, 4, 4, channels)
        return window_reverse(windows * 2 + 1, 4, height, width)


@cases.of(runs=lambda: [(torch.randn(n, 4), torch.randn(n, 3)) for n in (12, 1, 20, 0)])
class Detections(nn.Module):
    """What is sure enough, without suppression."""

    def forward(self, boxes: Tensor, logits: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
        scores, labels = torch.sigmoid(logits).max(1)
        keep = torch.nonzero(scores > 0.6).squeeze(1)
        cx, cy, w, h = boxes[keep].unbind(1)
        corners = torch.stack((cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2), dim=1)
        return corners, scores[keep], labels[keep]


@cases.of(runs=lambda: [(torch.randn(b, n, 4), torch.randn(b, n, 3)) for b, n in ((2, 12), (1, 12), (3, 30))])
class TopDetections(nn.Module):
    def forward(self, boxes: Tensor, logits: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
        batch, classes = logits.shape[0], logits.shape[2]
        values, index = torch.topk(logits.sigmoid().view(batch, -1), 5, dim=1)
        places = torch.div(index, classes, rounding_mode="floor")
        return values, index % classes, torch.gather(boxes, 1, places.unsqueeze(-1).repeat(1, 1, 4))


@cases.of(runs=lambda: [(torch.randn(b, n, 8), bools(b, n) & (torch.arange(n) > 0)) for b, n in ((2, 5), (1, 5), (3, 9))])
class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def forward(self, x: Tensor, padding: Tensor) -> Tensor:
        return self.layers(x, src_key_padding_mask=padding)


@cases.of(runs=lambda: [(torch.randn(n, b, 8), torch.randn(m, b, 8)) for b, n, m in ((2, 5, 7), (1, 5, 7), (3, 9, 4))])
class CrossAttention(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2)

    def forward(self, x: Tensor, memory: Tensor) -> Tuple[Tensor, Optional[Tensor]]:
        return self.attention(x, memory, memory)


@cases.of(runs=lambda: [(ints(b, n, high=20),) for b, n in ((2, 6), (1, 6), (3, 11), (1, 1), (0, 6))])
class Gpt(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens, self.places, self.qkv, self.out, self.head = nn.Embedding(20, 8), nn.Embedding(16, 8), nn.Linear(8, 24), nn.Linear(8, 8), nn.Linear(8, 20, bias=False)
        self.norm = nn.LayerNorm(8)
        self.register_buffer("bias", torch.tril(torch.ones(16, 16)).view(1, 1, 16, 16))

    def forward(self, ids: Tensor) -> Tensor:
        b, t = ids.size()
        x = self.tokens(ids) + self.places(torch.arange(0, t, dtype=torch.long, device=ids.device).unsqueeze(0))
        q, k, v = self.qkv(self.norm(x)).split(8, dim=2)
        k, q, v = (k.view(b, t, 2, 4).transpose(1, 2), q.view(b, t, 2, 4).transpose(1, 2), v.view(b, t, 2, 4).transpose(1, 2))
        att = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(k.size(-1)))
        att = att.masked_fill(self.bias[:, :, :t, :t] == 0, float("-inf"))
        y = (F.softmax(att, dim=-1) @ v).transpose(1, 2).contiguous().view(b, t, 8)
        return self.head(x + self.out(y))[:, [-1], :]


@cases.of(runs=runs_of((2, 6, 4, 8), (1, 6, 4, 8), (3, 11, 4, 8), (0, 6, 4, 8)))
class Rotary(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("inv_freq", 1.0 / (10000 ** (torch.arange(0, 8, 2).float() / 8)))

    def rotate(self, x: Tensor) -> Tensor:
        x1, x2 = x[..., : x.shape[-1] // 2], x[..., x.shape[-1] // 2 :]
        return torch.cat((-x2, x1), dim=-1)

    def forward(self, q: Tensor) -> Tensor:
        t = torch.arange(q.shape[1], device=q.device).type_as(self.inv_freq)
        freqs = torch.einsum("i,j->ij", t, self.inv_freq)
        emb = torch.cat((freqs, freqs), dim=-1)[None, :, None, :]
        return q * emb.cos() + self.rotate(q) * emb.sin()


@cases.of(runs=lambda: [(ints(b, n, high=20),) for b, n in ((2, 9), (1, 9), (3, 14), (0, 9))])
class TextCnn(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(20, 5)
        self.convs = nn.ModuleList([nn.Conv2d(1, 3, (k, 5)) for k in (2, 3, 4)])
        self.fc = nn.Linear(9, 2)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embed(ids).unsqueeze(1)
        found: List[Tensor] = []
        for conv in self.convs:
            y = F.relu(conv(x)).squeeze(3)
            found.append(F.max_pool1d(y, y.size(2)).squeeze(2))
        return self.fc(torch.cat(found, 1))


@cases.of(runs=lambda: [(torch.randn(b, 3), ints(b, 4, high=5)) for b in (2, 1, 7, 0)])
class Tabular(nn.Module):
    def __init__(self):
        super().__init__()
        self.embeds = nn.ModuleList([nn.Embedding(5, 2 + i) for i in range(4)])
        self.norm, self.out = nn.BatchNorm1d(3), nn.Sequential(nn.Linear(3 + 14, 8), nn.ReLU(), nn.BatchNorm1d(8), nn.Linear(8, 1))

    def forward(self, numbers: Tensor, categories: Tensor) -> Tensor:
        parts = [embed(categories[:, i]) for i, embed in enumerate(self.embeds)]
        return torch.sigmoid(self.out(torch.cat([torch.cat(parts, 1), self.norm(numbers)], 1))).view(-1)


@cases.of(runs=lambda: [(torch.randn(b, 6), ints(b, 3, high=8)) for b in (2, 1, 7, 0)])
class Dlrm(nn.Module):
    def __init__(self):
        super().__init__()
        self.bottom, self.tables = nn.Linear(6, 4), nn.ModuleList([nn.EmbeddingBag(8, 4, mode="sum") for _ in range(3)])
        self.top = nn.Linear(4 + 6, 1)

    def forward(self, dense: Tensor, sparse: Tensor) -> Tensor:
        x = F.relu(self.bottom(dense))
        rows = [x] + [table(sparse[:, i].unsqueeze(1)) for i, table in enumerate(self.tables)]
        t = torch.cat(rows, dim=1).view(x.size(0), -1, 4)
        z = torch.bmm(t, t.transpose(1, 2))
        li = torch.tril_indices(4, 4, -1)
        return torch.sigmoid(self.top(torch.cat([x, z[:, li[0], li[1]]], dim=1)))


@cases.of(runs=runs_of((2, 1, 12, 12), (1, 1, 12, 12), (3, 1, 12, 12), (0, 1, 12, 12)))
class Autoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encode = nn.Sequential(nn.Conv2d(1, 4, 3, 2, 1), nn.ReLU(), nn.Conv2d(4, 6, 3, 2, 1), nn.ReLU())
        self.mu, self.fill = nn.Linear(54, 5), nn.Linear(5, 54)
        self.decode = nn.Sequential(nn.ConvTranspose2d(6, 4, 3, 2, 1, output_padding=1), nn.ReLU(), nn.ConvTranspose2d(4, 1, 3, 2, 1, output_padding=1), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tuple[Tensor, Tensor]:
        mu = self.mu(self.encode(x).reshape(x.shape[0], -1))
        return self.decode(self.fill(mu).view(-1, 6, 3, 3)), mu


@cases.of(runs=runs_of((2, 2, 20), (1, 2, 20), (3, 2, 33), (0, 2, 20)))
class WaveNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.inp = nn.Conv1d(2, 4, 1)
        self.filters = nn.ModuleList([nn.Conv1d(4, 4, 2, dilation=2**i) for i in range(3)])
        self.gates = nn.ModuleList([nn.Conv1d(4, 4, 2, dilation=2**i) for i in range(3)])
        self.skips = nn.ModuleList([nn.Conv1d(4, 3, 1) for _ in range(3)])

    def forward(self, x: Tensor) -> Tensor:
        x = self.inp(x)
        skip = torch.zeros(1)
        for i, (filt, gate, out) in enumerate(zip(self.filters, self.gates, self.skips)):
            residual = x
            x = torch.tanh(filt(x)) * torch.sigmoid(gate(x))
            s = out(x)
            skip = s if i == 0 else skip[:, :, -s.size(2) :] + s
            x = x + residual[:, :, -x.size(2) :]
        return F.relu(skip)


@cases.of(runs=runs_of((2, 3, 9), (1, 3, 9), (3, 3, 17), (2, 3, 1), (0, 3, 9)))
class Tcn(nn.Module):
    def __init__(self):
        super().__init__()
        self.convs = nn.ModuleList([nn.Conv1d(3, 3, 3, padding=2 * 2**i, dilation=2**i) for i in range(2)])
        self.out, self.chomp = nn.Linear(3, 2), [2, 4]

    def forward(self, x: Tensor) -> Tensor:
        for i, conv in enumerate(self.convs):
            y = conv(x)
            x = F.relu(y[:, :, : -self.chomp[i]].contiguous()) + x
        return self.out(x[:, :, -1])


@cases.of(runs=runs_of((2, 400), (1, 400), (3, 640)))
class LogSpectrogram(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("window", torch.hann_window(64))
        self.register_buffer("mel", torch.rand(33, 8))
        self.conv = nn.Conv1d(8, 4, 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        spec = torch.stft(x, 64, 32, window=self.window, return_complex=True)
        power = spec.abs() ** 2
        mel = torch.matmul(power.transpose(1, 2), self.mel).transpose(1, 2)
        log = torch.clamp(mel, min=1e-10).log10()
        log = torch.maximum(log, log.amax(dim=(1, 2), keepdim=True) - 8.0)
        return self.conv((log + 4.0) / 4.0)


@cases.of(runs=runs_of((2, 256), (1, 256), (3, 512)))
class Denoiser(nn.Module):
    """A mask on the spectrum, and back to sound."""

    def __init__(self):
        super().__init__()
        self.register_buffer("window", torch.hann_window(32))
        self.mask = nn.GRU(17, 17, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        spec = torch.stft(x, 32, 16, window=self.window, return_complex=True)
        mask, _ = self.mask(spec.abs().transpose(1, 2))
        return torch.istft(spec * torch.sigmoid(mask.transpose(1, 2)), 32, 16, window=self.window, length=x.size(1))


@cases.of(runs=runs_of((2, 3, 10), (1, 3, 10), (3, 3, 25), (0, 3, 10)))
class PointNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.transform, self.conv, self.fc = nn.Conv1d(3, 9, 1), nn.Conv1d(3, 6, 1), nn.Linear(12, 4)

    def forward(self, x: Tensor) -> Tensor:
        batch, n = x.size(0), x.size(2)
        t = torch.max(self.transform(x), 2, keepdim=True)[0].view(-1, 9)
        t = (t + torch.eye(3).flatten().view(1, 9).repeat(batch, 1)).view(-1, 3, 3)
        x = F.relu(self.conv(torch.bmm(x.transpose(2, 1), t).transpose(2, 1)))
        whole = torch.max(x, 2)[0].view(-1, 6, 1).repeat(1, 1, n)
        return F.log_softmax(self.fc(torch.cat([x, whole], 1).transpose(2, 1).contiguous()), -1)


def graphs(*sizes: Tuple[int, int]):
    return lambda: [(torch.randn(n, 4), ints(2, e, high=max(n, 1))) for n, e in sizes]


@cases.of(runs=graphs((6, 9), (1, 9), (8, 14), (6, 0)))
class GraphConvolution(nn.Module):
    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(4, 3)

    def forward(self, x: Tensor, edges: Tensor) -> Tensor:
        x = self.lin(x)
        row, col = edges[0], edges[1]
        degree = torch.zeros(x.size(0), dtype=x.dtype).scatter_add_(0, col, torch.ones_like(col, dtype=x.dtype))
        inverse = degree.pow(-0.5)
        inverse = inverse.masked_fill(inverse == float("inf"), 0.0)
        messages = x[row] * (inverse[row] * inverse[col]).unsqueeze(-1)
        out = torch.zeros_like(x).index_add_(0, col, messages)
        return F.log_softmax(out, dim=1)


@cases.of(runs=runs_of((2, 4, 8, 8), (1, 4, 8, 8), (3, 4, 11, 6), (0, 4, 8, 8)))
class MobileBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.expand = nn.Sequential(nn.Conv2d(4, 8, 1, bias=False), nn.BatchNorm2d(8), nn.Hardswish(inplace=True))
        self.depth = nn.Sequential(nn.Conv2d(8, 8, 5, padding=2, groups=8, bias=False), nn.BatchNorm2d(8), nn.Hardswish(inplace=True))
        self.squeeze = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 2, 1), nn.ReLU(), nn.Conv2d(2, 8, 1), nn.Hardsigmoid())
        self.project = nn.Conv2d(8, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.depth(self.expand(x))
        b, c, _, _ = y.size()
        y = y * self.squeeze(y).view(b, c, 1, 1).expand_as(y)
        return x + self.project(y)


@cases.of(runs=runs_of((2, 3, 16, 16), (1, 3, 16, 16), (3, 3, 16, 16), (0, 3, 16, 16)))
class Vit(nn.Module):
    def __init__(self):
        super().__init__()
        self.patch, self.cls, self.places = nn.Conv2d(3, 8, 4, 4), nn.Parameter(torch.randn(1, 1, 8)), nn.Parameter(torch.randn(1, 17, 8))
        self.norm, self.attention, self.head = nn.LayerNorm(8), SelfAttention(8, 2), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        batch = x.shape[0]
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat((self.cls.expand(batch, -1, -1), x), dim=1) + self.places
        x = x + self.attention(self.norm(x))
        return self.head(x[:, 0])


@cases.of(runs=runs_of((2, 3, 16, 16), (1, 3, 16, 16), (3, 3, 24, 12)))
class VitOfAnySize(nn.Module):
    """Places of a square, resized to the image's patches."""

    def __init__(self):
        super().__init__()
        self.patch, self.places = nn.Conv2d(3, 8, 4, 4), nn.Parameter(torch.randn(1, 17, 8))
        self.cls = nn.Parameter(torch.randn(1, 1, 8))

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2] // 4, x.shape[3] // 4
        grid = self.places[:, 1:].reshape(1, 4, 4, 8).permute(0, 3, 1, 2)
        grid = F.interpolate(grid, size=(height, width), mode="bicubic", align_corners=False)
        places = torch.cat((self.places[:, :1], grid.permute(0, 2, 3, 1).reshape(1, -1, 8)), dim=1)
        tokens = self.patch(x).flatten(2).transpose(1, 2)
        return torch.cat((self.cls.expand(x.shape[0], -1, -1), tokens), 1) + places


@cases.of(runs=runs_of((2, 3, 16, 20), (1, 3, 16, 20), (1, 3, 21, 27), (0, 3, 16, 20)))
class FeaturePyramid(nn.Module):
    def __init__(self):
        super().__init__()
        self.c1, self.c2 = nn.Conv2d(3, 4, 3, 2, 1), nn.Conv2d(4, 6, 3, 2, 1)
        self.l1, self.l2 = nn.Conv2d(4, 4, 1), nn.Conv2d(6, 4, 1)

    def forward(self, x: Tensor) -> Dict[str, Tensor]:
        c1 = F.relu(self.c1(x))
        c2 = F.relu(self.c2(c1))
        p2 = self.l2(c2)
        p1 = self.l1(c1) + F.interpolate(p2, size=c1.shape[-2:], mode="nearest")
        return {"p1": p1, "p2": p2, "pool": F.max_pool2d(p2, 1, 2)}


@cases.of(runs=runs_of((2, 3, 13, 17), (1, 3, 13, 17), (1, 3, 20, 9)))
class Segmentation(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.pool, self.head = nn.Conv2d(3, 6, 3, 2, 1), nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(6, 6, 1)), nn.Conv2d(12, 3, 1)

    def forward(self, x: Tensor) -> Tuple[Tensor, Tensor]:
        size = x.shape[-2:]
        y = F.relu(self.body(x))
        whole = F.interpolate(self.pool(y), size=y.shape[-2:], mode="bilinear", align_corners=False)
        logits = F.interpolate(self.head(torch.cat([y, whole], 1)), size=size, mode="bilinear", align_corners=False)
        return logits, logits.argmax(1).to(torch.uint8)


@cases.of(runs=lambda: [(torch.randn(b, 6), torch.randn(b, 6)) for b in (2, 1, 5, 0)])
class Siamese(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 8), nn.PReLU(), nn.Linear(8, 4))

    def forward(self, a: Tensor, b: Tensor) -> Tuple[Tensor, Tensor]:
        x, y = F.normalize(self.net(a), dim=-1), F.normalize(self.net(b), dim=-1)
        return F.cosine_similarity(x, y), F.pairwise_distance(x, y)


@cases.of(runs=runs_of((6, 5), (1, 5), (9, 5)))
class Experts(nn.Module):
    """Each expert takes the rows that chose it."""

    def __init__(self):
        super().__init__()
        self.gate, self.experts = nn.Linear(5, 3), nn.ModuleList([nn.Linear(5, 5) for _ in range(3)])

    def forward(self, x: Tensor) -> Tensor:
        weights, chosen = torch.topk(F.softmax(self.gate(x), dim=-1), 2)
        out = torch.zeros_like(x)
        for i, expert in enumerate(self.experts):
            rows, nth = torch.where(chosen == i)
            out.index_add_(0, rows, expert(x[rows]) * weights[rows, nth].unsqueeze(-1))
        return out


@cases.of(runs=lambda: [(ints(b, 9, 7, 3, high=256).to(torch.uint8),) for b in (2, 1, 4, 0)])
class RawImages(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1))
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = x.permute(0, 3, 1, 2).float().div(255)
        return self.conv((x - self.mean) / self.std).mean(dim=[2, 3])


@cases.of(runs=runs_of((2, 4, 3, 5), (1, 4, 3, 5), (1, 4, 6, 2)))
class Priors(nn.Module):
    """Boxes around every cell."""

    def __init__(self):
        super().__init__()
        self.head = nn.Conv2d(4, 8, 1)

    def forward(self, x: Tensor) -> Tuple[Tensor, Tensor]:
        batch, _, h, w = x.shape
        shifts_x = (torch.arange(0, w, dtype=torch.float32) + 0.5) / w
        shifts_y = (torch.arange(0, h, dtype=torch.float32) + 0.5) / h
        y, x_ = torch.meshgrid(shifts_y, shifts_x, indexing="ij")
        centres = torch.stack((x_.reshape(-1), y.reshape(-1)), 1)
        boxes = torch.cat([centres.repeat_interleave(2, 0), torch.full((h * w * 2, 2), 0.2)], 1)
        deltas = self.head(x).permute(0, 2, 3, 1).reshape(batch, -1, 4)
        return deltas * 0.1 + boxes.unsqueeze(0), boxes


@cases.of(runs=runs_of((2, 3, 8, 8), (1, 3, 8, 8), (3, 3, 10, 6)))
class SpatialTransformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.locate = nn.Sequential(nn.Conv2d(3, 2, 3), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(8, 6))

    def forward(self, x: Tensor) -> Tensor:
        theta = self.locate(x).view(-1, 2, 3) * 0.1 + torch.eye(2, 3)
        grid = F.affine_grid(theta, list(x.size()), align_corners=False)
        return F.grid_sample(x, grid, align_corners=False)


@cases.of(runs=runs_of((2, 3, 2, 5, 5), (1, 3, 2, 5, 5), (3, 3, 2, 6, 7)))
class ConvLstm(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2 + 4, 16, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        b, steps, _, height, width = x.size()
        h = torch.zeros(b, 4, height, width, device=x.device)
        c = torch.zeros(b, 4, height, width, device=x.device)
        for t in range(steps):
            i, f, o, g = torch.split(self.conv(torch.cat([x[:, t], h], dim=1)), 4, dim=1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
        return h


@cases.of(runs=lambda: [(torch.randn(b, n, 4), ints(b, high=n + 1, low=1)) for b, n in ((3, 6), (1, 6), (2, 9), (0, 6))])
class MaskedMean(nn.Module):
    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        mask = (torch.arange(x.size(1), device=x.device)[None, :] < lengths[:, None]).unsqueeze(-1).to(x.dtype)
        return (x * mask).sum(1) / mask.sum(1).clamp(min=1e-9)


@cases.of(runs=lambda: [(torch.tensor(lengths),) for lengths in ([3, 5, 1], [4], [2, 7, 7, 0])])
class LengthMask(nn.Module):
    """As wide as the longest."""

    def forward(self, lengths: Tensor) -> Tensor:
        longest = int(lengths.max().item()) if not torch.jit.is_scripting() else int(lengths.max())
        longest_t = lengths.max() if not torch.jit.is_scripting() else longest
        places = torch.arange(longest_t if not torch.jit.is_scripting() else longest, device=lengths.device)
        return places[None, :] < lengths[:, None]


@cases.of(runs=runs_of((2, 2, 6, 6), (1, 2, 6, 6), (3, 2, 9, 9)))
class RelativePositions(nn.Module):
    """Distances in buckets, as T5 has them."""

    def __init__(self):
        super().__init__()
        self.bias = nn.Embedding(8, 2)

    def forward(self, scores: Tensor) -> Tensor:
        length = scores.shape[-1]
        places = torch.arange(length, dtype=torch.long)
        relative = places[None, :] - places[:, None]
        buckets = (relative > 0).to(torch.long) * 4
        relative = torch.abs(relative)
        is_small = relative < 2
        large = 2 + (torch.log(relative.float() / 2) / math.log(8 / 2) * 2).to(torch.long)
        large = torch.min(large, torch.full_like(large, 3))
        buckets += torch.where(is_small, relative, large)
        return scores + self.bias(buckets).permute(2, 0, 1).unsqueeze(0)


@cases.of(runs=runs_of((2, 12, 6), (1, 12, 6), (3, 20, 6), (0, 12, 6)))
class ChunkedAttention(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        batch, length, width = x.size()
        chunks = x.view(batch, length // 4, 4, width)
        scores = torch.einsum("bcxd,bcyd->bcxy", chunks, chunks)
        return torch.einsum("bcxy,bcyd->bcxd", scores.softmax(-1), chunks).reshape(batch, length, width)


@cases.of(runs=runs_of((2, 7, 6), (1, 7, 6), (3, 12, 6), (0, 7, 6)))
class Perceiver(nn.Module):
    def __init__(self):
        super().__init__()
        self.latents, self.k, self.v = nn.Parameter(torch.randn(4, 6)), nn.Linear(6, 6), nn.Linear(6, 6)

    def forward(self, x: Tensor) -> Tensor:
        latents = self.latents.unsqueeze(0).repeat(x.size(0), 1, 1)
        return F.scaled_dot_product_attention(latents, self.k(x), self.v(x)).mean(1)


@cases.of(runs=runs_of((2, 4, 5, 6), (1, 4, 5, 6), (3, 4, 7, 3)))
class VectorQuantizer(nn.Module):
    def __init__(self):
        super().__init__()
        self.codes = nn.Embedding(10, 4)

    def forward(self, z: Tensor) -> Tuple[Tensor, Tensor]:
        z = z.permute(0, 2, 3, 1).contiguous()
        flat = z.view(-1, 4)
        d = torch.sum(flat**2, dim=1, keepdim=True) + torch.sum(self.codes.weight**2, dim=1) - 2 * torch.matmul(flat, self.codes.weight.t())
        index = torch.argmin(d, dim=1).unsqueeze(1)
        hot = torch.zeros(index.shape[0], 10, device=z.device)
        hot.scatter_(1, index, 1)
        return torch.matmul(hot, self.codes.weight).view(z.shape).permute(0, 3, 1, 2).contiguous(), index.view(z.shape[0], -1)


@cases.of(runs=runs_of((2, 32), (1, 32), (3, 50)))
class Frames(nn.Module):
    """Overlapping windows of a series, and their spectra."""

    def forward(self, x: Tensor) -> Tensor:
        frames = x.unfold(1, 8, 4)
        frames = (frames - frames.mean(-1, keepdim=True)) / (frames.std(-1, keepdim=True) + 1e-5)
        return torch.abs(torch.fft.rfft(frames, dim=-1))


@cases.of(runs=lambda: [(torch.randn(b, 3, 8, 8), ints(b, high=1000)) for b in (2, 1, 4, 0)])
class Diffusion(nn.Module):
    def __init__(self):
        super().__init__()
        self.time, self.inp, self.norm, self.out = nn.Linear(8, 4), nn.Conv2d(3, 4, 3, padding=1), nn.GroupNorm(2, 4), nn.Conv2d(4, 3, 3, padding=1)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        freqs = torch.exp(-math.log(10000.0) * torch.arange(start=0, end=4, dtype=torch.float32) / 4)
        args = t[:, None].float() * freqs[None]
        emb = F.silu(self.time(torch.cat([torch.cos(args), torch.sin(args)], dim=-1)))
        h = F.silu(self.norm(self.inp(x) + emb[:, :, None, None]))
        return x + self.out(F.interpolate(F.avg_pool2d(h, 2), scale_factor=2.0, mode="nearest"))


@cases.of(runs=lambda: [(torch.randn(b, n, 6), ints(b, m, high=n)) for b, n, m in ((2, 7, 3), (1, 7, 3), (3, 10, 5), (0, 7, 3))])
class WordStarts(nn.Module):
    def __init__(self):
        super().__init__()
        self.out = nn.Linear(6, 4)

    def forward(self, states: Tensor, starts: Tensor) -> Tensor:
        return self.out(torch.gather(states, 1, starts.unsqueeze(-1).expand(-1, -1, states.size(-1))))


@cases.of(runs=lambda: [(torch.randn(b, 5, 3),) for b in (2, 1, 4)])
class Viterbi(nn.Module):
    def __init__(self):
        super().__init__()
        self.moves = nn.Parameter(torch.randn(3, 3))

    def forward(self, emissions: Tensor) -> Tensor:
        score = emissions[:, 0]
        history: List[Tensor] = []
        for t in range(1, emissions.size(1)):
            best, came = (score.unsqueeze(2) + self.moves.unsqueeze(0)).max(1)
            score = best + emissions[:, t]
            history.append(came)
        last = score.argmax(1)
        path = [last]
        for t in range(len(history) - 1, -1, -1):
            last = history[t].gather(1, last.unsqueeze(1)).squeeze(1)
            path.insert(0, last)
        return torch.stack(path, 1)


@cases.of(runs=lambda: [(ints(b, 7, high=9),) for b in (2, 1, 4, 0)])
class MeanOfBag(nn.Module):
    """Padding does not count."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(9, 4, padding_idx=0)

    def forward(self, ids: Tensor) -> Tensor:
        mask = (ids != 0).unsqueeze(-1).float()
        total = torch.sum(self.embed(ids) * mask, dim=1)
        return F.normalize(total / torch.clamp(mask.sum(1), min=1.0), p=2.0, dim=1)


@cases.of(runs=lambda: [(torch.rand(b, n, 4),) for b, n in ((2, 5), (1, 5), (3, 8), (0, 5))])
class PairwiseOverlap(nn.Module):
    def forward(self, boxes: Tensor) -> Tensor:
        lo, hi = boxes[..., :2], boxes[..., :2] + boxes[..., 2:]
        left = torch.max(lo[:, :, None], lo[:, None])
        right = torch.min(hi[:, :, None], hi[:, None])
        inter = (right - left).clamp(min=0).prod(-1)
        area = boxes[..., 2] * boxes[..., 3]
        return inter / (area[:, :, None] + area[:, None] - inter + 1e-6)


@cases.of(runs=runs_of((2, 4, 6, 6), (1, 4, 6, 6), (3, 4, 8, 10), (0, 4, 6, 6)))
class ShuffleBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 2, 3, padding=1, groups=2)

    def forward(self, x: Tensor) -> Tensor:
        x1, x2 = x.chunk(2, dim=1)
        x = torch.cat((x1, self.conv(x2)), dim=1)
        b, c, h, w = x.size()
        x = x.view(b, 2, c // 2, h, w)
        return torch.transpose(x, 1, 2).contiguous().view(b, -1, h, w)


@cases.of(runs=runs_of((2, 8, 6), (1, 8, 6), (3, 8, 11), (0, 8, 6)))
class StyleNorm(nn.Module):
    def __init__(self):
        super().__init__()
        self.gamma, self.beta = nn.Parameter(torch.rand(1, 8, 1)), nn.Parameter(torch.rand(1, 8, 1))

    def forward(self, x: Tensor) -> Tensor:
        mean, var = x.mean(2, keepdim=True), x.var(2, unbiased=False, keepdim=True)
        x = (x - mean) * torch.rsqrt(var + 1e-5)
        energy = torch.norm(x, p=2.0, dim=1, keepdim=True)
        return self.gamma * (x * energy) + self.beta + x


@cases.of(runs=lambda: [(torch.randn(b, n, 8), torch.randn(b, 2, p, 4), torch.randn(b, 2, p, 4)) for b, n, p in ((2, 2, 5), (1, 2, 5), (2, 3, 7), (2, 2, 1))])
class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.project = nn.Linear(8, 24)

    def forward(self, x: Tensor, past_key: Tensor, past_value: Tensor):
        b, n, d = x.shape
        q, k, v = self.project(x).view(b, n, 6, 4).transpose(1, 2).split(2, 1)
        k, v = torch.cat([past_key, k], 2), torch.cat([past_value, v], 2)
        return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, n, d), k, v


@cases.of(runs=runs_of((1, 2, 6, 10), (1, 2, 7, 11), (3, 2, 9, 5)))
class UnevenHead(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        larger = F.interpolate(x, scale_factor=1.7, mode="bilinear")
        smaller = F.interpolate(x, scale_factor=0.6, mode="nearest")
        left, middle, right = torch.tensor_split(x, 3, 3)
        return larger, smaller, left.mean(3) + right.mean(3), middle + F.interpolate(x, size=middle.shape[-2:], mode="area")


@cases.of(runs=lambda: [(ints(b, n, high=12), torch.tensor(lengths)) for b, n, lengths in ((3, 6, [2, 6, 3]), (1, 4, [3]), (4, 7, [1, 1, 7, 2]), (3, 6, [1, 2, 3]))])
class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(12, 4)
        self.layer = nn.LSTM(4, 3, num_layers=2, bidirectional=True, batch_first=True)

    def forward(self, ids: Tensor, lengths: Tensor):
        packed = nn.utils.rnn.pack_padded_sequence(self.words(ids), lengths, batch_first=True, enforce_sorted=False)
        states, (hidden, _) = self.layer(packed)
        return nn.utils.rnn.pad_packed_sequence(states, batch_first=True)[0], hidden
