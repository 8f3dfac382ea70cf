"""Trains and scores composed-video-retrieval models with numbers that can be trusted.

    import cvr_bench

    task = cvr_bench.load_benchmark("annotations/mine")     # or "cirr", "dense-webvid-covr", a frame of triplets
    found = cvr_bench.evaluate(scores_QG, task)             # of any system: a row per query, a column per item
    result = cvr_bench.bench("fdca", "annotations/mine")    # trains it and scores it, as `cvr bench` does

These are the functions behind the commands of the same names; options are those of the command, as keywords.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from pandas import DataFrame

    from cvr_bench.results.result import Result
    from cvr_bench.tasks.task import Task
    from cvr_data.core.frames import Frame

__all__ = ["audit", "bench", "compare", "evaluate", "load_benchmark", "search", "show", "train"]


def load_benchmark(
    data: "Frame", *, split: str = "test", embeddings: Path | str | None = None, **options: Any
) -> "Task":
    """Return the queries, gallery and targets of a benchmark, of a folder of triplets, or of a frame of them.

    Args:
        data: a name of `cvr list benchmarks`, a folder or file of triplets, or a frame.
        split: of triplets.
        embeddings: whose videos can be ranked; without, triplets rank all their videos.
        options: of the benchmark, such as `annotations=`.

    Raises:
        CvrError: there is no such data, or nothing of it can be scored.
    """
    from cvr_bench.benchmarks.triplets import Config, load
    from cvr_bench.data.benchmark import is_benchmark_data
    from cvr_bench.submit.encode import task_of_submission
    from cvr_data.core.lineage import follow
    from cvr_data.core.machine import load_machine
    from cvr_data.core.registry import parse_config

    if isinstance(data, str) and is_benchmark_data(data):
        told = tuple(f"{name}={value}" for name, value in options.items())
        return task_of_submission(data, told, split, load_machine())[0]
    folder = Path(_triplets(data))
    given = {"data": folder, "embeddings": embeddings and Path(embeddings), "videos": follow(folder, "videos")}
    return load(parse_config(Config, {**given, **options, "split": split}, where="load_benchmark"))


def evaluate(scores_QG: "np.ndarray", task: "Task") -> dict[str, Any]:
    """Return the metrics of a score matrix with their intervals, and the rank of each query.

    Args:
        scores_QG: floats (queries, gallery items), higher is better, in the order of `task.queries` and `task.gallery`.
        task: what was asked.

    Returns:
        `metrics` (name -> value, low, high, in percent), `MdR`, `MnR`, `chance`, and `ranks` (query id -> rank from 1).

    Raises:
        ValueError: another shape, or a score that is no finite number.
    """
    from cvr_bench.results.given_scores import result_of_given_scores

    return result_of_given_scores(scores_QG, task)


def bench(
    model: str, data: "Frame", *, embeddings: Path | str | None = None, out: Path | str | None = None,
    options: Mapping[str, Any] | None = None, train: Mapping[str, Any] | None = None, audit: bool = True,
    seed: int = 0, **how: Any,
) -> "Result":  # fmt: skip
    """Train a model where it trains, score it, and return the result; with `out` it stays there.

    Args:
        model: a name of `cvr list models`.
        data: a benchmark's name, a folder of triplets, or a frame that `cvr_data` gave.
        embeddings: features of its videos; by default those it was made with.
        out: folder of the result.
        options: of the model.
        train: how to train (`epochs`, `lr`, ...).
        audit: ask again with an input or frames changed.
        seed: of everything random.
        how: `checkpoint`, `split`, `save_scores`, `robustness` of the command.

    Raises:
        CvrError: so `cvr bench` would fail.
    """
    from cvr_bench.bench.bench import bench as run_bench
    from cvr_bench.bench.bench_run import BenchRun
    from cvr_bench.data.choose import choose_data
    from cvr_data.core.frames import new_folder
    from cvr_data.core.machine import load_machine

    folder = str(_triplets(data))
    features = None if embeddings is None else Path(embeddings)
    chosen = choose_data([folder], (), features, how.pop("split", None), load_machine())[0][0]
    run = BenchRun(
        model=model,
        options=_told(options),
        train_options=_told(train),
        audit=audit,
        seed=seed,
        split=chosen.split,
        **how,
    )
    return run_bench(run, chosen.sources, Path(out or new_folder("result", run, folder, features)))


def train(model: str, data: "Frame", out: Path | str, **how: Any) -> Path:
    """Train a model, keep its weights in the folder `out`, and return that: what `checkpoint=` of others takes.

    Raises:
        CvrError: the model does not train, or so `bench` would fail.
    """
    from cvr_data.core.errors import CvrError

    result = bench(model, data, out=out, audit=False, **how)
    if not (result.path / "training").is_dir():
        raise CvrError(f"{model} is scored as it is: there is nothing to train.")
    return result.path


def compare(first: "Result | Path | str", second: "Result | Path | str", by: str | None = None) -> dict[str, Any]:
    """Return the differences of two results on the same queries, with intervals, p and a verdict (`cvr compare`).

    Raises:
        CvrError: they are of different tasks.
    """
    from cvr_bench.results.compare import compare_methods, compared_results_json
    from cvr_bench.results.method import read_method_results

    folders = [one if isinstance(one, (str, Path)) else one.path for one in (first, second)]
    return compared_results_json(compare_methods(*(read_method_results(Path(folder)) for folder in folders), by=by))


def audit(result: "Result | Path | str", **options: Any) -> dict[str, Any]:
    """Return what a model does without its text, its reference or the order of frames (`cvr audit RESULT`).

    Raises:
        CvrError: no result is there, or what it was scored on has changed.
    """
    from cvr_bench.audit.record import Config
    from cvr_bench.audit.run import audit_saved_result

    return audit_saved_result(Config(**options), Path(result if isinstance(result, (str, Path)) else result.path))


def search(
    videos: "Frame", embeddings: Path | str, *, like: Path | str | None = None, texts: Sequence[str] | str = (),
    without: Sequence[str] | str = (), model: str = "sum", checkpoint: Path | str | None = None, count: int = 10,
) -> "DataFrame":  # fmt: skip
    """Return the videos that are like a clip but as texts say, best first (`cvr search`).

    Raises:
        CvrError: nothing is asked, there are no features, or count is below 1.
    """
    import pandas as pd

    from cvr_bench.search.library import open_search_library
    from cvr_bench.search.question import Question, SearchModel
    from cvr_bench.search.searcher import search as search_library
    from cvr_data.core.errors import CvrError
    from cvr_data.core.frames import FOLDER, folder_of
    from cvr_data.tables import VIDEOS

    if count < 1:
        raise CvrError(f"count should be 1 or more, got {count}.")
    folder = folder_of(videos, VIDEOS, "import-frame")
    said, unsaid = ((words,) if isinstance(words, str) else tuple(words) for words in (texts, without))
    question = Question(like=None if like is None else str(like), texts=said, without=unsaid)
    who = SearchModel(name=model, checkpoint=None if checkpoint is None else Path(checkpoint))
    found = pd.DataFrame(map(vars, search_library(open_search_library(folder, Path(embeddings)), question, who, count)))
    found.attrs[FOLDER] = str(folder)
    return found


def show(frame: "DataFrame", count: int = 20, columns: Sequence[str] = ()) -> Any:
    """Return a table of videos, pairs, texts, triplets or found videos in which their clips play, for a notebook."""
    from cvr_data.pages.clip_table import html_clip_table

    return html_clip_table(frame, count, columns)


def _triplets(data: "Frame") -> "Path | str":
    from cvr_data.core.frames import folder_of
    from cvr_data.tables import TRIPLETS

    return data if isinstance(data, (str, Path)) else folder_of(data, TRIPLETS, "build-triplets")


def _told(options: Mapping[str, Any] | None) -> tuple[str, ...]:
    return tuple(f"{name}={value}" for name, value in (options or {}).items())
