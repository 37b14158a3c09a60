from math import gcd

import numpy
from scipy.io import wavfile
from transformers import (
    HubertConfig,
    HubertForSequenceClassification,
    Wav2Vec2Config,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForSequenceClassification,
    pipeline,
)

from .kit import BATCH, Dim, answers, case, seeded, torch, write

TASK = "audio-classification"
RATE = 16000
SMALL = {
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "conv_dim": [16, 16, 16],
    "conv_kernel": [10, 8, 4],
    "conv_stride": [5, 4, 4],
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
    "classifier_proj_size": 16,
    "num_labels": 6,
}


def speech(rate, seconds):
    """Syllables of a voice with two formants, between pauses."""
    time = numpy.arange(int(rate * seconds)) / rate
    pitch = 120 + 25 * numpy.sin(2 * numpy.pi * 0.7 * time)
    phase = 2 * numpy.pi * numpy.cumsum(pitch) / rate
    voice = sum(numpy.sin(k * phase) / (1 + abs(k * 120 - 700) / 200) for k in range(1, 18))
    return 0.1 * voice * numpy.clip(numpy.sin(2 * numpy.pi * 2.3 * time), 0, 1)


def resampled(samples, rate, wanted):
    """torchaudio.functional.resample, from its definition: a convolution with one filter for each phase."""
    common = gcd(rate, wanted)
    source, target = rate // common, wanted // common
    base = min(source, target) * 0.99
    width = int(numpy.ceil(6 * source / base))
    places = numpy.arange(-width, width + source) / source
    times = (numpy.arange(0, -target, -1) / target)[:, None] + places[None]
    times = numpy.clip(times * base, -6, 6)
    window = numpy.cos(times * numpy.pi / 12) ** 2
    filters = numpy.sinc(times) * window * base / source
    padded = numpy.pad(samples, (width, width + source))
    steps = range(0, len(padded) - filters.shape[1] + 1, source)
    rows = numpy.stack([filters @ padded[at : at + filters.shape[1]] for at in steps])
    return rows.reshape(-1)[: int(numpy.ceil(target * len(samples) / source))].astype(numpy.float32)


def sounds(folder):
    """WAV files of several kinds, with the one channel that each of them is."""
    folder.mkdir(parents=True, exist_ok=True)
    voice, slow, music = speech(RATE, 1.2), speech(8000, 0.9), speech(44100, 0.7)
    stereo = numpy.stack([music, music[::-1] * 0.5], 1)
    kinds = {
        "voice.wav": (RATE, (voice * 32767).astype(numpy.int16)),
        "floats.wav": (RATE, voice.astype(numpy.float32)),
        "doubles.wav": (RATE, voice),
        "bytes.wav": (8000, (slow * 127 + 128).astype(numpy.uint8)),
        "wide.wav": (RATE, (voice * 2147483000).astype(numpy.int32)),
        "stereo.wav": (44100, (stereo * 32767).astype(numpy.int16)),
    }
    scales = {numpy.dtype(numpy.int16): 2**15, numpy.dtype(numpy.int32): 2**31}
    heard = {}
    for name, (rate, samples) in kinds.items():
        wavfile.write(folder / name, rate, samples)
        mono = samples.astype(numpy.float64) / scales.get(samples.dtype, 1)
        if samples.dtype == numpy.uint8:
            mono = (mono - 128) / 128
        mono = mono.mean(1) if mono.ndim == 2 else mono
        heard[name] = resampled(mono, rate, RATE) if rate != RATE else mono.astype(numpy.float32)
    return heard


def classify(folder, model, extractor):
    samples = Dim("samples", min=400, max=64000)
    feeds = {"input_values": torch.zeros(2, 4000)}
    write(folder, model, feeds, {"input_values": {0: BATCH, 1: samples}}, task=TASK)
    extractor.save_pretrained(folder)
    pipe = pipeline(TASK, model=model, feature_extractor=extractor)
    requests = [(name, heard, {}) for name, heard in sounds(folder.parent.parent / "files").items()]
    requests.append(("voice.wav", requests[0][1], {"top_k": 2, "function_to_apply": "sigmoid"}))
    return answers(pipe, requests)


@case(TASK)
def wav2vec2(folder):
    model = seeded(Wav2Vec2ForSequenceClassification, Wav2Vec2Config(feat_extract_norm="layer", **SMALL))
    return classify(folder, model, Wav2Vec2FeatureExtractor(do_normalize=True))


@case(TASK)
def hubert(folder):
    model = seeded(HubertForSequenceClassification, HubertConfig(**SMALL), spread=0.15)
    return classify(folder, model, Wav2Vec2FeatureExtractor(do_normalize=False))
