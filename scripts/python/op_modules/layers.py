"""Layers of torch.nn in the options that models use, as one module each."""

import torch
import torch.nn.functional as F
from torch import nn

from op_modules.case import BATCH, Cases, ints, runs_of

cases = Cases()


def layer(name: str, make, *shape: int, dynamic: bool = False) -> None:
    class Layer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = make()
            for buffer in ("running_mean", "running_var"):
                if getattr(self.layer, buffer, None) is not None:
                    getattr(self.layer, buffer).uniform_(0.5, 2)

        def forward(self, x):
            return self.layer(x)

    Layer.__name__ = name
    runs = runs_of(shape, (1, *shape[1:]), (5, *shape[1:])) if dynamic else runs_of(shape)
    cases.of(runs=runs, dynamic=({0: BATCH},) if dynamic else None)(Layer)


IMAGE = (2, 4, 9, 9)

layer("conv2d", lambda: nn.Conv2d(4, 6, 3), *IMAGE, dynamic=True)
layer("conv2d_stride_padding", lambda: nn.Conv2d(4, 6, 3, stride=2, padding=1, bias=False), *IMAGE)
layer("conv2d_same", lambda: nn.Conv2d(4, 6, 3, padding="same"), *IMAGE)
layer("conv2d_same_even", lambda: nn.Conv2d(4, 6, 4, padding="same", dilation=2), *IMAGE)
layer("conv2d_valid", lambda: nn.Conv2d(4, 6, (3, 2), padding="valid"), *IMAGE)
layer("conv2d_groups", lambda: nn.Conv2d(4, 8, 3, groups=2, dilation=2), *IMAGE)
layer("conv2d_depthwise", lambda: nn.Conv2d(4, 4, 3, groups=4, padding=1), *IMAGE)
layer("conv2d_circular", lambda: nn.Conv2d(4, 6, 3, padding=1, padding_mode="circular"), *IMAGE)
layer("conv2d_reflect", lambda: nn.Conv2d(4, 6, 3, padding=(2, 1), padding_mode="reflect"), *IMAGE)
layer("conv2d_replicate", lambda: nn.Conv2d(4, 6, 3, padding=1, padding_mode="replicate"), *IMAGE)
layer("conv2d_unbatched", lambda: nn.Conv2d(4, 6, 3), 4, 9, 9)
layer("conv1d", lambda: nn.Conv1d(4, 6, 3, stride=2, padding=1), 2, 4, 9, dynamic=True)
layer("conv3d", lambda: nn.Conv3d(2, 3, (1, 3, 3), padding=(0, 1, 1)), 2, 2, 3, 5, 5)
layer("conv_transpose2d", lambda: nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1), *IMAGE)
layer("conv_transpose2d_groups", lambda: nn.ConvTranspose2d(4, 6, 2, stride=2, groups=2, bias=False), *IMAGE)
layer("conv_transpose1d", lambda: nn.ConvTranspose1d(4, 6, 4, stride=2, padding=1, dilation=2), 2, 4, 9)
layer("conv_transpose3d", lambda: nn.ConvTranspose3d(2, 3, 2, stride=2), 1, 2, 3, 3, 3)

layer("max_pool2d", lambda: nn.MaxPool2d(2), *IMAGE)
layer("max_pool2d_ceil", lambda: nn.MaxPool2d(3, stride=2, padding=1, ceil_mode=True), *IMAGE)
layer("max_pool2d_ceil_even", lambda: nn.MaxPool2d(2, stride=2, padding=1, ceil_mode=True), 2, 4, 8, 8)
layer("max_pool2d_dilated", lambda: nn.MaxPool2d(2, stride=1, dilation=2), *IMAGE)
layer("max_pool2d_indices", lambda: nn.MaxPool2d(2, return_indices=True), 2, 3, 8, 8)
layer("max_pool1d", lambda: nn.MaxPool1d(3, 2, 1), 2, 4, 9)
layer("max_pool3d", lambda: nn.MaxPool3d(2), 1, 2, 4, 4, 4)
layer("avg_pool2d", lambda: nn.AvgPool2d(3, 2, 1), *IMAGE)
layer("avg_pool2d_ceil", lambda: nn.AvgPool2d(2, 2, 1, ceil_mode=True), *IMAGE)
layer("avg_pool2d_ceil_large", lambda: nn.AvgPool2d(3, 2, 1, ceil_mode=True), 2, 4, 8, 8)
layer("avg_pool2d_exclude_pad", lambda: nn.AvgPool2d(3, 2, 1, count_include_pad=False), *IMAGE)
layer("avg_pool2d_exclude_pad_ceil", lambda: nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False), 2, 4, 8, 8)
layer("avg_pool2d_divisor", lambda: nn.AvgPool2d(2, divisor_override=3), *IMAGE)
layer("avg_pool1d", lambda: nn.AvgPool1d(3, 2), 2, 4, 9)
layer("avg_pool3d", lambda: nn.AvgPool3d(2), 1, 2, 4, 4, 4)
layer("lp_pool2d", lambda: nn.LPPool2d(2, 3, 2), *IMAGE)
layer("adaptive_avg_one", lambda: nn.AdaptiveAvgPool2d(1), *IMAGE, dynamic=True)
layer("adaptive_avg_even", lambda: nn.AdaptiveAvgPool2d((3, 9)), *IMAGE)
layer("adaptive_avg_uneven", lambda: nn.AdaptiveAvgPool2d((4, 7)), *IMAGE)
layer("adaptive_avg_grow", lambda: nn.AdaptiveAvgPool2d(7), 2, 4, 2, 3)
layer("adaptive_avg_none", lambda: nn.AdaptiveAvgPool2d((None, 1)), *IMAGE)
layer("adaptive_avg1d_uneven", lambda: nn.AdaptiveAvgPool1d(4), 2, 4, 9)
layer("adaptive_max_one", lambda: nn.AdaptiveMaxPool2d(1), *IMAGE)
layer("adaptive_max_uneven", lambda: nn.AdaptiveMaxPool2d((4, 2)), *IMAGE)

layer("batch_norm2d", lambda: nn.BatchNorm2d(4), *IMAGE, dynamic=True)
layer("batch_norm2d_no_affine", lambda: nn.BatchNorm2d(4, affine=False, eps=0.1), *IMAGE)
layer("batch_norm2d_no_stats", lambda: nn.BatchNorm2d(4, track_running_stats=False), *IMAGE)
layer("batch_norm1d", lambda: nn.BatchNorm1d(4), 3, 4)
layer("batch_norm1d_sequence", lambda: nn.BatchNorm1d(4), 3, 4, 5)
layer("batch_norm3d", lambda: nn.BatchNorm3d(2), 2, 2, 3, 3, 3)
layer("instance_norm2d", lambda: nn.InstanceNorm2d(4), *IMAGE)
layer("instance_norm2d_affine_stats", lambda: nn.InstanceNorm2d(4, affine=True, track_running_stats=True), *IMAGE)
layer("group_norm", lambda: nn.GroupNorm(2, 4), *IMAGE, dynamic=True)
layer("group_norm_one", lambda: nn.GroupNorm(1, 4, affine=False), 2, 4, 7)
layer("layer_norm", lambda: nn.LayerNorm(9), *IMAGE, dynamic=True)
layer("layer_norm_three", lambda: nn.LayerNorm((4, 9, 9)), *IMAGE)
layer("layer_norm_no_affine", lambda: nn.LayerNorm(9, elementwise_affine=False), *IMAGE)
layer("layer_norm_no_bias", lambda: nn.LayerNorm(9, bias=False), *IMAGE)
layer("rms_norm", lambda: nn.RMSNorm(9), *IMAGE)
layer("rms_norm_eps", lambda: nn.RMSNorm((9, 9), eps=0.1, elementwise_affine=False), *IMAGE)
layer("local_response_norm", lambda: nn.LocalResponseNorm(2), *IMAGE)

for _name, _activation in {
    "gelu": nn.GELU(),
    "gelu_tanh": nn.GELU(approximate="tanh"),
    "silu": nn.SiLU(),
    "mish": nn.Mish(),
    "hardswish": nn.Hardswish(),
    "hardsigmoid": nn.Hardsigmoid(),
    "hardtanh": nn.Hardtanh(-2, 2),
    "relu6": nn.ReLU6(),
    "elu": nn.ELU(0.5),
    "celu": nn.CELU(0.5),
    "selu": nn.SELU(),
    "leaky_relu": nn.LeakyReLU(0.2),
    "prelu_one": nn.PReLU(),
    "prelu_channels": nn.PReLU(4),
    "rrelu_eval": nn.RReLU(),
    "softplus": nn.Softplus(2, 5),
    "softsign": nn.Softsign(),
    "tanhshrink": nn.Tanhshrink(),
    "softshrink": nn.Softshrink(0.3),
    "hardshrink": nn.Hardshrink(0.3),
    "logsigmoid": nn.LogSigmoid(),
    "glu": nn.GLU(1),
    "softmax": nn.Softmax(1),
    "softmax2d": nn.Softmax2d(),
    "log_softmax": nn.LogSoftmax(-1),
    "softmin": nn.Softmin(-1),
    "threshold": nn.Threshold(0.1, -1),
    "dropout": nn.Dropout(),
    "dropout2d": nn.Dropout2d(),
    "alpha_dropout": nn.AlphaDropout(),
    "pixel_shuffle": nn.PixelShuffle(2),
    "channel_shuffle": nn.ChannelShuffle(2),
    "zero_pad": nn.ZeroPad2d((1, 2, 0, 3)),
    "reflection_pad": nn.ReflectionPad2d((1, 2, 3, 1)),
    "replication_pad": nn.ReplicationPad2d(2),
    "circular_pad": nn.CircularPad2d((1, 2, 0, 1)),
    "constant_pad_negative": nn.ConstantPad2d((-1, 2, -2, 0), 3.5),
    "upsample_nearest": nn.Upsample(scale_factor=2),
    "upsample_nearest_odd": nn.Upsample(scale_factor=1.7),
    "upsample_nearest_size": nn.Upsample(size=(5, 13)),
    "upsample_bilinear": nn.Upsample(scale_factor=2, mode="bilinear"),
    "upsample_bilinear_odd": nn.Upsample(scale_factor=1.7, mode="bilinear"),
    "upsample_bilinear_size": nn.Upsample(size=(5, 13), mode="bilinear"),
    "upsample_bilinear_corners": nn.Upsample(size=(5, 13), mode="bilinear", align_corners=True),
    "upsample_bicubic": nn.Upsample(size=(13, 11), mode="bicubic"),
    "upsample_bicubic_corners": nn.Upsample(scale_factor=1.5, mode="bicubic", align_corners=True),
    "upsample_exact": nn.Upsample(size=(5, 13), mode="nearest-exact"),
    "unfold": nn.Unfold(3, padding=1, stride=2),
    "flatten": nn.Flatten(2),
    "unflatten": nn.Unflatten(1, (2, 2)),
    "identity": nn.Identity(),
}.items():
    layer(_name, lambda made=_activation: made, *IMAGE)

layer("pixel_unshuffle", lambda: nn.PixelUnshuffle(2), 2, 3, 4, 6)
layer("upsample_linear", lambda: nn.Upsample(size=13, mode="linear"), 2, 4, 9)
layer("upsample_trilinear", lambda: nn.Upsample(scale_factor=2, mode="trilinear"), 1, 2, 3, 3, 3)
layer("upsample_nearest3d", lambda: nn.Upsample(scale_factor=2), 1, 2, 3, 3, 3)
layer("fold", lambda: nn.Fold((4, 5), (2, 2)), 1, 8, 12)
layer("linear", lambda: nn.Linear(9, 5), *IMAGE, dynamic=True)
layer("linear_no_bias", lambda: nn.Linear(9, 5, bias=False), 2, 9)
layer("linear_vector", lambda: nn.Linear(9, 5), 9)


@cases.of((2, 3), (2, 4))
class Bilinear(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Bilinear(3, 4, 5)

    def forward(self, x, y):
        return self.layer(x, y)


@cases.of(runs=lambda: [(ints(2, 5),), (ints(3, 5),)], dynamic=({0: BATCH},))
class Embedding(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.plain, self.padded = nn.Embedding(10, 4), nn.Embedding(10, 4, padding_idx=0)

    def forward(self, ids):
        return self.plain(ids) + self.padded(ids.to(torch.int32))


def bag(mode: str, **options) -> type:
    class Bag(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.EmbeddingBag(10, 4, mode=mode, **options)

        def forward(self, ids, offsets):
            return self.layer(ids, offsets)

    Bag.__name__ = f"embedding_bag_{mode}{'_' + '_'.join(options) if options else ''}"
    return Bag


for _mode in ("sum", "mean", "max"):
    cases.of(torch.tensor([1, 2, 4, 5, 4, 3, 2, 9]), torch.tensor([0, 3, 3, 6]))(bag(_mode))
cases.of(torch.tensor([1, 2, 4, 5, 4, 3, 2, 9]), torch.tensor([0, 3, 8]))(bag("sum", include_last_offset=True))
cases.of(torch.tensor([1, 2, 4, 5, 4, 3, 2, 9]), torch.tensor([0, 3]))(bag("mean", padding_idx=4))


@cases.of(runs=lambda: [(ints(3, 4),)])
class EmbeddingBagMatrix(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.mean = nn.EmbeddingBag(10, 4)
        self.sum = nn.EmbeddingBag(10, 4, mode="sum")

    def forward(self, ids):
        return self.mean(ids), self.sum(ids, per_sample_weights=ids.float() / 10)


@cases.of((2, 3, 6, 6), torch.rand(2, 4, 5, 2) * 2.4 - 1.2)
def grid_samples(x, grid):
    return [
        F.grid_sample(x, grid, mode=mode, padding_mode=padding, align_corners=corners)
        for mode in ("bilinear", "nearest", "bicubic")
        for padding in ("zeros", "border", "reflection")
        for corners in (False, True)
    ]


@cases.of((2, 2, 3))
def affine_grids(theta):
    return F.affine_grid(theta, [2, 3, 4, 5], align_corners=False), F.affine_grid(theta, [2, 3, 4, 5], align_corners=True)


@cases.of((2, 3, 8, 8))
def antialiased(x):
    return (
        F.interpolate(x, size=(5, 5), mode="bilinear", antialias=True),
        F.interpolate(x, size=(5, 5), mode="bicubic", antialias=True),
        F.interpolate(x, size=(4, 4), mode="area"),
        F.interpolate(x, scale_factor=0.5, mode="bilinear"),
        F.interpolate(x, scale_factor=0.6, mode="nearest", recompute_scale_factor=True),
    )


@cases.of((4, 5), torch.tensor([1, 0, 4, 2]))
def losses(x, y):
    return (
        F.cross_entropy(x, y),
        F.nll_loss(x.log_softmax(1), y, reduction="none"),
        F.mse_loss(x, x * 2),
        F.l1_loss(x, x * 2, reduction="sum"),
        F.smooth_l1_loss(x, x * 3),
        F.huber_loss(x, x * 3),
        F.binary_cross_entropy_with_logits(x, x.sigmoid()),
        F.kl_div(x.log_softmax(1), x.softmax(1), reduction="batchmean"),
        F.cosine_similarity(x, x * x),
        F.pairwise_distance(x, x + 1),
    )


@cases.of((2, 3, 4))
def norms(x):
    return (
        F.normalize(x, dim=-1),
        F.normalize(x, p=1, dim=1),
        x.norm(),
        x.norm(dim=-1, keepdim=True),
        x.norm(p=1, dim=1),
        x.norm(p=float("inf"), dim=(1, 2)),
        torch.linalg.vector_norm(x, 3, dim=-1),
        torch.linalg.vector_norm(x, float("-inf")),
        torch.linalg.matrix_norm(x),
        torch.cdist(x, x + 1),
        torch.cdist(x, x * 2, p=1),
    )


@cases.of((2, 3), (3, 4), (4,), (2, 3, 3))
def products(a, b, v, batch):
    return (
        a @ b,
        b @ v,
        v @ v,
        torch.mv(b, v),
        torch.outer(v, v),
        torch.dot(v, v),
        torch.bmm(batch, batch),
        torch.addmm(v, a, b, beta=0.5, alpha=2),
        torch.baddbmm(batch, batch, batch, alpha=0.1),
        torch.einsum("bij,bjk->bik", batch, batch),
        torch.einsum("ij,jk,k->i", a, b, v),
        torch.einsum("bii->bi", batch),
        torch.tensordot(a, batch, dims=([1], [1])),
        torch.kron(a, b),
        torch.linalg.multi_dot([a, b, b.t()]),
        batch.matrix_power(3),
        torch.cross(batch, batch + 1, dim=-1),
        torch.chain_matmul(a, b),
    )
