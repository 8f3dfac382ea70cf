"""From what a user names to the queries, the model and the files of `cvr encode-queries` and `cvr score`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cvr_bench.audit.altered import AlteredFeatures
from cvr_bench.benchmarks import BENCHMARKS
from cvr_bench.data.benchmark import data_of_named_benchmark, is_benchmark_data
from cvr_bench.data.choose import ALL, choose_data, data_options_with_root, embeddings_of_data
from cvr_bench.data.opened import Sources
from cvr_bench.data.sources import choose_data_sources
from cvr_bench.models.parts.trained import dense_model, retriever_model_to_score
from cvr_bench.submit.query_features import STAGE, encode_submitted_queries
from cvr_bench.tasks.task import Task
from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.errors import CvrError
from cvr_data.core.machine import Machine


@dataclass(frozen=True, kw_only=True)
class EncodeRun:
    """What a user names."""

    model: str
    options: Sequence[str] = ()
    checkpoint: Path | None = None
    data: str | None = None
    """Triplets, or the name of a benchmark."""
    data_options: Sequence[str] = ()
    embeddings: Path | None = None
    split: str | None = None


def encode_submission(
    run: EncodeRun, machine: Machine, out: Path, *, overwrite: bool = False
) -> dict[str, tuple[int, ...]]:
    """Write the features of a run to a folder and return file -> shape.

    Raises:
        CvrError: the data, its features or the model are not at hand, or the folder holds something else.
    """
    if run.data == ALL:
        raise CvrError("Queries are encoded of one data set at a time; name it with --data.")
    named = [run.data] if run.data is not None else []
    chosen, _ = choose_data(named, run.data_options, run.embeddings, run.split, machine)
    sources = chosen[0].sources
    features = AlteredFeatures(sources.encoder)
    retriever = dense_model(retriever_model_to_score(run.model, run.options, run.checkpoint, features), run.model)
    inputs = {"data": _data_file(sources), "embeddings": sources.embeddings}
    if run.checkpoint is not None:
        inputs["checkpoint"] = run.checkpoint
    config = {"model": run.model, "options": list(run.options), "split": run.split, "data": list(run.data_options)}
    with ArtifactWriter(out, stage=STAGE, config=config, inputs=inputs, overwrite=overwrite) as writer:
        shapes = encode_submitted_queries(retriever, features, sources.task(run.split or "test"), writer)
        writer.finish()
    return shapes


def features_to_submit(name: str, given: Path | None, machine: Machine) -> AlteredFeatures:
    """Return the encoder that serves the features of a benchmark: those given, else those on this machine.

    Raises:
        CvrError: there are none.
    """
    found = given or embeddings_of_data(name, machine)
    if found is None:
        raise CvrError(f"{name} comes without features of its videos; pass --embeddings (see cvr embed).")
    return AlteredFeatures(Sources(data=found, embeddings=found, videos=(), choice="-e").encoder)


def task_of_submission(
    data: str | None, data_options: Sequence[str], split: str | None, machine: Machine
) -> tuple[Task, Path]:
    """Return the queries with their targets, whatever features are stored, and the file they are from.

    Raises:
        CvrError: the data cannot be read.
    """
    options = data_options_with_root(data, data_options, machine)
    if data is not None and is_benchmark_data(data):
        benchmark = data_of_named_benchmark(data.replace("_", "-"), options, split)
        return BENCHMARKS.get(benchmark.name).load(benchmark.config), benchmark.files()[0]
    sources = choose_data_sources(data, options, None, split)
    return sources.task(split or "test"), _data_file(sources)


def _data_file(sources: Sources) -> Path:
    """Return the file of the benchmark that names its queries, or the triplets."""
    return sources.benchmark.files()[0] if sources.benchmark is not None else sources.data
