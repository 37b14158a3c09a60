"""Programs of the ops that quantize: every op, dtype and granularity, asked about values between, at and beyond the codes.

A case is a module with runs. `within` says by how much each result may differ from PyTorch's: one code where QuantizeLinear stands for a
product with the inverse of the scale, nothing elsewhere.
"""

from quantized import affine, fake, per_channel, per_tensor, products, qparams
from quantized.case import Case

FAMILIES: dict[str, dict[str, Case]] = {
    family.__name__.rsplit(".", 1)[-1].replace("_", "-"): family.cases
    for family in (affine, fake, per_channel, per_tensor, products, qparams)
}

__all__ = ["FAMILIES", "Case"]
