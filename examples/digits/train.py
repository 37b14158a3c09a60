"""Trains a small CNN on scikit-learn's handwritten digits and writes it in every form that PyTorch has.

    python examples/digits/train.py [--out FOLDER] [--weights digits.pth]

Writes `models/digits.pt2` (torch.export, dynamic batch) and, beside this script, `digits.pt` (traced), `digits.pth` and
`digits.safetensors` (weights), `digits.onnx`, `expected.json` (held-out digits with PyTorch's own answers) and ten held-out scans as
PNG. Takes some seconds on one core; the seed fixes the result on one kind of CPU.

Input `image`: float32 [batch, 1, 8, 8], the 0-16 pixel values divided by 16. Output `probabilities`: float32 [batch, 10].
"""

import argparse
import json
import struct
import tempfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

EPOCHS = 40
BATCH = 64
HERE = Path(__file__).parent


class Digits(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.classifier = nn.Sequential(nn.Linear(128, 64), nn.ReLU(), nn.Dropout(0.3), nn.Linear(64, 10))

    def logits(self, image: torch.Tensor) -> torch.Tensor:
        return self.classifier(torch.flatten(self.features(image), 1))

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"probabilities": torch.softmax(self.logits(image), dim=1)}


def load() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Pixels 0-16 as [n, 64] and labels: train pixels, held-out pixels, train labels, held-out labels."""
    pixels, labels = load_digits(return_X_y=True)
    return train_test_split(pixels.astype(np.uint8), labels, test_size=0.2, random_state=0, stratify=labels)


def to_image(pixels: np.ndarray, full: float = 16) -> torch.Tensor:
    return torch.from_numpy(pixels.astype(np.float32) / np.float32(full)).reshape(-1, 1, 8, 8)


def train(pixels: np.ndarray, labels: np.ndarray) -> Digits:
    torch.manual_seed(0)
    model, images, targets = Digits(), to_image(pixels), torch.from_numpy(labels)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, EPOCHS * -(-len(images) // BATCH))
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(images)).split(BATCH):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model.logits(images[batch]), targets[batch]).backward()
            optimizer.step()
            schedule.step()
    return model.eval()


def save_exported(model: Digits, path: Path) -> None:
    batch = torch.export.Dim("batch", min=1, max=1024)
    program = torch.export.export(model, (torch.zeros(2, 1, 8, 8),), dynamic_shapes={"image": {0: batch}})
    for node in program.graph.nodes:  # stack traces are the author's own paths
        node.meta.pop("stack_trace", None)
    torch.export.save(program, path)


def save_traced(model: Digits, path: Path) -> None:
    """Saves without the source positions, which are the author's own paths; keeps PyTorch's 64-byte alignment."""
    traced = torch.jit.trace(model, torch.zeros(2, 1, 8, 8), strict=False)
    with tempfile.TemporaryDirectory() as folder:
        full = Path(folder, path.name)
        torch.jit.save(traced, full)
        with zipfile.ZipFile(full) as source, zipfile.ZipFile(path, "w") as target:
            for entry in source.infolist():
                if entry.filename.endswith(".debug_pkl"):
                    continue
                copy = zipfile.ZipInfo(entry.filename)
                copy.compress_type = entry.compress_type
                gap = 4 + -(target.fp.tell() + 34 + len(entry.filename)) % 64
                copy.extra = struct.pack("<HH", 0x4246, gap - 4) + b"Z" * (gap - 4)
                target.writestr(copy, source.read(entry))


def save_onnx(model: Digits, path: Path) -> None:
    batch = torch.export.Dim("batch", min=1, max=1024)
    program = torch.onnx.export(
        model,
        (torch.zeros(2, 1, 8, 8),),
        dynamo=True,
        dynamic_shapes={"image": {0: batch}},
        input_names=["image"],
        output_names=["probabilities"],
        verbose=False,
    )
    for node in program.model.graph:  # stack traces again
        node.metadata_props.clear()
    program.save(path, include_initializers=True, external_data=False)


def png(pixels: np.ndarray) -> bytes:
    """An 8-bit greyscale PNG of a [height, width] array."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


def save_scans(pixels: np.ndarray, labels: np.ndarray, folder: Path) -> list[tuple[str, int, np.ndarray]]:
    """Writes the first held-out scan of each digit as PNG; returns file name, label and grey values."""
    folder.mkdir(parents=True, exist_ok=True)
    scans = []
    for digit in range(10):
        first = int(np.flatnonzero(labels == digit)[0])
        grey = np.round(pixels[first].astype(float) * 255 / 16).astype(np.uint8)
        (folder / f"{digit}.png").write_bytes(png(grey.reshape(8, 8)))
        scans.append((f"{digit}.png", digit, grey))
    return scans


def answers(model: Digits, images: torch.Tensor) -> list[list[float]]:
    """Probabilities with nine digits: enough to give back the same float32."""
    with torch.inference_mode():
        rows = model(images)["probabilities"]
    return [[float(f"{value:.9g}") for value in row] for row in rows.tolist()]


def save_expected(model: Digits, held: tuple[np.ndarray, np.ndarray], scans: list, path: Path) -> float:
    """Writes PyTorch's answers for the held-out digits and for the PNG scans; returns the held-out accuracy."""
    pixels, labels = held
    probabilities = answers(model, to_image(pixels))
    accuracy = float((np.argmax(probabilities, axis=1) == labels).mean())
    seen = answers(model, to_image(np.stack([grey for _, _, grey in scans]), 255))
    held_out = [
        {"label": int(label), "pixels": row.tolist(), "probabilities": answer}
        for row, label, answer in zip(pixels, labels, probabilities, strict=True)
    ]
    files = [
        {"file": name, "label": label, "probabilities": answer}
        for (name, label, _), answer in zip(scans, seen, strict=True)
    ]
    lines = ",\n".join(json.dumps(row, separators=(",", ":")) for row in held_out)
    scan_lines = ",\n".join(json.dumps(row, separators=(",", ":")) for row in files)
    path.write_text(f'{{"accuracy":{accuracy:.6f},"heldOut":[\n{lines}\n],"scans":[\n{scan_lines}\n]}}\n')
    return accuracy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=HERE.parent, help="the folder that gets `models` and `digits`")
    parser.add_argument("--weights", type=Path, help="a state_dict to write in all forms, in place of training")
    args = parser.parse_args()
    folder, models = args.out / "digits", args.out / "models"
    folder.mkdir(parents=True, exist_ok=True)
    models.mkdir(parents=True, exist_ok=True)

    train_pixels, held_pixels, train_labels, held_labels = load()
    torch.set_num_threads(1)
    if args.weights is None:
        model = train(train_pixels, train_labels)
    else:
        model = Digits().eval()
        model.load_state_dict(torch.load(args.weights, weights_only=True))
    weights = model.state_dict()
    save_exported(model, models / "digits.pt2")
    save_traced(model, folder / "digits.pt")
    torch.save(weights, folder / "digits.pth")
    save_file(weights, folder / "digits.safetensors")
    (folder / "digits.safetensors").chmod(0o644)
    save_onnx(model, folder / "digits.onnx")
    scans = save_scans(held_pixels, held_labels, folder / "scans")
    accuracy = save_expected(model, (held_pixels, held_labels), scans, folder / "expected.json")
    print(f"held-out accuracy {accuracy:.4f} ({len(held_labels)} digits)")


if __name__ == "__main__":
    main()
