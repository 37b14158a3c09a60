"""Fits Bessel and Airy functions with polynomials and writes packages/torch/src/lower/pointwise/bessel-fits.ts.

    python scripts/python/fit_special_functions.py

PyTorch's own float64 functions are what is fitted. Far from 0 they are written with a modulus and a phase, whose two parts are smooth.
"""

import math
import pathlib

import numpy as np
import torch

S = torch.special


def places(low: float, high: float, count: int = 4000) -> torch.Tensor:
    """Chebyshev's places: many near both ends."""
    t = torch.cos(torch.pi * (torch.arange(count, dtype=torch.float64) + 0.5) / count)
    return (low + high) / 2 + (high - low) / 2 * t


def fit(t: torch.Tensor, columns: list[torch.Tensor], want: torch.Tensor, degree: int) -> list[list[float]]:
    """The polynomials in t, highest power first, whose products with the columns add up to `want`."""
    powers = np.polynomial.chebyshev.chebvander(t.numpy(), degree)
    matrix = np.concatenate([powers * column.numpy()[:, None] for column in columns], axis=1)
    solution, *_ = np.linalg.lstsq(matrix, want.numpy(), rcond=None)
    print("off by at most", abs(matrix @ solution - want.numpy()).max())
    parts = solution.reshape(len(columns), degree + 1)
    return [np.polynomial.chebyshev.cheb2poly(part)[::-1].tolist() for part in parts]


def one(t, want, degree):
    return fit(t, [torch.ones_like(t)], want, degree)[0]


def oscillating() -> dict[str, object]:
    x = places(1e-3, 8)
    t = x * x / 32 - 1
    far = 8 / places(1e-6, 1)
    u = 2 * (8 / far) ** 2 - 1
    tables: dict[str, object] = {}
    for order, (j, y) in enumerate([(S.bessel_j0, S.bessel_y0), (S.bessel_j1, S.bessel_y1)]):
        odd = x if order else torch.ones_like(x)
        tables[f"j{order}"] = one(t, j(x) / odd, 16)
        log = 2 / math.pi * torch.log(x) * j(x)
        tables[f"y{order}"] = one(t, (y(x) - log + (2 / math.pi / x if order else 0)) / odd, 16)
        phase = far - math.pi * (0.75 if order else 0.25)
        scale = torch.sqrt(math.pi * far / 2)
        cosine = scale * (j(far) * torch.cos(phase) + y(far) * torch.sin(phase))
        sine = scale * (y(far) * torch.cos(phase) - j(far) * torch.sin(phase)) * far / 8
        tables[f"p{order}"], tables[f"q{order}"] = one(u, cosine, 8), one(u, sine, 8)
    return tables


def decaying() -> dict[str, object]:
    x = places(1e-3, 2)
    t = x * x / 2 - 1
    far = 2 / places(1e-4, 1)
    u = 4 / far - 1
    tables: dict[str, object] = {}
    kinds = [(S.modified_bessel_i0, S.modified_bessel_k0, S.scaled_modified_bessel_k0), (S.modified_bessel_i1, S.modified_bessel_k1, S.scaled_modified_bessel_k1)]
    for order, (i, k, scaled) in enumerate(kinds):
        odd = x if order else torch.ones_like(x)
        tables[f"i{order}"] = one(t, i(x) / odd, 10)
        rest = k(x) - torch.log(x) * i(x) if order else k(x) + torch.log(x) * i(x)
        tables[f"k{order}"] = one(t, rest * odd, 10)
        tables[f"far{order}"] = one(u, scaled(far) * torch.sqrt(far), 16)
    return tables


def airy() -> dict[str, object]:
    x = places(-4, 4)
    tables: dict[str, object] = {"airyNear": one(x / 4, S.airy_ai(x), 34)}
    far = 4 / places(0.04, 1)
    zeta = 2 / 3 * far**1.5
    tables["airyRight"] = one(2 * (4 / far) ** 1.5 - 1, S.airy_ai(far) * torch.exp(zeta) * far**0.25, 14)
    far = 4 / places(0.01, 1, 20000)
    zeta = 2 / 3 * far**1.5
    u = 2 * (4 / far) ** 1.5 - 1
    phase = zeta - math.pi / 4
    tables["airyCosine"], tables["airySine"] = fit(u, [torch.cos(phase), torch.sin(phase)], S.airy_ai(-far) * far**0.25, 10)
    return tables


def main() -> None:
    tables = {**oscillating(), **decaying(), **airy()}
    lines = ["// Made by scripts/python/fit_special_functions.py.", "", "/** Polynomials, highest power first; bessel.ts says of what. */", "export const FITS = {"]
    for name, values in tables.items():
        lines.append(f"  {name}: [{', '.join(f'{value:.15g}' for value in values)}],")
    lines.append("} as const;")
    target = pathlib.Path(__file__).parents[2] / "packages/torch/src/lower/pointwise/bessel-fits.ts"
    target.write_text("\n".join(lines) + "\n")


main()
