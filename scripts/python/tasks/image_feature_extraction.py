from transformers import Dinov2Config, Dinov2Model, ResNetConfig, ResNetModel, pipeline
from transformers.models.bit.image_processing_bit import BitImageProcessor
from transformers.models.mobilevit.image_processing_mobilevit import MobileViTImageProcessor

from .kit import BATCH, answers, case, seeded, torch, write
from .pictures import pictures

TASK = "image-feature-extraction"


def extract(folder, model, processor, size, requests):
    feeds = {"pixel_values": torch.zeros(2, 3, size, size)}
    write(folder, model, feeds, {"pixel_values": {0: BATCH}}, task=TASK)
    processor.save_pretrained(folder)
    found = pictures(folder.parent.parent / "files")
    pipe = pipeline(TASK, model=model, image_processor=processor)
    return answers(pipe, [(name, str(found[name]), keywords) for name, keywords in requests])


@case(TASK)
def dino(folder):
    config = Dinov2Config(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=28, patch_size=14)
    processor = BitImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 28, "width": 28})
    requests = [("china.jpg", {}), ("grey.jpg", {"pool": True})]
    return extract(folder, seeded(Dinov2Model, config), processor, 28, requests)


@case(TASK)
def features_resnet(folder):
    config = ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic")
    processor = MobileViTImageProcessor(size={"shortest_edge": 64}, crop_size={"height": 56, "width": 56})
    requests = [("flower.jpg", {}), ("flower.jpg", {"pool": True})]
    return extract(folder, seeded(ResNetModel, config), processor, 56, requests)
