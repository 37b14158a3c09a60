"""Complex numbers and Fourier transforms inside programs with real inputs, and at their borders."""

import torch
from torch import nn
from torch.export import Dim

from op_modules.case import BATCH, Cases, runs_of

cases = Cases()
POINTS = Dim("points", min=4, max=4096)
ROWS = ({0: BATCH},)
ROWS_AND_POINTS = ({0: BATCH, 1: POINTS},)


def complex_of(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.complex64)


def real_of(z: torch.Tensor) -> torch.Tensor:
    """Parts in a last dimension; PyTorch conjugates lazily and refuses to show that as real."""
    return torch.view_as_real(z.resolve_conj())


def pairs(*shape: int):
    """Two runs of two real tensors: the parts of a complex one."""
    return lambda: [(torch.randn(*shape), torch.randn(*shape)) for _ in range(2)]


@cases.of(runs=runs_of((2, 6, 8), (1, 6, 8), (5, 6, 8)), dynamic=ROWS)
def fnet_mixing(x):
    return torch.fft.fftn(x, dim=(1, 2)).real, torch.fft.fft(torch.fft.fft(x, dim=-1), dim=-2).real


@cases.of(runs=runs_of((2, 6, 8), (1, 7, 8), (3, 13, 8)), dynamic=ROWS_AND_POINTS)
def fnet_mixing_dynamic(x):
    return torch.fft.fftn(x, dim=(1, 2)).real


@cases.of(runs=runs_of((2, 16), (1, 7), (3, 12), (2, 31), (1, 97)), dynamic=ROWS_AND_POINTS)
def dynamic_lengths(x):
    s = torch.fft.rfft(x, norm="ortho")
    whole = torch.fft.fft(x)
    return (
        s.abs(),
        real_of(whole),
        torch.fft.ifft(whole * 0.5, norm="forward").real,
        torch.fft.irfft(s, n=x.shape[1], norm="ortho"),
        torch.fft.irfft(s),
        real_of(torch.fft.ifft(x)),
        real_of(torch.fft.ihfft(x)),
        torch.fft.hfft(s),
        torch.fft.fft(x[0]).real,
    )


@cases.of(runs=runs_of((2, 1200), (1, 1200)), dynamic=ROWS)
def long_lengths(x):
    s = torch.fft.rfft(x)
    return s.abs() / 30, torch.fft.irfft(s), torch.fft.ifft(torch.fft.fft(x)).real, torch.fft.irfft(s, n=1201)


def _every_length(x):
    results = []
    for n in (1, 2, 3, 5, 8, 15, 16, 17):
        for norm in ("backward", "forward", "ortho"):
            s = torch.fft.rfft(x, n=n, norm=norm)
            results += [real_of(s), torch.fft.irfft(s, n=n, norm=norm), real_of(torch.fft.ifft(s, n=n, norm=norm))]
            results += [torch.fft.hfft(s, n=n, norm=norm), real_of(torch.fft.ihfft(x, n=n, norm=norm))]
    return tuple(results)


@cases.of((2, 9))
def every_length(x):
    return _every_length(x)


@cases.of((3, 4, 5, 6))
def several_axes(x):
    z = torch.fft.fftn(x, s=(5, 4), dim=(1, -2), norm="ortho")
    return (
        z.real,
        z.imag,
        torch.fft.ifftn(z, dim=(0, 2)).real,
        torch.fft.fft2(z).imag,
        torch.fft.ifft2(z, s=(3, 7)).real,
        torch.fft.irfft2(torch.fft.rfft2(x), s=(5, 6)),
        torch.fft.irfftn(torch.fft.rfftn(x, dim=(0, 1, 3)), s=(3, 4, 6), dim=(0, 1, 3)),
        torch.fft.hfft2(z, s=(4, 5)),
        torch.fft.hfftn(z, dim=(1, 2)),
        real_of(torch.fft.ihfft2(x)),
        real_of(torch.fft.ihfftn(x, dim=(1, 0))),
        torch.fft.fftshift(z, dim=(1, 2)).real,
        torch.fft.ifftshift(z).imag,
        torch.fft.irfft(x, dim=1),
        torch.fft.fft(x, dim=0).abs(),
    )


@cases.of(runs=runs_of((2, 5, 4, 8), (1, 5, 4, 8)), dynamic=ROWS)
class Rotary(nn.Module):
    """Rotary position embedding as Llama's own code has it."""

    def __init__(self):
        super().__init__()
        angles = torch.outer(torch.arange(5).float(), 1.0 / 10000 ** (torch.arange(0, 8, 2) / 8))
        self.register_buffer("freqs_cis", torch.polar(torch.ones_like(angles), angles))

    def forward(self, x):
        z = torch.view_as_complex(x.float().reshape(*x.shape[:-1], -1, 2))
        turned = z * self.freqs_cis.view(1, 5, 1, 4)
        return real_of(turned).flatten(3).type_as(x)


@cases.of(runs=runs_of((2, 5, 8), (3, 9, 8), (1, 4, 8)), dynamic=ROWS_AND_POINTS)
def rotary_dynamic(x):
    angles = torch.outer(torch.arange(x.shape[1]).float(), 1.0 / 10000 ** (torch.arange(0, 8, 2) / 8))
    freqs = torch.polar(torch.ones_like(angles), angles)
    z = torch.view_as_complex(x.reshape(x.shape[0], x.shape[1], 4, 2))
    return real_of(z * freqs[None]).flatten(2)


@cases.of(runs=runs_of((2, 3, 16), (1, 3, 16), (5, 3, 16)), dynamic=ROWS)
class SpectralConvolution(nn.Module):
    """One layer of a Fourier neural operator."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, 4, 5, dtype=torch.complex64) / 3)

    def forward(self, x):
        spectrum = torch.fft.rfft(x)
        mixed = torch.zeros(x.shape[0], 4, spectrum.shape[-1], dtype=torch.complex64)
        mixed[:, :, :5] = torch.einsum("bix,iox->box", spectrum[:, :, :5], self.weight)
        return torch.fft.irfft(mixed, n=x.shape[-1])


@cases.of(runs=runs_of((2, 64), (1, 64), (3, 64)), dynamic=ROWS)
class ShortTime(nn.Module):
    """Spectra of frames and back, with a window and without."""

    def __init__(self):
        super().__init__()
        self.register_buffer("window", torch.hann_window(16))

    def forward(self, x):
        s = torch.stft(x, 16, 4, window=self.window, return_complex=True)
        short = torch.stft(x, 16, 5, win_length=12, window=self.window[:12] + 0.1, return_complex=True, center=False, normalized=True)
        full = torch.stft(x, 14, onesided=False, window=torch.ones(14), return_complex=True)
        one = torch.stft(x[0], 16, 4, window=self.window, return_complex=True)
        return (
            s.abs(),
            torch.istft(s * 2, 16, 4, window=self.window),
            torch.istft(s, 16, 4, window=self.window, length=60),
            short.real,
            torch.istft(torch.stft(x, 16, 6, window=self.window + 0.1, center=False, normalized=True, return_complex=True), 16, 6, window=self.window + 0.1, center=False, normalized=True),
            full.imag,
            torch.istft(full, 14, onesided=False, window=torch.ones(14)),
            one.real,
            torch.istft(one, 16, 4, window=self.window),
        )


@cases.of(runs=runs_of((2, 100), (1, 173), (3, 256)), dynamic=({0: BATCH, 1: Dim("samples", min=64, max=100000)},))
def spectrogram(x):
    window = torch.hann_window(32) + torch.hamming_window(32) + torch.hann_window(32, periodic=False) + torch.hamming_window(32, periodic=False)
    s = torch.stft(x, 32, 8, window=window, return_complex=True)
    return s.abs() ** 2, torch.log1p(s.real**2 + s.imag**2)


@cases.of(runs=pairs(3, 4))
def arithmetic(a, b):
    z, w = torch.complex(a, b), torch.polar(b.abs() + 0.5, a)
    results = [
        z + w, z - w, z * w, z / w, z + a, b - z, z * b, a * z, z / (b.abs() + 0.5), a / w, z + 1.5, 2 - z, z * 2, z / 4, 1 / w,
        z * (1 + 2j), z + 1j, z - (0.5 - 1j), z / (1 - 1j), z * 2j, torch.add(z, w, alpha=3), torch.sub(z, b, alpha=2),
        -z, z.conj(), z.conj() * w, torch.conj_physical(z), z.conj().resolve_conj(), torch.reciprocal(w), torch.square(z), z**2,
        torch.exp(z), torch.log(w), torch.sgn(z), z.to(torch.complex128), z.detach().clone(), torch.rsub(z, 3), a + 2j, a * 1j, torch.positive(z),
    ]  # fmt: skip
    return tuple(real_of(r) for r in results)


@cases.of(runs=pairs(3, 4))
def real_from_complex(a, b):
    z = torch.complex(a, b)
    zero = torch.zeros_like(z)
    return (
        z.abs(), z.angle(), z.real, z.imag, z == z, z != z.conj(), z == 1, z != 1, torch.isreal(z), torch.isreal(z * zero),
        torch.complex(a, torch.zeros_like(b)).angle(), z.sum().abs(), z.mean(1).abs(), torch.sgn(zero).abs(), zero.angle(),
    )  # fmt: skip


@cases.of(runs=pairs(2, 3, 4))
def shapes(a, b):
    z = torch.complex(a, b)
    mask, zeros = a > 0, torch.zeros_like(z)
    zeros[:, 1:2] = z[:, :1]
    zeros[0] = 1 + 1j
    indexed = torch.zeros(4, 4, dtype=torch.complex64).index_put((torch.tensor([1, 3]),), z[:, 0])
    first, second = z.split(2, -1)
    results = [
        z.view(6, 4), z.reshape(-1, 2), z.flatten(1), z.unflatten(-1, (2, 2)), z.permute(2, 0, 1), z.transpose(-1, -2), z[0].t(), z.mT,
        z.movedim(-1, 0), z.movedim((0, 1), (1, 2)), z.swapaxes(0, -1), z.unsqueeze(-1), z.unsqueeze(-1).squeeze(-1), z[:1].squeeze(), z[:, :1].squeeze((1,)),
        z[..., :1].expand(2, 3, 5), z[:1].expand_as(z), torch.broadcast_to(z[:, :1], (2, 3, 4)), z.repeat(1, 2, 1), z.tile((2,)), z.select(-1, 2), z[..., 1:3], z[..., ::2],
        z.narrow(-1, 1, 2), first, second, *z.chunk(2, -1), *z.unbind(1), *z.split([1, 2], 1), z.index_select(-1, torch.tensor([3, 0])), z[:, torch.tensor([2, 0])],
        z.gather(-1, torch.zeros(2, 3, 2, dtype=torch.int64)), z.flip(-1), z.roll(1, -1), z.unfold(-1, 2, 1), z.diagonal(0, -2, -1), z.tril(), z.triu(),
        torch.cat([z, z.conj()], -1), torch.stack([z, z * 2], -1), torch.cat([z, a], 1), torch.where(mask, z, z * 2), torch.where(mask, z, 0), torch.where(mask, z, b),
        z.masked_fill(mask, 2.0), torch.nn.functional.pad(z, (1, 2)), torch.nn.functional.pad(z, (1, 0), value=3.0), zeros, indexed,
        z.sum(), z.sum(-1), z.sum((0, 2), keepdim=True), z.mean(), z.mean(-1), z.cumsum(-1), torch.full_like(z, 2 - 1j), z.new_zeros(2, 2) + z[0, :2, :2], z.new_full((2,), 1j),
        torch.full((2,), 1 + 2j, dtype=torch.complex64), z.transpose(0, 1).contiguous(), z.view_as(z), z.reshape_as(z.view(6, 4)), z.numpy_T if hasattr(z, "numpy_T") else z[0].T, z.clone().fill_(2.0), z.clone().zero_(), torch.alias_copy(z),
        z.resolve_neg(), torch.zeros(2, dtype=torch.complex64) + 1,
    ]  # fmt: skip
    return tuple(real_of(r) for r in results)


@cases.of(runs=pairs(2, 3, 3))
def products(a, b):
    z = torch.complex(a, b)
    v = z[0, 0]
    results = [
        z @ z, z @ v, torch.bmm(z, z.conj()), torch.mm(z[0], z[1]), torch.mv(z[0], v), torch.dot(v, v.conj()), torch.matmul(z, a.to(z.dtype)),
        torch.einsum("bij,bjk->bik", z, z), torch.einsum("bij->bji", z), torch.einsum("bij,bij->b", z, z.conj()),
        torch.nn.functional.linear(z, z[0]), torch.nn.functional.linear(z, z[0], v), torch.addmm(z[1], z[0], z[1], beta=2, alpha=0.5),
        torch.baddbmm(z, z, z.conj(), alpha=2), torch.einsum("bij,jk->bik", z, a[0].to(z.dtype)),
    ]  # fmt: skip
    return tuple(real_of(r) for r in results)


@cases.of(runs=lambda: [(complex_of(2, 4), torch.randn(2, 4)), (complex_of(5, 4), torch.randn(5, 4))], dynamic=({0: BATCH}, {0: BATCH}))
def complex_borders(z, x):
    return z * x, torch.fft.fft(x), z.abs(), torch.fft.irfft(z)


@cases.of((3, 4))
def complex_dtypes(x):
    z = x.to(torch.complex64)
    return z, x.to(torch.complex32), x.chalf(), x.cdouble(), z.to(torch.complex32).to(torch.complex64), x.double() * z, (z * (1 + 0j)).real.to(torch.int64), z.type_as(x.cdouble())


@cases.of(runs=lambda: [(torch.ones(2, 6),), (-torch.ones(2, 6),)])
class InsideABranch(nn.Module):
    def forward(self, x):
        return torch.cond(x.sum() > 0, lambda v: torch.fft.rfft(v).abs() + 1, lambda v: torch.fft.rfft(v).abs() - 1, (x,))


@cases.of((2, 8))
def refused_sine(x):
    """Stays refused: there is no sine of a complex number."""
    return torch.fft.fft(x).sin().abs()
