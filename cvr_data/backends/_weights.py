"""Names weights by their content: two folders of one name, or a folder trained again, are two models."""

import hashlib
from pathlib import Path

_EDGE_BYTES = 1 << 20


def weights_name(model: str) -> str:
    """Return a folder's name and a hash of its files; anything else (a Hub id, a built-in name) as it is."""
    folder = Path(model)
    return f"{folder.resolve().name}@{fingerprint(folder)}" if folder.is_dir() else model


def fingerprint(folder: Path) -> str:
    """Return 12 hex digits of a hash of the file sizes, and the first and last megabyte of each file."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")):
        size = path.stat().st_size
        digest.update(f"{path.name} {size}\n".encode())
        with path.open("rb") as file:
            digest.update(file.read(_EDGE_BYTES))
            file.seek(max(0, size - _EDGE_BYTES))
            digest.update(file.read(_EDGE_BYTES))
    return digest.hexdigest()[:12]
