from transformers import (
    ConditionalDetrConfig,
    ConditionalDetrForObjectDetection,
    DetrConfig,
    DetrForObjectDetection,
    ResNetConfig,
    YolosConfig,
    YolosForObjectDetection,
    pipeline,
)
from transformers.models.conditional_detr.image_processing_conditional_detr import ConditionalDetrImageProcessor
from transformers.models.detr.image_processing_detr import DetrImageProcessor
from transformers.models.yolos.image_processing_yolos import YolosImageProcessor

from .kit import BATCH, answers, case, seeded, torch, write
from .pictures import pictures

TASK = "object-detection"
SMALL = {
    "d_model": 16,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
    "num_queries": 12,
}


def backbone(stages=2):
    """A small ResNet; panoptic segmentation looks at four of its stages."""
    return ResNetConfig(
        embedding_size=8,
        hidden_sizes=[8, 16, 16, 16][:stages],
        depths=[1] * stages,
        layer_type="basic",
        out_features=[f"stage{i + 1}" for i in range(stages)] if stages > 2 else ["stage2"],
    )


def detect(folder, model, processor, requests):
    found = pictures(folder.parent.parent / "files")
    feeds = dict(processor(images=[torch.zeros(3, 61, 97, dtype=torch.uint8)] * 2, return_tensors="pt"))
    feeds = {name: feeds[name] for name in ("pixel_values", "pixel_mask") if name in feeds}
    if isinstance(model, YolosForObjectDetection):
        feeds.pop("pixel_mask", None)
    write(folder, model, feeds, {name: {0: BATCH} for name in feeds}, task=TASK)
    processor.save_pretrained(folder)
    pipe = pipeline(TASK, model=model, image_processor=processor)
    return answers(pipe, [(name, str(found[name]), keywords) for name, keywords in requests])


@case(TASK)
def detr(folder):
    config = DetrConfig(use_timm_backbone=False, backbone_config=backbone(), num_labels=4, **SMALL)
    processor = DetrImageProcessor(size={"height": 64, "width": 96})
    requests = [("china.jpg", {"threshold": 0.01}), ("small.png", {"threshold": 0.05}), ("tall.jpg", {})]
    return detect(folder, seeded(DetrForObjectDetection, config), processor, requests)


@case(TASK)
def yolos(folder):
    config = YolosConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=[48, 80],
        num_detection_tokens=10,
        use_mid_position_embeddings=False,
        num_labels=4,
    )
    processor = YolosImageProcessor(size={"shortest_edge": 50, "longest_edge": 90})
    requests = [("small.png", {"threshold": 0.05})]
    return detect(folder, seeded(YolosForObjectDetection, config), processor, requests)


@case(TASK)
def conditional_detr(folder):
    config = ConditionalDetrConfig(use_timm_backbone=False, backbone_config=backbone(), num_labels=4, **SMALL)
    processor = ConditionalDetrImageProcessor(size={"height": 64, "width": 64})
    requests = [("flower.jpg", {"threshold": 0.6}), ("turned.jpg", {})]
    return detect(folder, seeded(ConditionalDetrForObjectDetection, config), processor, requests)
