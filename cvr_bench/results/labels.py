"""What results are called in one table: by the name they were given, else by their model, else by their folder."""

from collections import Counter
from collections.abc import Sequence

from cvr_bench.results.method import SEED
from cvr_bench.results.result import Result


def result_labels(results: Sequence[Result]) -> list[str]:
    """Return one label per result, in their order; of those that share a name, the folder's name tells them apart."""
    counts = Counter(result.name for result in results)
    return [result.name if counts[result.name] == 1 else _folder(result) for result in results]


def _folder(result: Result) -> str:
    path = result.path.resolve()
    return f"{path.parent.name}/{path.name}" if path.name.startswith(SEED) else path.name
