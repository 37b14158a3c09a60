"""torchao's three ops of exported programs (torchao 0.18, quantization/quant_primitives.py), for a Python without torchao."""

import torch

SCHEMAS = (
    "choose_qparams_affine(Tensor? input, str mapping_type, SymInt[] block_size, ScalarType target_dtype, Scalar? quant_min=None, Scalar? quant_max=None,"
    " float? eps=None, ScalarType? scale_dtype=None, ScalarType? zero_point_dtype=None, bool keepdim=False) -> (Tensor, Tensor)",
    "quantize_affine(Tensor input, SymInt[] block_size, Tensor scale, Tensor? zero_point, ScalarType output_dtype, Scalar? quant_min=None, Scalar? quant_max=None) -> Tensor",
    "dequantize_affine(Tensor input, SymInt[] block_size, Tensor scale, Tensor? zero_point, ScalarType input_dtype, Scalar? quant_min=None, Scalar? quant_max=None,"
    " ScalarType output_dtype=6) -> Tensor",
)
_kept = []


def register():
    """`torch.ops.torchao`, with ops of our own where torchao has registered none."""
    if _kept or hasattr(torch.ops.torchao, "quantize_affine"):
        return torch.ops.torchao
    library = torch.library.Library("torchao", "FRAGMENT")
    _kept.append(library)
    for schema in SCHEMAS:
        name = schema[: schema.index("(")]
        library.define(schema)
        library.impl(name, globals()[name], "CompositeExplicitAutograd")
    return torch.ops.torchao


def cut(size, block):
    """The shape that puts blocks into dimensions of their own, that of the scales, and the dimensions inside a block."""
    shape, kept, inside = [], [], []
    for length, part in zip(size, block, strict=True):
        if part == length or part == 1:
            inside += [] if part == 1 else [len(shape)]
            kept.append(length if part == 1 else 1)
            shape.append(length)
        else:
            inside.append(len(shape) + 1)
            shape += [length // part, part]
            kept += [length // part, 1]
    return shape, kept, inside


def quantize_affine(input, block_size, scale, zero_point, output_dtype, quant_min=None, quant_max=None):
    shape, kept, _ = cut(input.shape, block_size)
    rounded = torch.round(input.view(shape) * (1.0 / scale.view(kept)))
    moved = rounded if zero_point is None else rounded + zero_point.view(kept)
    return torch.clamp(moved, quant_min, quant_max).view(input.shape).to(output_dtype)


def dequantize_affine(input, block_size, scale, zero_point, input_dtype, quant_min=None, quant_max=None, output_dtype=torch.float32):
    shape, kept, _ = cut(input.shape, block_size)
    codes = input.view(shape).to(output_dtype, copy=True)
    moved = codes if zero_point is None else codes - zero_point.view(kept).to(output_dtype)
    return (moved * scale.view(kept)).view(input.shape).to(output_dtype)


def choose_qparams_affine(
    input, mapping_type, block_size, target_dtype, quant_min=None, quant_max=None, eps=None, scale_dtype=None, zero_point_dtype=None, keepdim=False
):
    shape, _, inside = cut(input.shape, block_size)
    blocks = input.view(shape)
    low = torch.amin(blocks, dim=inside, keepdim=keepdim)
    high = torch.amax(blocks, dim=inside, keepdim=keepdim)
    low, high = torch.min(low, torch.zeros_like(low)), torch.max(high, torch.zeros_like(high))
    eps = torch.finfo(input.dtype).smallest_normal if eps is None else eps
    if mapping_type == "ASYMMETRIC":
        scale = torch.clamp((high - low) / float(quant_max - quant_min), min=eps)
        zero = torch.clamp(quant_min - torch.round(low / scale), quant_min, quant_max)
    else:
        if mapping_type == "SYMMETRIC":
            scale = torch.max(-low, high) / (float(quant_max - quant_min) / 2)
        else:
            below, above = low / float(quant_min), high / float(quant_max)
            scale = torch.where(below > above, below, above)
        zero = torch.full_like(scale, int((quant_max + quant_min + 1) / 2))
        scale = torch.clamp(scale, min=eps)
    if keepdim:
        counts = [length // part for length, part in zip(input.shape, block_size, strict=True)]
        scale, zero = scale.reshape(counts), zero.reshape(counts)
    return scale.to(scale_dtype or input.dtype), zero.to(zero_point_dtype or torch.int32)
