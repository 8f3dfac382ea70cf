"""What results are called in one table: by the name they were given, else by their model, else by their folder."""

from collections import Counter
from collections.abc import Sequence

from cvr_bench.results.result import Result


def result_labels(results: Sequence[Result]) -> list[str]:
    """Return one label per result, in their order; of those that share a name, the folder's name tells them apart."""
    names = [result.name for result in results]
    counts = Counter(names)
    return [
        name if counts[name] == 1 else result.path.resolve().name for name, result in zip(names, results, strict=True)
    ]
