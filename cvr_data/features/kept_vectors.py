"""Vectors of texts as the packaged encoder of texts made them, each text's kept on this machine for every command.

    vectors = kept_vectors(encoder_name_of_vectors(encoder), texts, encode)

What comes out of a network may depend in its last bits on the company that a text was encoded in. So before the first
rows are kept, some of their texts are encoded anew, each alone and on one thread: where all are the same bytes, vectors
follow from texts alone, and rows are the same whether they were found or made (`core.kept_rows`). Where one is not,
nothing is kept. The files lie in `$CVR_CACHE/vectors` (else ~/.cache/cvr), 1.6 KB a text and 4 GB an encoder at most.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.kept_rows import KeptRows
from cvr_data.core.model_packages import MODEL_PACKAGES

if TYPE_CHECKING:
    from cvr_data.features.protocol import Encoder

LEAST = 64
"""Texts that are looked for together: fewer are encoded in a moment."""
ALONE = 16
"""Texts that are encoded alone, to see whether their company matters."""
MOST_BYTES = 4 << 30
"""Of the vectors of one encoder: those of 2.6 million texts of 384 numbers."""
SMALL = 1 << 16
"""A file of fewer vectors is put together with others."""
VECTORS = pa.schema([("text", pa.string()), ("vector", pa.binary())])

Encode = Callable[[Sequence[str]], np.ndarray]


def encoder_name_of_vectors(encoder: "Encoder") -> str | None:
    """Return what names vectors of an encoder; None where its weights are not those of a package."""
    import torch

    if encoder.name not in MODEL_PACKAGES:
        return None
    package = MODEL_PACKAGES[encoder.name]
    code = (Path(__file__).parent / "encoders" / f"{encoder.name}.py").read_text("utf-8")
    runs = [encoder.runs_on, torch.__version__, torch.backends.cpu.get_cpu_capability()]
    about = hashlib.sha256(json.dumps([package.content_sha256, code, *map(str, runs)]).encode()).hexdigest()
    return f"{encoder.name}-{package.version}-{about[:16]}"


def kept_vectors(name: str, texts: Sequence[str], encode: Encode) -> np.ndarray:
    """Return the vectors of the texts, (N, D) float32; only those of new ones are made, and they are kept."""
    if len(texts) < LEAST:
        return encode(texts)
    kept = KeptRows("vectors", name, VECTORS, _check, "Vectors of captions", small=SMALL, most_bytes=MOST_BYTES)
    asked = pa.array(texts, pa.string())
    distinct = pc.unique(asked)
    found = kept.found(distinct)
    new = distinct.filter(pc.invert(pc.is_in(distinct, found.column("text").combine_chunks()))).to_pylist()
    if new:
        made = np.asarray(encode(new), np.float32)
        if not kept.folder.is_dir() and not _is_of_texts_alone(new, made, encode):
            return made if new == list(texts) else np.asarray(encode(texts), np.float32)
        rows = pa.table([new, [row.tobytes() for row in made]], VECTORS)
        kept.keep(rows)
        found = pa.concat_tables([found, rows])
    places = pc.index_in(asked, found.column("text").combine_chunks()).to_numpy()
    vectors = found.column("vector").to_pylist()
    return np.stack([np.frombuffer(vectors[place], np.float32) for place in places])


def _check(table: pa.Table) -> None:
    lengths = pc.unique(pc.binary_length(table.column("vector"))).to_pylist()
    if len(lengths) > 1 or any(length % 4 for length in lengths):
        raise pa.ArrowInvalid("its vectors are of several lengths")


def _is_of_texts_alone(texts: Sequence[str], made: np.ndarray, encode: Encode) -> bool:
    """Whether the vectors of some of the texts are the same bytes without the others, and on one thread."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        rows = {round(place) for place in np.linspace(0, len(texts) - 1, ALONE)}
        return all(np.array_equal(encode([texts[row]])[0], made[row]) for row in rows)
    finally:
        torch.set_num_threads(threads)
