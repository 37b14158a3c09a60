"""Runs every form of the digits model in a folder and prints, as JSON, how far it is from the folder's own `expected.json`.

python check_digits.py FOLDER    (a folder with `models` and `digits`, as train.py writes it)
"""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import onnx.reference
import torch
from safetensors.torch import load_file


def digits_module(weights: dict) -> torch.nn.Module:
    script = Path(__file__).parents[2] / "examples/digits/train.py"
    spec = importlib.util.spec_from_file_location("train", script)
    train = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(train)
    model = train.Digits().eval()
    model.load_state_dict(weights)
    return model


def main() -> None:
    root = Path(sys.argv[1])
    folder = root / "digits"
    held = json.loads((folder / "expected.json").read_text())["heldOut"]
    expected = np.array([row["probabilities"] for row in held], dtype=np.float32)
    pixels = np.array([row["pixels"] for row in held], dtype=np.float32).reshape(-1, 1, 8, 8) / np.float32(16)
    image = torch.from_numpy(pixels)

    session = onnx.reference.ReferenceEvaluator(str(folder / "digits.onnx"))
    forms = {
        "digits.pt2": torch.export.load(root / "models/digits.pt2").module(),
        "digits.pt": torch.jit.load(folder / "digits.pt"),
        "digits.pth": digits_module(torch.load(folder / "digits.pth", weights_only=True)),
        "digits.safetensors": digits_module(load_file(folder / "digits.safetensors")),
        "digits.onnx": lambda _: {"probabilities": torch.from_numpy(session.run(None, {"image": pixels})[0])},
    }
    report = {}
    with torch.inference_mode():
        for name, model in forms.items():
            got = model(image)["probabilities"].numpy()
            report[name] = {
                "maxError": float(np.abs(got - expected).max()),
                "samePredictions": bool((got.argmax(1) == expected.argmax(1)).all()),
            }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
