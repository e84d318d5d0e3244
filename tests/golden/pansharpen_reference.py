"""Every pansharpening score a second time: slow, in float64, and written another way.

Blocks and windows are loops, hypercomplex numbers are multiplied out as quaternions, filters are
dense 2-D sums, half-pixel shifts are zero insertion and the 23-tap filter. Nothing of the package
is imported. `make golden-pansharpen` runs this file: it rebuilds the images beside it from the
shared Landsat 8 scene (public domain) and stores the scores.
"""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import numpy as np
import rasterio
from numpy.lib.stride_tricks import sliding_window_view
from scipy import ndimage

FOLDER = Path(__file__).with_name("pansharpen_oracle")
RATIO = 2
PEAK = 65535
GAIN = 0.3
SHIFTS = ((0.5, -1.0), (0.0, 0.0), (-0.5, 0.5))
"""Where MS content of each band really lies, (dy, dx) in PAN pixels."""

HALF_23 = (0.5, 0.305334091185, 0, -0.072698593239, 0, 0.021809577942)
HALF_23 = (*HALF_23, 0, -0.005192756653, 0, 0.000807762146, 0, -0.000060081482)
TAPS_23 = 2 * np.array((*HALF_23[:0:-1], *HALF_23))


def ergas(f, g, ratio):
    total = sum(np.mean((a - b) ** 2) / np.mean(b) ** 2 for a, b in zip(f, g, strict=True))
    return 100 / ratio * math.sqrt(total / len(g))


def sam(f, g):
    angles = [
        math.acos(min(1.0, math.fsum(a * b) / math.sqrt(math.fsum(a * a) * math.fsum(b * b))))
        for a, b in zip(f.reshape(len(f), -1).T, g.reshape(len(g), -1).T, strict=True)
    ]
    return math.degrees(math.fsum(angles) / len(angles))


def hamilton(p, q):
    a1, b1, c1, d1 = p
    a2, b2, c2, d2 = q
    return np.array(
        [
            a1 * a2 - b1 * b2 - c1 * c2 - d1 * d2,
            a1 * b2 + b1 * a2 + c1 * d2 - d1 * c2,
            a1 * c2 - b1 * d2 + c1 * a2 + d1 * b2,
            a1 * d2 + b1 * c2 - c1 * b2 + d1 * a2,
        ]
    )


def q4(f, g, margins=None, mode="symmetric", block=32):
    """Q4 of three or four bands with blocks completed by mirroring, or after given margins."""
    if margins is not None:
        f, g = (np.pad(x, ((0, 0), *margins), mode=mode) for x in (f, g))
    missing = ((0, 0), (0, -g.shape[1] % block), (0, -g.shape[2] % block))
    f, g = (np.pad(x, missing, mode="symmetric") for x in (f, g))
    n = block * block
    scores = []
    for row in range(0, g.shape[1], block):
        for col in range(0, g.shape[2], block):
            z, w = np.ones((4, n)), np.ones((4, n))
            for band in range(len(g)):
                y = g[band, row : row + block, col : col + block].ravel()
                x = f[band, row : row + block, col : col + block].ravel()
                z[band] = (y - y.mean()) / y.std(ddof=1) + 1
                w[band] = (x - y.mean()) / y.std(ddof=1) + 1
            w[1:] *= -1
            mz, mw = z.mean(axis=1), w.mean(axis=1)
            covariance = n / (n - 1) * (hamilton(z, w).mean(axis=1) - hamilton(mz, mw))
            nz, nw = np.linalg.norm(mz), np.linalg.norm(mw)
            power = (z**2).sum(axis=0).mean() + (w**2).sum(axis=0).mean()
            variance = n / (n - 1) * (power - nz**2 - nw**2)
            bias = 2 * nz * nw / (nz**2 + nw**2)
            scores.append(2 * np.linalg.norm(covariance) / variance * bias)
    return np.mean(scores)


def q4_padded(f, g):
    margins = []
    for side in g.shape[1:]:
        extra = 2 ** math.ceil(math.log2(side)) - side
        margins.append((math.floor(extra / 2), math.ceil(extra / 2)))
    return q4(f, g, margins, mode="edge")


def uqi(x, y, block=32):
    scores = []
    for row in range(0, y.shape[0], block):
        for col in range(0, y.shape[1], block):
            a = x[row : row + block, col : col + block].ravel()
            b = y[row : row + block, col : col + block].ravel()
            c = np.cov(a, b)
            means = a.mean(), b.mean()
            contrast = 2 * c[0, 1] / (c[0, 0] + c[1, 1])
            scores.append(contrast * 2 * means[0] * means[1] / (means[0] ** 2 + means[1] ** 2))
    return np.mean(scores)


def scc(f, g):
    def edges(image):
        pairs = [
            [ndimage.sobel(band[1:-1, 1:-1], axis, mode="constant") for axis in (0, 1)]
            for band in image  # on all bands at once scipy would smooth across them too
        ]
        return np.concatenate([np.hypot(*pair).ravel() for pair in pairs])

    x, y = edges(f), edges(g)
    return x @ y / math.sqrt((x @ x) * (y @ y))


def ssim(f, g, peak):
    values = []
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    for a, b in zip(f, g, strict=True):
        x = sliding_window_view(a, (7, 7)).reshape(-1, 49)
        y = sliding_window_view(b, (7, 7)).reshape(-1, 49)
        mx, my = x.mean(axis=1), y.mean(axis=1)
        vx, vy = x.var(axis=1, ddof=1), y.var(axis=1, ddof=1)
        cxy = ((x - mx[:, None]) * (y - my[:, None])).sum(axis=1) / 48
        values.append(
            np.mean((2 * mx * my + c1) * (2 * cxy + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2)))
        )
    return np.mean(values)


def reduced(f, g):
    mse = np.mean((f - g) ** 2)
    return {
        "ergas": ergas(f, g, RATIO),
        "sam": sam(f, g),
        "q2n": q4(f, g),
        "q2n_padded": q4_padded(f, g),
        "q": np.mean([uqi(a, b) for a, b in zip(f, g, strict=True)]),
        "scc": scc(f, g),
        "psnr": 10 * math.log10(PEAK**2 / mse),
        "ssim": ssim(f, g, PEAK),
        "rmse": math.sqrt(mse),
    }


def low_pass(image):
    """Dense 41×41 filter, edge repeated; the Kaiser window runs along rows only."""
    steps = np.arange(41) - 20
    sigma = 20 / RATIO / math.sqrt(-2 * math.log(GAIN))
    gauss = np.exp(-0.5 * (steps[:, None] ** 2 + steps[None] ** 2) / sigma**2)
    taps = np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(gauss)).real) * np.kaiser(41, 0.5)
    taps /= taps.sum()
    return np.stack([ndimage.correlate(band, taps, mode="nearest") for band in image])


def half_pixels(band):
    """The band on a grid twice as fine: zeros between samples, 23 taps, zeros outside."""
    fine = np.zeros((2 * band.shape[0], 2 * band.shape[1]))
    fine[::2, ::2] = band
    fine = ndimage.convolve1d(fine, TAPS_23, axis=0, mode="constant")
    return ndimage.convolve1d(fine, TAPS_23, axis=1, mode="constant")


def observed(fused):
    samples = []
    for band, (dy, dx) in zip(low_pass(fused), SHIFTS, strict=True):
        rows = np.round(2 * (np.arange(1, band.shape[0], RATIO) + dy)).astype(int)
        cols = np.round(2 * (np.arange(1, band.shape[1], RATIO) + dx)).astype(int)
        samples.append(half_pixels(band)[np.ix_(rows, cols)])
    return np.stack(samples)


def enlarge(ms):
    fine = np.zeros((len(ms), RATIO * ms.shape[1], RATIO * ms.shape[2]))
    fine[:, 1::2, 1::2] = ms
    fine = ndimage.convolve1d(fine, TAPS_23, axis=1, mode="wrap")
    return ndimage.convolve1d(fine, TAPS_23, axis=2, mode="wrap")


def shrink(pan):
    """MATLAB's imresize(pan, 1/2): Keys' cubic twice as wide, mirrored, sample by sample."""

    def keys(t):
        t = abs(t)
        if t <= 1:
            return 1.5 * t**3 - 2.5 * t**2 + 1
        return -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2 if t <= 2 else 0.0

    def axis(index, length):
        centre = RATIO * index + (RATIO - 1) / 2
        weights = np.zeros(length)
        for j in range(-8, length + 8):
            inside = j if 0 <= j < length else (-1 - j if j < 0 else 2 * length - 1 - j)
            weights[inside] += keys((j - centre) / RATIO)
        return weights / weights.sum()

    rows = np.stack([axis(i, pan.shape[0]) for i in range(pan.shape[0] // RATIO)])
    cols = np.stack([axis(i, pan.shape[1]) for i in range(pan.shape[1] // RATIO)])
    return rows @ pan @ cols.T


def d_rho(fused, pan):
    def window_sum(image):
        return sliding_window_view(np.pad(image, (0, 1)), (2, 2)).sum(axis=(2, 3))

    def details(image):
        return image - window_sum(image) / 4

    values = []
    for band in fused:
        x, y = details(band), details(pan)
        top = window_sum(x * y)
        scale = np.sqrt(np.maximum(window_sum(x * x), 1e-20) * np.maximum(window_sum(y * y), 1e-20))
        values.append(np.mean(1 - np.clip(top / scale, -1, 1)))
    return np.mean(values)


def full(fused, pan, ms):
    seen = observed(fused)
    up, low = enlarge(ms), enlarge(shrink(pan)[None])[0]
    spectral = 1 - q4(low_pass(fused), up)
    spatial = np.mean([abs(uqi(f, pan) - uqi(m, low)) for f, m in zip(fused, up, strict=True)])
    pairs = [(0, 1), (0, 2), (1, 2)]
    return {
        "r_ergas": ergas(seen, ms, RATIO),
        "r_sam": sam(seen, ms),
        "r_q2n": q4(seen, ms),
        "d_rho": d_rho(fused, pan),
        "d_lambda_k": spectral,
        "d_s": spatial,
        "hqnr": (1 - spectral) * (1 - spatial),
        "d_lambda": np.mean([abs(uqi(fused[i], fused[j]) - uqi(up[i], up[j])) for i, j in pairs]),
    }


def read(name):
    with rasterio.open(FOLDER / name) as file:
        return file.read().astype(np.float64)


def scores():
    pan, ms, reference = read("pan.tif")[0], read("ms.tif"), read("ref.tif")
    return {
        "reduced": {name: reduced(read(f"reduced_{name}.tif"), reference) for name in METHODS},
        "full": {name: full(read(f"full_{name}.tif"), pan, ms) for name in METHODS},
    }


METHODS = ("ratio", "detail")


def fuse(pan, ms, method):
    """Two plain fusions that fail in different ways: colour ratio, and half of the detail."""
    up = enlarge(ms)
    if method == "ratio":
        return up * pan / np.maximum(up.mean(axis=0), 1)
    return up + 0.5 * (pan - ndimage.gaussian_filter(pan, RATIO))


def write(name, image):
    data = np.rint(np.clip(image, 0, 65535)).astype(np.uint16)
    profile = {"driver": "GTiff", "dtype": "uint16", "compress": "deflate", "predictor": 2}
    count, height, width = data.shape
    path = FOLDER / name
    with rasterio.open(path, "w", count=count, height=height, width=width, **profile) as file:
        file.write(data)


def main():
    scene = Path(os.environ["RESATTN_SHARED"]) / "data" / "pansharpen" / "landsat8_a"
    with rasterio.open(scene / "pan.tif") as file:
        pan = file.read()[0, 200:296, 200:296].astype(np.float64)
    with rasterio.open(scene / "ms.tif") as file:
        ms = file.read()[1:4, 100:148, 100:148].astype(np.float64)
    write("pan.tif", pan[None])
    write("ms.tif", ms)
    write("ref.tif", ms)
    small = np.stack([shrink(band) for band in ms])
    for method in METHODS:
        write(f"full_{method}.tif", fuse(pan, ms, method))
        write(f"reduced_{method}.tif", fuse(shrink(pan), small, method))
    (FOLDER / "scores.json").write_text(json.dumps(scores(), indent=1) + "\n")


if __name__ == "__main__":
    main()
