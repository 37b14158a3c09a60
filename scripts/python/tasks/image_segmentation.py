from transformers import (
    DetrConfig,
    DetrForSegmentation,
    MaskFormerConfig,
    MaskFormerForInstanceSegmentation,
    MobileViTConfig,
    MobileViTForSemanticSegmentation,
    SegformerConfig,
    SegformerForSemanticSegmentation,
    pipeline,
)
from transformers.models.detr.image_processing_detr import DetrImageProcessor
from transformers.models.maskformer.image_processing_maskformer import MaskFormerImageProcessor
from transformers.models.mobilevit.image_processing_mobilevit import MobileViTImageProcessor
from transformers.models.segformer.image_processing_segformer import SegformerImageProcessor

from .kit import BATCH, answers, case, seeded, torch, write
from .object_detection import SMALL, backbone
from .pictures import pictures

TASK = "image-segmentation"


def segment(folder, model, processor, shape, requests):
    feeds = {"pixel_values": torch.zeros(2, 3, *shape)}
    write(folder, model, feeds, {"pixel_values": {0: BATCH}}, task=TASK)
    processor.save_pretrained(folder)
    found = pictures(folder.parent.parent / "files")
    pipe = pipeline(TASK, model=model, image_processor=processor)
    return answers(pipe, [(name, str(found[name]), keywords) for name, keywords in requests])


@case(TASK)
def segformer(folder):
    config = SegformerConfig(
        num_encoder_blocks=2,
        depths=[1, 1],
        sr_ratios=[2, 1],
        hidden_sizes=[8, 16],
        patch_sizes=[7, 3],
        strides=[4, 2],
        num_attention_heads=[1, 2],
        mlp_ratios=[2, 2],
        decoder_hidden_size=16,
        num_labels=5,
    )
    processor = SegformerImageProcessor(size={"height": 64, "width": 64})
    requests = [("china.jpg", {}), ("small.png", {"subtask": "semantic"})]
    return segment(folder, seeded(SegformerForSemanticSegmentation, config), processor, (64, 64), requests)


@case(TASK)
def detr_panoptic(folder):
    config = DetrConfig(use_timm_backbone=False, backbone_config=backbone(4), num_labels=3, **{**SMALL, "encoder_attention_heads": 8, "decoder_attention_heads": 8})
    processor = DetrImageProcessor(size={"height": 64, "width": 96})
    loose = {"threshold": 0.3, "mask_threshold": 0.2, "overlap_mask_area_threshold": 0.1}
    requests = [("flower.jpg", loose), ("small.png", {})]
    model = seeded(DetrForSegmentation, config)
    # It would find nothing anywhere, as untrained models do.
    model.detr.class_labels_classifier.bias.data[-1] = -9
    return segment(folder, model, processor, (64, 96), requests)


@case(TASK)
def maskformer(folder):
    decoder = DetrConfig(use_timm_backbone=False, backbone_config=backbone(4), **SMALL)
    config = MaskFormerConfig(
        backbone_config=backbone(4), decoder_config=decoder, fpn_feature_size=32, mask_feature_size=16, num_labels=3
    )
    processor = MaskFormerImageProcessor(size={"height": 50, "width": 90})
    loose = {"threshold": 0.3, "mask_threshold": 0.2, "overlap_mask_area_threshold": 0.1}
    requests = [("flower.jpg", loose), ("small.png", {"subtask": "semantic"})]
    return segment(folder, seeded(MaskFormerForInstanceSegmentation, config), processor, (64, 96), requests)


@case(TASK)
def mobilevit(folder):
    config = MobileViTConfig(
        image_size=64,
        hidden_sizes=[16, 20, 24],
        neck_hidden_sizes=[8, 8, 12, 16, 16, 16, 32],
        num_attention_heads=2,
        mlp_ratio=1.0,
        aspp_out_channels=16,
        atrous_rates=[2, 3, 4],
        num_labels=4,
    )
    processor = MobileViTImageProcessor(size={"shortest_edge": 72}, crop_size={"height": 64, "width": 64})
    requests = [("flower.jpg", {})]
    return segment(folder, seeded(MobileViTForSemanticSegmentation, config), processor, (64, 64), requests)
