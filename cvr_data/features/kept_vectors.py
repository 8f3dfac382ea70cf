"""Vectors of texts as the packaged encoder of texts made them, kept on this machine for other commands.

    vectors = kept_vectors(name_of_maker(encoder), texts, encode)

What comes out of a network depends in its last bits on the company that a text was encoded in, so a whole slice of
texts is kept under a hash of all of them, and rows are the same bytes whether it was found or made. The files lie in
`$CVR_CACHE/vectors` (else ~/.cache/cvr); the folder may be removed at any time, and what cannot be read is made again.
"""

import hashlib
import json
import logging
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cvr_data.core.errors import CvrError, first_line
from cvr_data.core.model_packages import MODEL_PACKAGES, cache_folder
from cvr_data.core.reading import read_array
from cvr_data.core.whole_files import write_array

if TYPE_CHECKING:
    from cvr_data.features.protocol import Encoder

LEAST = 64
"""Texts of a slice that is kept: fewer are encoded in a moment."""
MOST = 512
"""Slices that are kept, those that were used last: 1.6 GB where each has 2,048 texts."""

logger = logging.getLogger(__name__)


def name_of_maker(encoder: "Encoder") -> str | None:
    """Return what names vectors of an encoder; None where its weights are not those of a package."""
    import torch

    if encoder.name not in MODEL_PACKAGES:
        return None
    package = MODEL_PACKAGES[encoder.name]
    code = (Path(__file__).parent / "encoders" / f"{encoder.name}.py").read_text("utf-8")
    runs = [encoder.runs_on, torch.__version__, torch.backends.cpu.get_cpu_capability(), torch.get_num_threads()]
    about = hashlib.sha256(json.dumps([package.content_sha256, code, *map(str, runs)]).encode()).hexdigest()
    return f"{encoder.name}-{package.version}-{about[:16]}"


def kept_vectors(name: str, texts: Sequence[str], encode: Callable[[Sequence[str]], np.ndarray]) -> np.ndarray:
    """Return the vectors of the texts in this company, (N, D) float32; what was made is kept."""
    if len(texts) < LEAST:
        return encode(texts)
    digest = hashlib.sha256(json.dumps(list(texts)).encode()).hexdigest()[:32]
    path = cache_folder() / "vectors" / f"{name}-{digest}.npy"
    with suppress(CvrError, OSError):  # not there, or damaged
        found = np.array(read_array(path))
        if found.ndim == 2 and len(found) == len(texts) and found.dtype == np.float32:
            os.utime(path)
            return found
    made = np.asarray(encode(texts), np.float32)
    _keep(path, made)
    return made


def _keep(path: Path, made: np.ndarray) -> None:
    """Write a slice and forget those that were not used for longest; where nothing can be written it is made again."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_array(path, made)
        files = sorted(path.parent.glob("*.npy"), key=lambda file: file.stat().st_mtime)
        for old in files[:-MOST]:
            old.unlink(missing_ok=True)
    except (OSError, CvrError) as error:
        _tell(f"Vectors of captions are not kept: {first_line(error)}")


@cache
def _tell(line: str) -> None:
    """Warn once in a process."""
    logger.warning("%s", line)
