"""Bench one model on one data set: load it, train it if it trains, score it, write the result.

A result that already stands there, made in the very same way, is read instead of being made again.
"""

import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cvr_bench.audit.altered import AlteredFeatures
from cvr_bench.audit.data_leaks import LEAKS_FILE, data_leaks
from cvr_bench.audit.generators import check_generators
from cvr_bench.audit.leak import Config as LeakConfig
from cvr_bench.audit.record import Config as AuditConfig
from cvr_bench.audit.record import audit_of, audit_result
from cvr_bench.benchmarks import triplets
from cvr_bench.data.captions import CaptionSource
from cvr_bench.data.load import load_task, open_features, triplets_config
from cvr_bench.data.sources import Sources
from cvr_bench.data.training import TrainingData, training_for
from cvr_bench.models import MODELS, ModelModule, ReadsClips
from cvr_bench.models.parts.frame_weights import FrameWeights
from cvr_bench.models.parts.processes import is_first, of_first
from cvr_bench.models.parts.retriever import Retriever, is_trainable, module_of
from cvr_bench.models.parts.source import source_digest
from cvr_bench.models.parts.weights import WEIGHTS, load_checkpoint
from cvr_bench.results.result import STAGE, Result, read_result, write_result
from cvr_bench.results.score_matrix import SCORES, save_scores
from cvr_bench.scoring.cost import Clock, cost_of, forget_peak, timed
from cvr_bench.scoring.spread import evaluate_spread
from cvr_bench.tasks.task import Task
from cvr_data.core.artifacts import MANIFEST, ArtifactWriter, open_artifact, parquet_bytes
from cvr_data.core.errors import CvrError
from cvr_data.core.registry import config_dict, parse_config, split_options
from cvr_data.core.versions import installed_versions
from cvr_data.features.protocol import Encoder
from cvr_data.features.store import HEADS_FOLDER

VERSION = 1
ENCODED_AHEAD = 50_000
"""Texts encoded before a training starts; the encoder would not remember more."""
TEXTS = 1024
"""Of those at once."""


@dataclass(frozen=True, kw_only=True)
class BenchRun:
    """A model to be benched, and how."""

    model: str
    options: Sequence[str] = ()
    """`key=value` of the model's Config."""
    train_options: Sequence[str] = ()
    """`key=value` of the TrainConfig."""
    checkpoint: Path | None = None
    """Trained weights: scored as they are."""
    save_scores: bool = False
    """Keep the score matrix, from which `cvr compare --protocols` works out other protocols."""
    audit: bool = True
    """Also ask what the model does without its text, its reference, and the order of frames; unless that is known."""
    allow_trained_generator: bool = False
    """Score data that a generator of its texts, or of those learned from, was trained on."""
    split: str = "test"
    seed: int = 0


def bench_all(
    runs: Sequence[BenchRun], sources: Sources, out: Path, data_name: str, *, overwrite: bool = False
) -> list[Result]:
    """Return the results of several models on one data set, each in `out`/<model>-<data>.

    On several devices all processes call it; the first one writes and has the results, the others have none.

    Raises:
        CvrError: options or a checkpoint of one model are given to several, or what `bench` raises.
    """
    if len(runs) > 1 and any(run.options or run.checkpoint for run in runs):
        raise CvrError("-o and --checkpoint belong to one model; give one --model with them.")
    encoder = open_features(sources)
    folders = [out / f"{run.model.replace('_', '-')}-{data_name}" for run in runs]
    if not is_first():
        for run, folder in zip(runs, folders, strict=True):
            assist(run, sources, encoder, folder)
        return []
    return [
        bench(run, sources, encoder, folder, overwrite=overwrite) for run, folder in zip(runs, folders, strict=True)
    ]


def bench(run: BenchRun, sources: Sources, encoder: FrameWeights, out: Path, *, overwrite: bool = False) -> Result:
    """Return the result of a run, written to `out`.

    Raises:
        CvrError: the data lacks what the model needs, or `out` holds another result.
    """
    features, clock = AlteredFeatures(encoder), Clock()
    forget_peak()
    with clock.phase("load"):
        made = _make(run, sources, features)
    sources, task = made.sources, None
    writer = ArtifactWriter(
        out, stage=STAGE, version=VERSION, config=made.identity(), inputs=_inputs(run, sources), overwrite=overwrite
    )
    if run.save_scores and writer.finished() is not None and not (out / SCORES).exists():
        raise CvrError(f"{out} was made without --save-scores; make it again with --overwrite.")
    if of_first(writer.finished() is None):
        with clock.phase("load"):
            task = load_task(sources, run.split)
        _score(made, task, encoder, writer, clock)
    result = read_result(out)
    has_own_eyes = isinstance(made.component, ReadsClips) and made.component.READS_CLIPS
    if run.audit and not has_own_eyes and audit_of(result) is None:  # altered features would change nothing for such
        if task is None:
            if run.checkpoint is not None or made.train_config is not None:
                load_checkpoint(made.retriever, run.checkpoint or out)
            task = load_task(sources, run.split)
        audit_result(AuditConfig(seed=run.seed), result, made.retriever, features, task)
    return result


def assist(run: BenchRun, sources: Sources, encoder: FrameWeights, out: Path) -> None:
    """Train and score together with the first process, which does what `bench` does; write nothing."""
    made = _make(run, sources, encoder)
    if of_first(None):
        task = load_task(made.sources, run.split)
        _train(made, encoder, out)
        evaluate_spread(made.retriever, task)


@dataclass(frozen=True)
class _Made:
    """A run with its model, and the data with what the model learns from."""

    run: BenchRun
    component: ModelModule
    config: Any
    retriever: Any
    train_config: Any
    """None for a model that is scored as it is."""
    sources: Sources

    def identity(self) -> dict[str, Any]:
        """Return all that a result depends on beside the content of its inputs."""
        run, benchmark, training = self.run, self.sources.benchmark, self.sources.training
        return {
            "model": run.model,
            "options": config_dict(self.config),
            "train": config_dict(self.train_config) if self.train_config else None,
            "split": run.split,
            "seed": run.seed,
            **({"benchmark": benchmark.identity()} if benchmark else {}),
            **({"train_data": training.identity()} if training and self.train_config else {}),
            **({"allow_trained_generator": True} if run.allow_trained_generator else {}),
            "source_sha256": source_digest(self.component),
        }


def _make(run: BenchRun, sources: Sources, encoder: Encoder) -> _Made:
    component = MODELS.get(run.model)
    config = parse_config(component.Config, _with_seed(component.Config, run.options, run), where=run.model)
    retriever = component.load(config, encoder)
    train_config = _train_config(run, retriever)
    if train_config is not None:
        # where nothing is named, captions of the scored benchmark
        training = training_for(run.model, component, sources.benchmark, sources.training)
        if training is not sources.training:
            sources = dataclasses.replace(sources, training=training)
        if sources.benchmark is not None and training is None:
            tests = f"{sources.benchmark.name} only tests"
            raise CvrError(f"{run.model} has to be trained, and {tests}; pass --checkpoint or --train-data.")
    return _Made(run, component, config, retriever, train_config, sources)


def _score(made: _Made, task: Task, encoder: FrameWeights, writer: ArtifactWriter, clock: Clock) -> None:
    """Train and score a model, and write its result."""
    run, sources, retriever = made.run, made.sources, made.retriever
    seen = check_generators(_inputs(run, sources).values(), task, allowed=run.allow_trained_generator)
    with writer:
        with clock.phase("train"):
            training = _train(made, encoder, writer.path)
        if training is not None:
            training["leaks"] = _leaks(sources, task, run.split, encoder, writer)
        measured = timed(retriever, clock)
        with clock.phase("score"):
            ranks = evaluate_spread(measured, task)
        cost = cost_of(measured, clock.seconds, training)
        if run.save_scores:
            # the query bank is of train queries, of which a benchmark that only tests has none
            bank = [] if sources.benchmark else triplets.load_queries(triplets_config(sources, "train"))
            save_scores(writer, retriever, task, bank, encoder)
        about = {**made.identity(), **_about(run, sources, retriever, encoder), "training": training}
        about |= {"seconds": cost["seconds"], "cost": cost, **({"generators": seen} if seen else {})}
        write_result(writer, task, ranks, run.seed, about)


def _about(run: BenchRun, sources: Sources, retriever: Retriever, encoder: Encoder) -> dict[str, Any]:
    module = module_of(retriever)
    return {
        "parameters": sum(parameter.numel() for parameter in module.parameters()) if module is not None else 0,
        "data": {"path": str(sources.data), "embeddings": str(sources.embeddings), "split": run.split},
        "checkpoint": str(run.checkpoint) if run.checkpoint else None,
        "features": {**open_artifact(sources.embeddings).manifest["config"], "dim": encoder.dim},
        "command": " ".join(["cvr", *sys.argv[1:]]),
        "versions": installed_versions(),
    }


def _with_seed(config_class: type, options: Sequence[str], run: BenchRun) -> dict[str, str]:
    """The options, with the run's seed where the Config has one and none is given."""
    given = split_options(options, run.model)
    has_seed = "seed" in {field.name for field in dataclasses.fields(config_class)}
    return {**({"seed": str(run.seed)} if has_seed else {}), **given}


def _train_config(run: BenchRun, retriever: Retriever) -> Any:
    """The TrainConfig of a model that is to be trained; None for one that is scored as it is."""
    if not is_trainable(retriever):
        if run.checkpoint is not None:
            raise CvrError(f"{run.model} has no parameters, so --checkpoint has nothing to load into.")
        return None
    if run.checkpoint is not None:
        if run.train_options:
            raise CvrError("--checkpoint scores without training, so -t has no meaning beside it.")
        return None
    from cvr_bench.training.config import TrainConfig

    return parse_config(TrainConfig, _with_seed(TrainConfig, run.train_options, run), where="train")


def _inputs(run: BenchRun, sources: Sources) -> dict[str, Path]:
    files = [sources.data] if sources.benchmark is None else sources.benchmark.files()
    if sources.benchmark is None and sources.data.is_dir() and not (sources.data / MANIFEST).exists():
        files = sorted(path for path in sources.data.iterdir() if path.suffix in triplets.READERS)
    named: dict[str, Sequence[Path]] = {
        "triplets" if sources.benchmark is None else "annotations": files,
        "embeddings": [sources.embeddings],
        "videos": sources.videos,
        "distractors": sources.distractors,
        "train-data": sources.training.files if sources.training else (),
    }
    if (sources.embeddings / HEADS_FOLDER / MANIFEST).exists():
        named["heads"] = [sources.embeddings / HEADS_FOLDER]
    if run.checkpoint is not None:
        is_training = run.checkpoint.is_dir() and not (run.checkpoint / MANIFEST).exists()
        named["checkpoint"] = [run.checkpoint / WEIGHTS if is_training else run.checkpoint]
    return {
        name if number == 1 else f"{name}-{number}": path
        for name, paths in named.items()
        for number, path in enumerate(paths, start=1)
    }


def _train(made: _Made, encoder: Encoder, out: Path) -> dict[str, Any] | None:
    """Train the model, or load its checkpoint; say how it was trained."""
    if made.run.checkpoint is not None:
        load_checkpoint(made.retriever, made.run.checkpoint)
    if made.train_config is None:
        return None
    from cvr_bench.training.train import train  # accelerate takes seconds to import

    data = _training_data(made.sources)
    # in large batches on all cores, where training would ask for a few texts at a time
    texts = list(dict.fromkeys(data.training_set.modifications))[:ENCODED_AHEAD]
    for start in range(0, len(texts), TEXTS):
        encoder.encode_texts(texts[start : start + TEXTS])
    report = train(made.retriever, data.training_set, data.validation_task, made.train_config, encoder, out)
    options = config_dict(made.train_config)
    return {"options": options, "triplets": len(data.training_set), **dataclasses.asdict(report)}


def _training_data(sources: Sources) -> TrainingData:
    """The triplets of --train-data, else those of the scored data's own train and val splits."""
    if isinstance(sources.training, CaptionSource):
        return TrainingData(*sources.training.load(sources.embeddings))
    if sources.training is not None:
        return sources.training.load(sources.embeddings)
    table, store = sources.triplets, sources.store
    return TrainingData(
        triplets.training_set_of(table, triplets_config(sources, "train"), store),
        triplets.task_of(table, triplets_config(sources, "val"), store),
    )


def _leaks(sources: Sources, task: Task, split: str, encoder: Encoder, writer: ArtifactWriter) -> dict[str, Any] | None:
    """What the scored split shares with the triplets that were learned from; the pairs go beside the result."""
    found = data_leaks(LeakConfig(), sources, split, task, encoder)
    if found is None:
        return None
    writer.write_file(LEAKS_FILE, parquet_bytes(found.table))
    return found.summary
