"""Where a target of each query stands by one input alone, as the audit inside a result has it.

The scorers of the pool go first, which are the same for all models; an older audit may have the model itself alone.
"""

from cvr_bench.results.result import Result
from cvr_data.core.artifact_files import MANIFEST
from cvr_data.core.artifacts import open_artifact
from cvr_data.triplets.shortcuts import COMPOSITION, read_triplet_composition

AUDIT_STAGE = "audit"
AUDIT_FOLDER = "audit"
"""Inside a result."""
INPUTS = {"text": "text_only", "video": "visual_only", "description": "description_only"}
"""What an input is called -> how its columns begin."""


def result_ranks_by_input(result: Result) -> dict[str, dict[str, int]]:
    """Return input -> query_id -> rank of its best target by that input alone; none where the result has no audit."""
    folder = result.path / AUDIT_FOLDER
    if not (folder / MANIFEST).exists() or not (folder / COMPOSITION).is_file():
        return {}
    about = open_artifact(folder, AUDIT_STAGE).manifest["inputs"].get("result")
    if not about or about["key"] != open_artifact(result.path).key:
        return {}  # of an earlier result
    table = read_triplet_composition(folder)
    found = {}
    for name, begin in INPUTS.items():
        columns = [f"{begin}_{how}_rank" for how in ("baseline", "masked")]
        if column := next((column for column in columns if column in table.column_names), None):
            found[name] = dict(zip(table.column("query_id").to_pylist(), table.column(column).to_pylist(), strict=True))
    return found
