"""What the models of every task share: how they are written down, and what transformers answers."""

import base64
import io
import json
import warnings
from pathlib import Path

from PIL import Image

warnings.simplefilter("ignore")
import torch  # noqa: E402

# transformers imports torchvision, which has no CPU build: the two ops that it wants must exist first.
torch.library.define("torchvision::nms", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
torch.library.define("torchvision::qnms", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
import transformers  # noqa: E402
from torch.export import Dim  # noqa: E402

transformers.logging.set_verbosity_error()
torch.set_num_threads(1)

BATCH = Dim("batch", min=1, max=64)
SEQUENCE = Dim("sequence", min=2, max=96)
CASES = {}


def case(task):
    """Registers a function (folder) -> requests that writes a model for a task."""

    def register(make):
        CASES.setdefault(task, {})[make.__name__.replace("_", "-")] = make
        return make

    return register


def seeded(model_class, config, spread=0.3):
    """The model with random weights, large enough that its answers differ from one another."""
    torch.manual_seed(7)
    model = model_class(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(0, spread)
    return model


def write(folder: Path, model, feeds, dynamic, *, task, options=""):
    """Exports the model and writes what lies beside it."""
    folder.mkdir(parents=True)
    with torch.no_grad():
        program = torch.export.export(model, (), feeds, dynamic_shapes=dynamic, strict=False)
    torch.export.save(program, folder / "model.pt2")
    model.config.save_pretrained(folder)
    (folder / "model.yaml").write_text(f"task: {task}\n{options}")


def answers(pipeline, requests):
    """What the pipeline says to each request, which is (what is sent, what it is given, its keywords)."""
    found = []
    with torch.no_grad():
        for sent, given, keywords in requests:
            found.append({"sent": sent, "parameters": keywords, "expected": plain(pipeline(given, **keywords))})
    return found


def plain(value):
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, Image.Image):
        return {"width": value.width, "height": value.height, "png": png(value)}
    return value.item() if hasattr(value, "item") else value


def png(image):
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()


def main(target: Path, tasks):
    made = []
    for task in tasks:
        for name, make in CASES[task].items():
            made.append({"model": name, "task": task, "requests": make(target / "models" / name)})
    print(json.dumps(made))
