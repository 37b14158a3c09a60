"""Writes WAV files of synthesised speech, and prints what Silero VAD's own program hears in each as JSON.

    python speech_probabilities.py silero_vad.jit FOLDER COUNT

Each has other syllables and another length. `chunks` is what the program says chunk by chunk, `whole` what it says of the whole signal at once.
"""

import json
import math
import sys
import warnings
import wave
from pathlib import Path

import torch
from torch import Tensor

warnings.simplefilter("ignore")
CHUNK, RATE = 512, 16000


def speech(seconds: float, pitch: float) -> Tensor:
    """A voice whose harmonics are loudest near 700 and 1200 Hz, in syllables, with a little noise."""
    time = torch.arange(int(seconds * RATE)) / RATE
    phase = 2 * math.pi * torch.cumsum(pitch + 20 * torch.sin(2 * math.pi * 3 * time), 0) / RATE
    voice = torch.zeros_like(time)
    for k in range(1, 30):
        loudness = math.exp(-(((k * pitch - 700) / 500) ** 2)) + math.exp(-(((k * pitch - 1200) / 600) ** 2))
        voice += torch.sin(k * phase) / k * loudness
    is_syllable = ((time * 2.5) % 1 < 0.6) & (time > 0.3) & (time < seconds - 0.5)
    return 0.3 * voice * is_syllable + 0.003 * torch.randn(len(time))


def write(path: Path, samples: Tensor) -> Tensor:
    """Returns the samples as a reader of the file finds them."""
    whole = (samples.clamp(-1, 1) * 32767).round().to(torch.int16)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(whole.numpy().tobytes() if hasattr(whole, "numpy") else bytes(whole.tolist()))
    return whole.to(torch.float32) / 32768


def main() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    model = torch.jit.load(sys.argv[1]).eval()
    heard = []
    for i in range(int(sys.argv[3])):
        path = Path(sys.argv[2]) / f"speech-{i}.wav"
        samples = write(path, speech(1.6 + 0.1 * i, 110 + 5 * i))
        padded = torch.nn.functional.pad(samples, (0, -len(samples) % CHUNK))
        with torch.no_grad():
            model.reset_states()
            chunks = [model(chunk.unsqueeze(0), RATE).item() for chunk in padded.split(CHUNK)]
            model.reset_states()
            whole = model.audio_forward(samples.unsqueeze(0), RATE).flatten().tolist()
        heard.append({"file": str(path), "chunks": chunks, "whole": whole})
    print(json.dumps(heard))


main()
