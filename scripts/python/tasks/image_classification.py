from transformers import (
    ConvNextConfig,
    ConvNextForImageClassification,
    ConvNextImageProcessor,
    ResNetConfig,
    ResNetForImageClassification,
    ViTConfig,
    ViTForImageClassification,
    ViTImageProcessor,
    pipeline,
)

from .kit import BATCH, answers, case, seeded, torch, write
from .pictures import pictures

TASK = "image-classification"


def classify(folder, model, processor, size, requests):
    feeds = {"pixel_values": torch.zeros(2, 3, size, size)}
    write(folder, model, feeds, {"pixel_values": {0: BATCH}}, task=TASK)
    processor.save_pretrained(folder)
    found = pictures(folder.parent.parent / "files")
    pipe = pipeline(TASK, model=model, image_processor=processor)
    return answers(pipe, [(name, str(found[name]), keywords) for name, keywords in requests])


@case(TASK)
def vit(folder):
    labels = {i: f"class {i}" for i in range(8)}
    config = ViTConfig(
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        image_size=32,
        patch_size=8,
        id2label=labels,
        label2id={name: i for i, name in labels.items()},
    )
    processor = ViTImageProcessor(size={"height": 32, "width": 32})
    names = pictures(folder.parent.parent / "files")
    requests = [(name, {}) for name in names] + [
        ("china.jpg", {"top_k": 2}),
        ("china.jpg", {"function_to_apply": "sigmoid", "top_k": 3}),
        ("china.jpg", {"function_to_apply": "none"}),
    ]
    return classify(folder, seeded(ViTForImageClassification, config), processor, 32, requests)


@case(TASK)
def resnet(folder):
    config = ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic", num_labels=5
    )
    processor = ConvNextImageProcessor(size={"shortest_edge": 56}, crop_pct=0.875)
    requests = [(name, {}) for name in ("china.jpg", "tall.jpg", "small.png")]
    return classify(folder, seeded(ResNetForImageClassification, config), processor, 56, requests)


@case(TASK)
def convnext(folder):
    config = ConvNextConfig(
        num_channels=3, num_stages=2, hidden_sizes=[8, 16], depths=[1, 1], patch_size=4, num_labels=1
    )
    processor = ViTImageProcessor(
        size={"shortest_edge": 50},
        do_center_crop=True,
        crop_size={"height": 64, "width": 64},
        resample=3,
        image_mean=[0.485, 0.456, 0.406],
        image_std=[0.229, 0.224, 0.225],
    )
    requests = [(name, {}) for name in ("china.jpg", "tall.jpg")]
    return classify(folder, seeded(ConvNextForImageClassification, config), processor, 64, requests)
