"""PyTorch's side of the loading benchmark.

    python loading_bench.py export FILE     writes BERT-base with random weights (438 MB), if the file is not there
    python loading_bench.py run FILE        loads it and prints the first number of its first answer
"""

import sys
from pathlib import Path

import torch


def export(path: Path) -> None:
    import bench_models

    class Encoder(torch.nn.Module):
        """The answer as a tuple: loading a program whose answer is a class of transformers would need transformers."""

        def __init__(self, model):
            super().__init__()
            self.model = model

        def forward(self, input_ids, attention_mask):
            return tuple(self.model(input_ids=input_ids, attention_mask=attention_mask).values())

    if path.exists():
        return
    torch.manual_seed(0)
    model, make = bench_models.MODELS["bert-base"]()
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"draft-{path.name}")
    with torch.no_grad():
        bench_models.export(Encoder(model.eval()).eval(), make(2), draft)
    draft.rename(path)


def run(path: Path) -> None:
    program = torch.export.load(path).module()
    ids = torch.arange(128).reshape(1, 128)
    with torch.inference_mode():
        answer = program(input_ids=ids, attention_mask=torch.ones_like(ids))
    print(answer[0].flatten()[0].item())


if __name__ == "__main__":
    {"export": export, "run": run}[sys.argv[1]](Path(sys.argv[2]))
