"""Our models against the numbers of the reference implementations.

    python -m tests.golden tests/golden/fdca_a.npz

A kind of file is one module here, with `claims(arrays) -> bool`, which tells whether a file is (also) of this kind,
`covers(name) -> bool`, which tells the arrays it knows, and `compare(arrays) -> list[Comparison]`.
"""

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np

from cvr_data.core.errors import CvrError

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One output of a golden file and what we get."""

    name: str
    expected: np.ndarray
    found: np.ndarray
    tolerance: float
    """Largest absolute error."""

    @property
    def error(self) -> float:
        """The largest absolute error; infinite for another shape or a value that is not finite."""
        if self.expected.shape != self.found.shape:
            return float("inf")
        error = np.abs(self.expected.astype(np.float64) - self.found.astype(np.float64))
        return float(np.where(np.isfinite(error), error, np.inf).max(initial=0.0))

    @property
    def passed(self) -> bool:
        """Whether the error is within the tolerance."""
        return self.error <= self.tolerance


@dataclass(frozen=True)
class Check:
    """What came of a file."""

    comparisons: list[Comparison]
    unchecked: list[str]
    """Arrays that no kind covers."""


def kinds() -> list[ModuleType]:
    """Return the modules of all kinds."""
    names = sorted(info.name for info in pkgutil.iter_modules(__path__))
    return [importlib.import_module(f"{__name__}.{name}") for name in names if not name.startswith(("_", "test_"))]


def check(path: Path) -> Check:
    """Return our outputs beside those of a golden file.

    Raises:
        CvrError: the file cannot be read, or is of no kind we know.
    """
    arrays = read(path)
    ours = [kind for kind in kinds() if kind.claims(arrays)]
    if not ours:
        known = ", ".join(kind.__name__.rsplit(".", 1)[-1] for kind in kinds())
        raise CvrError(
            f"{path} is no golden file we know (its arrays: {', '.join(sorted(arrays)[:5])}; kinds: {known})."
        )
    comparisons: list[Comparison] = []
    for kind in ours:
        try:
            comparisons += kind.compare(arrays)
        except KeyError as error:
            raise CvrError(f"{path} lacks {error}, which {kind.__name__} needs.") from None
    return Check(comparisons, [name for name in arrays if not any(kind.covers(name) for kind in ours)])


def read(path: Path) -> Arrays:
    """Return the arrays of an `.npz` file."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, AttributeError) as error:
        raise CvrError(f"{path} cannot be read as .npz: {error}") from None
