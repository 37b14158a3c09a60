"""Scripts a small speech detector that keeps its state inside and takes its sample rate as a number, and prints its answers as JSON.

    python script_streaming.py FILE.pt [TRUE.jit]

It streams synthesised speech chunk by chunk: syllables of a voice with two formants, between pauses. With a second file that one, of the same
interface (Silero VAD's `silero_vad.jit`), is asked instead and copied to the first.
"""

import json
import math
import shutil
import sys
import warnings

import torch
from torch import Tensor, nn

warnings.simplefilter("ignore")
CHUNK, RATE = 512, 16000


class Detector(nn.Module):
    """Frames of a chunk and of the end of the one before, a recurrent cell, and a probability."""

    def __init__(self) -> None:
        super().__init__()
        self.frames = nn.Conv1d(1, 24, 128, stride=64)
        self.cell = nn.LSTMCell(24, 16)
        self.head = nn.Linear(16, 1)
        self._state = torch.zeros(0)
        self._context = torch.zeros(0)
        self._last_sr = 0
        self._last_batch_size = 0

    @torch.jit.export
    def reset_states(self) -> None:
        self._state, self._context = torch.zeros(0), torch.zeros(0)
        self._last_sr, self._last_batch_size = 0, 0

    def forward(self, x: Tensor, sr: int) -> Tensor:
        if sr not in [8000, 16000]:
            raise ValueError(f"sample rate {sr}")
        if (self._last_sr and self._last_sr != sr) or (self._last_batch_size and self._last_batch_size != x.size(0)):
            self.reset_states()
        context = 64 if sr == 16000 else 32
        if not len(self._context):
            self._context = torch.zeros([x.size(0), context])
        whole = torch.cat([self._context, x], 1)
        features = self.frames(whole.unsqueeze(1)).relu().mean(-1)
        if len(self._state):
            h, c = self.cell(features, (self._state[0], self._state[1]))
        else:
            h, c = self.cell(features)
        self._state = torch.stack([h, c])
        self._context = whole[..., -context:]
        self._last_sr, self._last_batch_size = sr, x.size(0)
        return torch.sigmoid(self.head(h))


def speech(seconds: float) -> Tensor:
    """A voice around 120 Hz whose harmonics are loudest near 700 and 1200 Hz, in syllables, with a little noise."""
    time = torch.arange(int(seconds * RATE)) / RATE
    phase = 2 * math.pi * torch.cumsum(120 + 20 * torch.sin(2 * math.pi * 3 * time), 0) / RATE
    voice = torch.zeros_like(time)
    for k in range(1, 30):
        loudness = math.exp(-(((k * 120 - 700) / 500) ** 2)) + math.exp(-(((k * 120 - 1200) / 600) ** 2))
        voice += torch.sin(k * phase) / k * loudness
    is_syllable = ((time * 2.5) % 1 < 0.6) & (time > 0.3) & (time < seconds - 0.3)
    return 0.3 * voice * is_syllable + 0.003 * torch.randn(len(time))


def main() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    if len(sys.argv) > 2:
        shutil.copyfile(sys.argv[2], sys.argv[1])
    else:
        torch.jit.script(Detector().eval()).save(sys.argv[1])
    model = torch.jit.load(sys.argv[1]).eval()
    chunks = speech(1.5).split(CHUNK)[:-1]
    with torch.no_grad():
        answers = [{"chunk": chunk.tolist(), "probability": model(chunk.unsqueeze(0), RATE).item()} for chunk in chunks]
    print(json.dumps(answers))


main()
