"""Writes models as their users have them: a `model.py` with its weights, or a folder that transformers wrote.

    python make_export_sources.py FOLDER [NAME ...]

Writes FOLDER/NAME/ with random weights. Models that are there already are left alone.
"""

import inspect
import sys
import traceback
import warnings
from pathlib import Path

import torch

warnings.simplefilter("ignore")
import zoo_models  # noqa: E402
from zoo_models import ZOO  # noqa: E402

_VISION = '''from torchvision import models


def make():
    return {made}
'''
_IMAGE = "float32[batch, 3, height, width]"

# Name -> (what makes it, what it takes).
VISION = {
    name: (f"models.{name}(weights=None, num_classes=10)", {"x": _IMAGE})
    for name in """resnet18 resnet50 mobilenet_v2 mobilenet_v3_large efficientnet_b0 efficientnet_v2_s densenet121 squeezenet1_1 shufflenet_v2_x1_0
    mnasnet0_5 regnet_y_400mf convnext_tiny swin_t swin_v2_t""".split()
}
VISION["googlenet"] = ("models.googlenet(weights=None, num_classes=10, aux_logits=False, init_weights=False)", {"x": _IMAGE})
VISION["inception_v3"] = ("models.inception_v3(weights=None, num_classes=10, aux_logits=False, init_weights=False)", {"x": _IMAGE})
VISION["vit_b_16"] = ("models.VisionTransformer(64, 16, 3, 4, 64, 128, num_classes=10)", {"x": "float32[batch, 3, 64, 64]"})
VISION["maxvit_t"] = ("models.maxvit_t(weights=None, num_classes=10)", {"x": "float32[batch, 3, 224, 224]"})
VISION["deeplabv3_mobilenet"] = ("models.segmentation.deeplabv3_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=5)", {"x": _IMAGE})
VISION["lraspp_mobilenet"] = ("models.segmentation.lraspp_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=5)", {"input": _IMAGE})
VISION["r3d_18"] = ("models.video.r3d_18(weights=None, num_classes=10)", {"x": "float32[batch, 3, frames, height, width]"})

# Classes of zoo_models.py, each as a model.py of its own.
WRITTEN = {
    "lstm_classifier": ("Lstm", {"tokens": "int64[batch, length]"}),
    "unet": ("UNet", {"image": _IMAGE}),
    "dlrm": ("Dlrm", {"dense": "float32[batch, 8]", "sparse": "int64[batch, 4]"}),
}
_HEAD = "import torch\nfrom torch import nn\n\n\n"
# Whole files: what people write, and what makes exporting hard.
CODE = {
    "mlp": (
        """class Mlp(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(8, 32), nn.GELU(), nn.LayerNorm(32), nn.Linear(32, 4))
""",
        {"input": "float32[batch, 8]"},
    ),
    "transformer_encoder": (
        """class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def forward(self, src: "float32[batch, length, 32]"):
        return self.layers(src)
""",
        {},
    ),
    "branch_on_data": (
        """class Branch(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(8, 8)

    def forward(self, x: "float32[batch, 8]"):
        y = self.a(x)
        if y.sum() > 0:
            return y * 2
        return y
""",
        {},
    ),
    "loop_over_length": (
        """class Loop(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.GRUCell(8, 16)

    def forward(self, x: "float32[batch, length, 8]"):
        state = x.new_zeros(x.shape[0], 16)
        for step in range(x.shape[1]):
            state = self.cell(x[:, step], state)
        return state
""",
        {},
    ),
    "through_numpy": (
        """class Numpy(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(8, 4)

    def forward(self, x: "float32[batch, 8]"):
        return torch.from_numpy(self.a(x).detach().numpy() ** 2)
""",
        {},
    ),
    "top_items": (
        """class Top(nn.Module):
    def __init__(self):
        super().__init__()
        self.items = nn.Embedding(100, 16)

    def forward(self, user: "float32[batch, 16]"):
        scores, items = (user @ self.items.weight.T).softmax(-1).topk(5)
        return {"scores": scores, "items": items}
""",
        {},
    ),
    "kept_rows": (
        """class Kept(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(8, 4)

    def forward(self, x: "float32[rows, 8]"):
        y = self.a(x)
        return y[y[:, 0] > 0]
""",
        {},
    ),
}
# What is asked for where nobody names anything: the page has these. All others of this file and of zoo_models.py can be named.
USUAL = """albert audio_spectrogram_transformer beit bert bert_classifier bloom branch_on_data camembert clip clip_text clip_vision convbert convnext_tiny
    deberta_v2 dinov2 distilbert dlrm fnet gpt2 hf_convnext hf_resnet hf_vit kept_rows llama loop_over_length lstm_classifier mistral mlp mnasnet0_5
    mobilenet_v3_large modernbert qwen2 resnet18 roberta segformer shufflenet_v2_x1_0 squeezenet1_1 swin_t t5 through_numpy top_items
    transformer_encoder unet vit_b_16""".split()


def perturb(module):
    """Random weights everywhere: zero or one initial values would hide mistakes."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for value in module.parameters():
            value.add_(torch.randn(value.shape, generator=generator) * 0.02)
    return module.eval()


def write_code(folder, code, inputs, is_made=False):
    folder.mkdir(parents=True)
    (folder / "model.py").write_text(code)
    scope = {}
    exec(code, scope)
    kinds = [value for value in scope.values() if isinstance(value, type) and value.__module__ == "builtins"]
    torch.save(perturb(scope["make"]() if is_made else kinds[0]()).state_dict(), folder / "weights.pth")
    said = ["class: make\n"] if is_made else []
    if inputs:
        said += ["inputs:\n", *(f'  {name}: "{text}"\n' for name, text in inputs.items())]
    (folder / "model.yaml").write_text("".join(said) or "{}\n")


def tiny_clip():
    hf = zoo_models.hf
    text = dict(hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=128)
    config = hf.CLIPConfig(
        text_config=dict(**text, vocab_size=200, max_position_embeddings=64, eos_token_id=2, bos_token_id=1, pad_token_id=0),
        vision_config=dict(**text, image_size=64, patch_size=16),
        projection_dim=32,
    )
    return hf.CLIPModel(config)


def tiny_t5():
    hf = zoo_models.hf
    return hf.T5ForConditionalGeneration(hf.T5Config(d_model=64, d_kv=16, d_ff=128, num_layers=2, num_heads=4, vocab_size=200))


def tiny_whisper():
    hf = zoo_models.hf
    sizes = dict(d_model=64, encoder_layers=2, encoder_attention_heads=4, encoder_ffn_dim=128, decoder_layers=1, decoder_attention_heads=4, decoder_ffn_dim=128)
    tokens = dict(vocab_size=200, pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1)
    return hf.WhisperForConditionalGeneration(hf.WhisperConfig(**sizes, **tokens, num_mel_bins=16, max_source_positions=50))


EXTRA = {"clip": tiny_clip, "t5": tiny_t5, "whisper": tiny_whisper}


def write(name, folder):
    torch.manual_seed(0)
    if name in VISION:
        made, inputs = VISION[name]
        write_code(folder, _VISION.format(made=made), inputs, True)
    elif name in WRITTEN:
        kind, inputs = WRITTEN[name]
        write_code(folder, _HEAD + inspect.getsource(getattr(zoo_models, kind)), inputs)
    elif name in CODE:
        code, inputs = CODE[name]
        write_code(folder, _HEAD + code, inputs)
    else:
        module = EXTRA[name]() if name in EXTRA else ZOO[name][1]()[0]
        perturb(module).save_pretrained(folder)


def main():
    root, wanted = Path(sys.argv[1]), sys.argv[2:] or USUAL
    torch.set_num_threads(1)
    for name in wanted:
        folder = root / name
        if folder.exists():
            continue
        try:
            write(name, folder)
        except Exception:
            print(f"{name}: {traceback.format_exc(limit=2)}", flush=True)


if __name__ == "__main__":
    main()
