"""Two dimensions of many: principal components, read chunk by chunk, and UMAP of them where it is installed.

found = map_page_principal_axes(chunks, 2)      # chunks() yields arrays (rows, D), twice the same
found.points_N2, found.shares
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from cvr_data.core.errors import CvrError

BEFORE_UMAP = 50
"""Components that UMAP gets, as is usual: what is left out is mostly noise, and neighbours are found faster."""


@dataclass(frozen=True)
class Components:
    """Rows along the directions in which they differ most."""

    points_NK: np.ndarray
    shares: list[float]
    """Of all variance, by direction."""


def map_page_principal_axes(chunks: Callable[[], Iterable[np.ndarray]], count: int) -> Components:
    """Return the rows along their first principal axes; an axis points to where its largest entry is positive."""
    rows: int = 0
    total: Any = 0.0
    squares: Any = 0.0
    for chunk_ND in chunks():
        exact = chunk_ND.astype(np.float64)
        rows, total, squares = rows + len(exact), total + exact.sum(0), squares + exact.T @ exact
    if not rows:
        return Components(np.zeros((0, count)), [0.0] * count)
    mean_D = total / rows
    values_D, axes_DD = np.linalg.eigh(squares / rows - np.outer(mean_D, mean_D))
    axes_DK = axes_DD[:, ::-1][:, :count]
    axes_DK = axes_DK * np.sign(axes_DK[np.abs(axes_DK).argmax(0), np.arange(axes_DK.shape[1])])
    points_NK = np.concatenate([(chunk.astype(np.float64) - mean_D) @ axes_DK for chunk in chunks()])
    variance = max(float(np.clip(values_D, 0, None).sum()), np.finfo(float).tiny)
    return Components(points_NK, [float(max(value, 0)) / variance for value in values_D[::-1][:count]])


def umap_points(points_NK: np.ndarray, seed: int) -> np.ndarray:
    """Return two dimensions in which neighbours stay together. Raises CvrError: UMAP is not installed."""
    try:
        import umap
    except ImportError:
        raise CvrError("UMAP is not installed: pip install 'cvr[umap]', or leave --method pca.") from None
    few = max(2, min(15, len(points_NK) - 1))
    return umap.UMAP(n_components=2, n_neighbors=few, random_state=seed, n_jobs=1).fit_transform(points_NK)
