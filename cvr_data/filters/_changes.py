"""What filters ask of the `changes` column."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def any_change(table: pa.Table, matches: Callable[[pa.Array], pa.Array]) -> pa.Array:
    """Return a mask of the rows in which a word before or after a change matches."""
    changes = table.column("changes")
    changes = changes.combine_chunks() if isinstance(changes, pa.ChunkedArray) else changes
    structs = pc.list_flatten(changes)
    rows = pc.list_parent_indices(changes).to_numpy(zero_copy_only=False)
    found = np.zeros(table.num_rows, bool)
    for side in ("before", "after"):
        is_match = pc.fill_null(matches(pc.struct_field(structs, side)), False).to_numpy(zero_copy_only=False)
        found[rows[is_match]] = True
    return pa.array(found)
