"""Writes the archives of `npm run bench -- torchserve` into a folder.

A handler around a layer, alone and in batches; a function of its module; a built-in handler for texts and one for pictures; a streaming one; one with a state.
"""

import json
import os
import sys
import tempfile

import torch

torch.library.define("torchvision::nms", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
torch.library.define("torchvision::qnms", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../scripts/python"))

from archive_kit import saved  # noqa: E402
from torchserve_models import EAGER, LINEAR, ORDERS, STATEFUL, STREAMING, Packer, linear, pictures, scripted, words  # noqa: E402


def main(folder):
    from torchvision.models import resnet18

    os.makedirs(folder, exist_ok=True)
    packer = Packer(folder, False)
    with tempfile.TemporaryDirectory() as home:
        weights = saved(lambda path: torch.save(linear(home).state_dict(), path), ".pth")
    files = {"handler": ("linear_handler.py", EAGER), "model_file": ("linear.py", LINEAR), "serialized": ("linear.pth", weights)}
    packer.pack("handler", **files)
    packer.pack("batches", **files, config="batchSize: 16\nmaxBatchDelay: 2\n")
    packer.pack("function", handler=("orders.py", ORDERS))
    packer.pack("streaming", handler=("streaming.py", STREAMING))
    packer.pack("stateful", handler=("stateful.py", STATEFUL))
    vocabulary, text = words()
    names = {"index_to_name.json": json.dumps({"0": "dull", "1": "lively"})}
    packer.pack(
        "text",
        handler="text_classifier",
        serialized=("model.pt", scripted(text)),
        files={**names, "source_vocab.pt": saved(lambda path: torch.save(vocabulary, path), ".pt")},
    )
    torch.manual_seed(0)
    traced = torch.jit.trace(resnet18().eval(), torch.rand(1, 3, 224, 224))
    packer.pack("resnet18", handler="image_classifier", serialized=("resnet18.pt", saved(traced.save, ".pt")))
    pictures(folder)


if __name__ == "__main__":
    main(sys.argv[1])
