"""How column filters mark rows: the first reason stays."""

from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa


def of_distinct(texts: pa.Array | pa.ChunkedArray, function: Callable[[pa.Array], pa.Array]) -> pa.Array:
    """Return what the function makes of each text, giving it every distinct one once; pairs repeat their captions."""
    whole = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    named = whole.dictionary_encode()
    return function(named.dictionary).take(named.indices)


def similarity_text(row: Mapping[str, Any]) -> str:
    """Return the visual similarity of a row as words after a comma; nothing where it is not known."""
    value = row.get("visual_similarity")
    return "" if value is None else f", this one having visual similarity {value:.3f}"
