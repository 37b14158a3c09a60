"""The architectures of the model zoo: name -> (family, builder). A builder returns (module, kwargs of example inputs, dynamic dims).

Weights are random and configurations small: the zoo checks that programs mean the same, not that they are wise. `dynamic` maps input
names to {axis: symbol}; every symbol is also run at other sizes.
"""

import torch
from torch import nn

torch.library.define("torchvision::nms", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
torch.library.define("torchvision::qnms", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
import torchvision.models as tv  # noqa: E402  (the two ops must exist first: there is no CPU build)
import transformers as hf  # noqa: E402

ZOO = {}


def image(name, size=64, channels=3, argument="x", make=None, family="torchvision"):
    def build():
        module = (make or (lambda: getattr(tv, name)(weights=None, num_classes=10)))()
        return module, {argument: torch.randn(2, channels, size, size)}, {argument: {0: "batch"}}

    ZOO[name] = (family, build)


for name in """resnet18 resnet50 resnext50_32x4d wide_resnet50_2 densenet121 squeezenet1_0 squeezenet1_1 mobilenet_v2 mobilenet_v3_small
    mobilenet_v3_large mnasnet0_5 shufflenet_v2_x0_5 shufflenet_v2_x1_0 efficientnet_b0 efficientnet_v2_s regnet_y_400mf regnet_x_400mf
    convnext_tiny swin_t swin_v2_t alexnet""".split():
    image(name, size=64 if name not in ("alexnet", "squeezenet1_0", "squeezenet1_1") else 96)
image("googlenet", 64, make=lambda: tv.googlenet(weights=None, num_classes=10, aux_logits=False, init_weights=False))
image("inception_v3", 128, make=lambda: tv.inception_v3(weights=None, num_classes=10, aux_logits=False, init_weights=False))
image("vit_b_16", 64, make=lambda: tv.VisionTransformer(64, 16, 3, 4, 64, 128, num_classes=10))
image("maxvit_t", 224)
for name in ("fcn_resnet50", "deeplabv3_mobilenet_v3_large", "lraspp_mobilenet_v3_large"):
    image(name, 64, make=lambda n=name: getattr(tv.segmentation, n)(weights=None, weights_backbone=None, num_classes=5),
          argument="input" if name.startswith("lraspp") else "x")


def video(name):
    def build():
        module = getattr(tv.video, name)(weights=None, num_classes=10)
        return module, {"x": torch.randn(2, 3, 8, 64, 64)}, {"x": {0: "batch"}}

    ZOO[name] = ("torchvision", build)


for name in ("r3d_18", "mc3_18", "r2plus1d_18"):
    video(name)

SMALL = dict(hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=128, vocab_size=200)


def text(name, model, config, mask=True, **extra):
    def build():
        torch.manual_seed(0)
        module = model(config())
        ids = torch.randint(3, 190, (2, 12))
        inputs, dynamic = {"input_ids": ids}, {"input_ids": {0: "batch", 1: "sequence"}}
        if mask:
            inputs["attention_mask"] = padding_mask(ids)
            dynamic["attention_mask"] = {0: "batch", 1: "sequence"}
        return module, inputs, dynamic

    ZOO[name] = ("transformers", build)


def padding_mask(ids):
    """Every row but the first ends in padding."""
    mask = torch.ones_like(ids)
    for row in range(1, ids.shape[0]):
        mask[row, -min(row + 1, ids.shape[1] - 1):] = 0
    return mask


text("bert", hf.BertModel, lambda: hf.BertConfig(**SMALL))
text("bert_classifier", hf.BertForSequenceClassification, lambda: hf.BertConfig(**SMALL, num_labels=3))
text("roberta", hf.RobertaModel, lambda: hf.RobertaConfig(**SMALL, max_position_embeddings=64))
text("xlm_roberta_tokens", hf.XLMRobertaForTokenClassification, lambda: hf.XLMRobertaConfig(**SMALL, max_position_embeddings=64))
text("camembert", hf.CamembertModel, lambda: hf.CamembertConfig(**SMALL, max_position_embeddings=64))
text("distilbert", hf.DistilBertModel, lambda: hf.DistilBertConfig(dim=64, n_layers=2, n_heads=4, hidden_dim=128, vocab_size=200))
text("albert", hf.AlbertModel, lambda: hf.AlbertConfig(**SMALL, embedding_size=32))
text("electra", hf.ElectraModel, lambda: hf.ElectraConfig(**SMALL, embedding_size=32))
text("mpnet", hf.MPNetModel, lambda: hf.MPNetConfig(**SMALL, max_position_embeddings=64))
text("deberta_v2", hf.DebertaV2Model, lambda: hf.DebertaV2Config(**SMALL, relative_attention=True, pos_att_type=["p2c", "c2p"], position_buckets=16))
text("deberta", hf.DebertaModel, lambda: hf.DebertaConfig(**SMALL))
text("modernbert", hf.ModernBertModel, lambda: hf.ModernBertConfig(**SMALL, global_attn_every_n_layers=2, pad_token_id=0, bos_token_id=1, eos_token_id=2, cls_token_id=1, sep_token_id=2))
text("mobilebert", hf.MobileBertModel, lambda: hf.MobileBertConfig(vocab_size=200, hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64, embedding_size=32, intra_bottleneck_size=32))
text("squeezebert", hf.SqueezeBertModel, lambda: hf.SqueezeBertConfig(**SMALL, embedding_size=64))
text("layoutlm_text", hf.LayoutLMModel, lambda: hf.LayoutLMConfig(**SMALL))
text("ernie", hf.ErnieModel, lambda: hf.ErnieConfig(**SMALL))
text("nystromformer", hf.NystromformerModel, lambda: hf.NystromformerConfig(**SMALL, num_landmarks=64, segment_means_seq_len=64))
text("convbert", hf.ConvBertModel, lambda: hf.ConvBertConfig(**SMALL, embedding_size=64))
text("fnet", hf.FNetModel, lambda: hf.FNetConfig(vocab_size=200, hidden_size=64, num_hidden_layers=2, intermediate_size=128), mask=False)
text("t5_encoder", hf.T5EncoderModel, lambda: hf.T5Config(d_model=64, d_kv=16, d_ff=128, num_layers=2, num_heads=4, vocab_size=200))
NO_CACHE = dict(use_cache=False)
text("gpt2", hf.GPT2LMHeadModel, lambda: hf.GPT2Config(n_embd=64, n_layer=2, n_head=4, vocab_size=200, **NO_CACHE))
text("gpt_neo", hf.GPTNeoModel, lambda: hf.GPTNeoConfig(hidden_size=64, num_layers=2, num_heads=4, vocab_size=200, attention_types=[[["global", "local"], 1]], **NO_CACHE))
text("gpt_neox", hf.GPTNeoXModel, lambda: hf.GPTNeoXConfig(**SMALL, **NO_CACHE))
text("opt", hf.OPTModel, lambda: hf.OPTConfig(hidden_size=64, num_hidden_layers=2, num_attention_heads=4, ffn_dim=128, vocab_size=200, word_embed_proj_dim=64, **NO_CACHE))
text("bloom", hf.BloomModel, lambda: hf.BloomConfig(hidden_size=64, n_layer=2, n_head=4, vocab_size=200, **NO_CACHE))
text("llama", hf.LlamaForCausalLM, lambda: hf.LlamaConfig(**SMALL, num_key_value_heads=2, **NO_CACHE))
text("mistral", hf.MistralModel, lambda: hf.MistralConfig(**SMALL, num_key_value_heads=2, sliding_window=8, **NO_CACHE))
text("qwen2", hf.Qwen2Model, lambda: hf.Qwen2Config(**SMALL, num_key_value_heads=2, **NO_CACHE))
text("qwen3", hf.Qwen3Model, lambda: hf.Qwen3Config(**SMALL, num_key_value_heads=2, head_dim=16, **NO_CACHE))
text("gemma", hf.GemmaModel, lambda: hf.GemmaConfig(**SMALL, num_key_value_heads=1, head_dim=16, **NO_CACHE))
text("phi", hf.PhiModel, lambda: hf.PhiConfig(**SMALL, **NO_CACHE))
text("stablelm", hf.StableLmModel, lambda: hf.StableLmConfig(**SMALL, num_key_value_heads=2, **NO_CACHE))


def vision(name, model, config, size=64, argument="pixel_values"):
    def build():
        torch.manual_seed(0)
        return model(config()), {argument: torch.randn(2, 3, size, size)}, {argument: {0: "batch"}}

    ZOO[name] = ("transformers", build)


VISION = dict(hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=128, image_size=64, patch_size=16)
vision("hf_vit", hf.ViTModel, lambda: hf.ViTConfig(**VISION))
vision("deit", hf.DeiTModel, lambda: hf.DeiTConfig(**VISION))
vision("beit", hf.BeitModel, lambda: hf.BeitConfig(**VISION))
vision("dinov2", hf.Dinov2Model, lambda: hf.Dinov2Config(**VISION))
vision("hf_swin", hf.SwinModel, lambda: hf.SwinConfig(image_size=64, patch_size=4, embed_dim=32, depths=[2, 2], num_heads=[2, 4], window_size=4))
vision("segformer", hf.SegformerForSemanticSegmentation, lambda: hf.SegformerConfig(hidden_sizes=[16, 32, 48, 64], depths=[1, 1, 1, 1], num_attention_heads=[1, 2, 3, 4], decoder_hidden_size=32, num_labels=5))
vision("hf_convnext", hf.ConvNextModel, lambda: hf.ConvNextConfig(hidden_sizes=[16, 32, 48, 64], depths=[1, 1, 2, 1]))
vision("convnextv2", hf.ConvNextV2Model, lambda: hf.ConvNextV2Config(hidden_sizes=[16, 32, 48, 64], depths=[1, 1, 2, 1]))
vision("hf_resnet", hf.ResNetForImageClassification, lambda: hf.ResNetConfig(hidden_sizes=[32, 64], depths=[1, 1], embedding_size=16, num_labels=7))
vision("mobilevit", hf.MobileViTModel, lambda: hf.MobileViTConfig(image_size=64, hidden_sizes=[32, 48, 64], neck_hidden_sizes=[8, 16, 24, 32, 48, 64, 128]))
vision("poolformer", hf.PoolFormerModel, lambda: hf.PoolFormerConfig(hidden_sizes=[16, 32, 48, 64], depths=[1, 1, 1, 1]))
vision("siglip_vision", hf.SiglipVisionModel, lambda: hf.SiglipVisionConfig(**VISION))
vision("clip_vision", hf.CLIPVisionModel, lambda: hf.CLIPVisionConfig(**VISION))
text("clip_text", hf.CLIPTextModel, lambda: hf.CLIPTextConfig(**SMALL, max_position_embeddings=64, eos_token_id=2, bos_token_id=1, pad_token_id=0))


def audio(name, build):
    ZOO[name] = ("transformers", build)


def whisper_encoder():
    config = hf.WhisperConfig(d_model=64, encoder_layers=2, encoder_attention_heads=4, encoder_ffn_dim=128, decoder_layers=1, decoder_attention_heads=4, decoder_ffn_dim=128, num_mel_bins=16, max_source_positions=50)
    return hf.WhisperModel(config).encoder, {"input_features": torch.randn(2, 16, 100)}, {"input_features": {0: "batch"}}


def speech(model, config):
    def build():
        module = model(config(hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=128, conv_dim=(32, 32), conv_stride=(5, 2), conv_kernel=(10, 3), num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=4))
        return module, {"input_values": torch.randn(2, 800)}, {"input_values": {0: "batch"}}

    return build


audio("whisper_encoder", whisper_encoder)
audio("wav2vec2", speech(hf.Wav2Vec2Model, hf.Wav2Vec2Config))
audio("hubert", speech(hf.HubertModel, hf.HubertConfig))


def ast():
    config = hf.ASTConfig(hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=128, max_length=64, num_mel_bins=32)
    return hf.ASTModel(config), {"input_values": torch.randn(2, 64, 32)}, {"input_values": {0: "batch"}}


audio("audio_spectrogram_transformer", ast)


class Lstm(nn.Module):
    def __init__(self, kind=nn.LSTM):
        super().__init__()
        self.embed, self.rnn = nn.Embedding(100, 24), kind(24, 32, num_layers=2, batch_first=True, bidirectional=True)
        self.head = nn.Linear(64, 5)

    def forward(self, tokens):
        return self.head(self.rnn(self.embed(tokens))[0].mean(1))


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        block = lambda i, o: nn.Sequential(nn.Conv2d(i, o, 3, padding=1), nn.GroupNorm(2, o), nn.SiLU())  # noqa: E731
        self.down, self.middle, self.up = block(3, 8), block(8, 16), nn.ConvTranspose2d(16, 8, 2, stride=2)
        self.last = nn.Conv2d(16, 2, 1)

    def forward(self, image):
        high = self.down(image)
        low = self.middle(nn.functional.max_pool2d(high, 2))
        return self.last(torch.cat([high, self.up(low)], 1))


class Dlrm(nn.Module):
    def __init__(self):
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(50, 16) for _ in range(4))
        self.bottom, self.top = nn.Sequential(nn.Linear(8, 16), nn.ReLU()), nn.Sequential(nn.Linear(26, 8), nn.ReLU(), nn.Linear(8, 1), nn.Sigmoid())

    def forward(self, dense, sparse):
        dense = self.bottom(dense)
        all = torch.stack([dense, *(table(sparse[:, i]) for i, table in enumerate(self.tables))], 1)
        pairs = torch.bmm(all, all.transpose(1, 2))
        row, column = torch.tril_indices(5, 5, offset=-1)
        return self.top(torch.cat([dense, pairs[:, row, column]], 1))


def tokens(module):
    return lambda: (module(), {"tokens": torch.randint(0, 100, (2, 9))}, {"tokens": {0: "batch"}})


ZOO["lstm_classifier"] = ("torch.nn", tokens(Lstm))
ZOO["gru_classifier"] = ("torch.nn", tokens(lambda: Lstm(nn.GRU)))
ZOO["unet"] = ("torch.nn", lambda: (UNet(), {"image": torch.randn(2, 3, 32, 32)}, {"image": {0: "batch"}}))
ZOO["dlrm"] = ("torch.nn", lambda: (Dlrm(), {"dense": torch.randn(2, 8), "sparse": torch.randint(0, 50, (2, 4))}, {"dense": {0: "batch"}, "sparse": {0: "batch"}}))
ZOO["transformer_encoder"] = ("torch.nn", lambda: (nn.TransformerEncoder(nn.TransformerEncoderLayer(32, 4, 64, batch_first=True), 2, enable_nested_tensor=False), {"src": torch.randn(2, 7, 32)}, {"src": {0: "batch"}}))
ZOO["mlp"] = ("torch.nn", lambda: (nn.Sequential(nn.Linear(8, 32), nn.GELU(), nn.LayerNorm(32), nn.Linear(32, 4)), {"input": torch.randn(2, 8)}, {"input": {0: "batch"}}))
