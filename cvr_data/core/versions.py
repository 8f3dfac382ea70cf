"""The versions of this project and its libraries, as every manifest records them."""

import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version

PROJECT = "cvr"
RECORDED = (
    "accelerate", "av", "datasets", "numpy", "pandas", "pyarrow", "sentence-transformers", "spacy",
    "torch", "transformers",
)  # fmt: skip


def installed_versions() -> dict[str, str]:
    """Return name -> version of Python, this project and the libraries whose versions can change a result."""
    found = {"python": platform.python_version(), PROJECT: _package_version(PROJECT)}
    found.update({name: _package_version(name) for name in RECORDED})
    return {name: value for name, value in found.items() if value}


@cache
def _package_version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
