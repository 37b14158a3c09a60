"""Cases of weights that replace a program's own: every form in which people keep them, with PyTorch's answers after load_state_dict.

usage: weights_cases.py OUT      writes OUT/NAME/{model.pt2, model.yaml, weights} and OUT/NAME.json, in the form of case_kit.py
"""

import json
import os
import sys

import torch
from safetensors.torch import save_file
from torch import nn

import case_kit

OUT = sys.argv[1]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(6, 8)
        self.norm = nn.BatchNorm1d(8)
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        return self.head(self.norm(self.encoder(x)).relu())


torch.manual_seed(3)
trained = {name: torch.randn_like(value) if value.is_floating_point() else value for name, value in Net().state_dict().items()}
trained["norm.running_var"] = trained["norm.running_var"].abs() + 0.5
x = torch.randn(4, 6)
os.makedirs(OUT, exist_ok=True)
program = torch.export.export(Net().eval(), (x,))


def case(name, stored, file, write):
    """`stored`: the state dict as it was saved; `write(path)` saves it in the form of this case."""
    folder = f"{OUT}/{name}"
    os.makedirs(folder)
    torch.export.save(program, f"{folder}/model.pt2")
    write(f"{folder}/{file}")
    with open(f"{folder}/model.yaml", "w") as settings:
        settings.write(f"weights: {file}\n")
    model = Net().eval()
    model.load_state_dict(stored)
    with torch.no_grad():
        answer = model(x)
    with open(f"{OUT}/{name}.json", "w") as cases:
        json.dump({"inputs": [[case_kit.tensor_json(x)]], "outputs": [[case_kit.tensor_json(answer)]]}, cases)


def cast(dtype):
    return {name: value.to(dtype) if value.is_floating_point() else value for name, value in trained.items()}


def renamed(change):
    return {change(name): value for name, value in trained.items()}


def shards(folder, save, suffix):
    """Two shards and their index beside it."""
    names = list(trained)
    parts = [names[: len(names) // 2], names[len(names) // 2 :]]
    places = {}
    for number, part in enumerate(parts, 1):
        file = f"model-{number:05}-of-00002{suffix}"
        save({name: trained[name] for name in part}, f"{folder}/{file}")
        places |= {name: file for name in part}
    return places


def write_index(path, save, suffix):
    with open(path, "w") as index:
        json.dump({"metadata": {}, "weight_map": shards(os.path.dirname(path), save, suffix)}, index)


for dtype in (torch.float16, torch.bfloat16, torch.float64):
    kind = str(dtype)[6:]
    case(f"safetensors_{kind}", cast(dtype), "weights.safetensors", lambda path, d=dtype: save_file(cast(d), path))
    case(f"checkpoint_{kind}", cast(dtype), "weights.pth", lambda path, d=dtype: torch.save(cast(d), path))
step = torch.tensor(1000)
case("wrapped_with_step", trained, "weights.pth", lambda path: torch.save({"model": trained, "step": step, "epoch": 3}, path))
case("wrapped_with_optimizer", trained, "weights.pth", lambda path: torch.save({"optimizer": {"lr": 0.1}, "state_dict": trained, "ema_decay": torch.tensor([0.99])}, path))
case("wrapped_in_ema", trained, "weights.pth", lambda path: torch.save({"params_ema": trained}, path))
case("wrapped_twice", trained, "weights.pth", lambda path: torch.save({"checkpoint": {"model": trained}, "epoch": 3}, path))
case("prefix_net", trained, "weights.pth", lambda path: torch.save(renamed(lambda name: f"net.{name}"), path))
case("prefix_module_compiled", trained, "weights.pth", lambda path: torch.save(renamed(lambda name: f"module._orig_mod.{name}"), path))
case("compiled_inside", trained, "weights.pth", lambda path: torch.save(renamed(lambda name: name.replace("encoder.", "encoder._orig_mod.")), path))
case("shards_bin", trained, "pytorch_model.bin.index.json", lambda path: write_index(path, torch.save, ".bin"))
case("shards_safetensors", trained, "model.safetensors.index.json", lambda path: write_index(path, save_file, ".safetensors"))
