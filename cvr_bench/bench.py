"""Bench one model on one data set: load it, train it if it trains, score it, write the result.

A result that already stands there, made in the very same way, is read instead of being made again.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from cvr_bench.audit.altered import AlteredFeatures
from cvr_bench.audit.data_leaks import LEAKS_FILE, data_leaks
from cvr_bench.audit.generators import check_generator_leaks
from cvr_bench.audit.leak import Config as LeakConfig
from cvr_bench.audit.record import Config as AuditConfig
from cvr_bench.audit.record import audit_of, audit_result
from cvr_bench.audit.robustness import FOLDER as ROBUSTNESS
from cvr_bench.audit.robustness import result_robustness
from cvr_bench.data.captions import CaptionSource
from cvr_bench.data.opened import Sources
from cvr_bench.data.reads import features_read
from cvr_bench.data.training import TrainingSource
from cvr_bench.models import MODELS, ModelModule, ReadsClips
from cvr_bench.models.parts.lineage import lineage_record, write_lineage
from cvr_bench.models.parts.processes import is_first, of_first
from cvr_bench.models.parts.retriever import Retriever, is_trainable_retriever, module_of_retriever
from cvr_bench.models.parts.source import model_source_digest
from cvr_bench.models.parts.trained import load_model_checkpoint
from cvr_bench.models.parts.weights import TRAINING, WEIGHTS
from cvr_bench.results.method import seed_folder
from cvr_bench.results.result import STAGE, Result, read_result, write_result
from cvr_bench.results.score_matrix import SCORES, save_result_scores
from cvr_bench.scoring.blocks import scores_are_exact
from cvr_bench.scoring.caption_sets import score_caption_sets
from cvr_bench.scoring.cost import Clock, cost_of_scoring, forget_peak_memory, timed_retriever
from cvr_bench.scoring.spread import evaluate_spread
from cvr_bench.tasks.task import Task
from cvr_bench.training.key import MadeBy
from cvr_data.core.artifact_files import MANIFEST
from cvr_data.core.artifacts import ArtifactWriter, input_key
from cvr_data.core.command_line import running_command
from cvr_data.core.errors import CvrError
from cvr_data.core.registry import config_dict, parse_config, split_options
from cvr_data.core.versions import installed_versions
from cvr_data.core.whole_files import file_sha256, parquet_bytes
from cvr_data.features.protocol import Encoder

VERSION = 2
ENCODED_AHEAD = 50_000
"""Texts encoded before a training starts; the encoder would not remember more."""
TEXTS = 1024
"""Of those at once."""
FEATURES = ("embeddings", "heads", "videos")
"""Inputs of a result that features and media are read from."""


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
    robustness: bool = False
    """Also ask with other texts: paraphrases, mistakes, and texts that ask for something else."""
    allow_trained_generator: bool = False
    """Score data that a generator of its texts, or of those learned from, was trained on."""
    split: str = "test"
    seed: int = 0
    name: str = ""
    """What its result is called, in its folder and in tables; its model where none is given."""


def bench_all(
    runs: Sequence[BenchRun], sources: Sources, out: Path, data_name: str, *, seeds: int = 1, overwrite: bool = False
) -> list[Result]:
    """Return the results of several models on one data set, each in `out`/<name or model>-<data>.

    With several seeds a model that depends on one is benched with each, in a folder seed-<number> below that. On
    several devices all processes call it; the first one writes and has the results, the others have none.

    Raises:
        CvrError: options, a name or a checkpoint of one model are given to several, or what `bench` raises.
    """
    if len(runs) > 1 and any(run.options or run.checkpoint or run.name for run in runs):
        raise CvrError("-o, --name and --checkpoint belong to one model; give one --model with them.")
    placed = []
    for run in runs:
        folder = out / f"{run.name or run.model.replace('_', '-')}-{data_name}"
        if seeds == 1:
            placed.append((run, folder))
            continue
        own = [dataclasses.replace(run, seed=run.seed + number) for number in range(seeds)]
        placed += [(one, seed_folder(folder, one.seed)) for one in own[: seeds if _has_seed(run, sources) else 1]]
    if not is_first():
        for run, folder in placed:
            _assist(run, sources, folder)
        return []
    return [bench(run, sources, folder, overwrite=overwrite) for run, folder in placed]


def _has_seed(run: BenchRun, sources: Sources) -> bool:
    """Whether another seed gives another result: of a model that is trained, or that draws something."""
    if run.checkpoint is not None:
        raise CvrError("--checkpoint scores one training, so --seeds has no meaning beside it.")
    made = _make(run, sources, sources.encoder)
    return made.train_config is not None or "seed" in config_dict(made.config)


def bench(run: BenchRun, sources: Sources, out: Path, *, overwrite: bool = False) -> Result:
    """Return the result of a run, written to `out`.

    Raises:
        CvrError: the data lacks what the model needs, or `out` holds another result.
    """
    features, clock = AlteredFeatures(sources.encoder), Clock()
    forget_peak_memory()
    with clock.phase("load"):
        made = _make(run, sources, features)
    writer = ArtifactWriter(
        out, stage=STAGE, version=VERSION, config=made.identity(), inputs=made.inputs(), overwrite=overwrite
    )
    if run.save_scores and writer.finished() is not None and not (out / SCORES).exists():
        raise CvrError(f"{out} was made without --save-scores; make it again with --overwrite.")
    is_new = of_first(writer.finished() is None)
    if is_new:
        with clock.phase("load"):
            sources.task(run.split)
        _score(made, writer, clock)
    result = read_result(out)
    if (
        run.audit and not _reads_clips(made) and audit_of(result) is None
    ):  # altered features would change nothing for such
        if not is_new and (run.checkpoint is not None or made.train_config is not None):
            load_model_checkpoint(made.retriever, run.checkpoint or out, sources.encoder)
        audit_result(AuditConfig(seed=run.seed), result, made.retriever, features, sources.task(run.split))
    if run.robustness:
        if not is_new and not (out / ROBUSTNESS).exists() and (run.checkpoint or made.train_config is not None):
            load_model_checkpoint(made.retriever, run.checkpoint or out, sources.encoder)
        result_robustness(result, made.retriever, sources.task(run.split), _own_triplets(sources), overwrite=overwrite)
    return result


def _own_triplets(sources: Sources) -> pa.Table:
    if sources.benchmark is not None:
        raise CvrError(f"{sources.data}: --robustness needs triplets of ours, which say what changes.")
    return sources.triplets


def _assist(run: BenchRun, sources: Sources, out: Path) -> None:
    """Train and score together with the first process, which does what `bench` does; write nothing."""
    made = _make(run, sources, sources.encoder)
    if of_first(None):
        _train(made, Path(of_first(str(out))))
        evaluate_spread(made.retriever, sources.task(run.split))


@dataclass(frozen=True)
class _Made:
    """A run with its model, its data, and what the model learns from."""

    run: BenchRun
    sources: Sources
    component: ModelModule
    config: Any
    retriever: Any
    train_config: Any
    """None for a model that is scored as it is."""
    training: TrainingSource | CaptionSource | None
    """None for the data's own train split."""

    def identity(self) -> dict[str, Any]:
        """Return all that a result depends on beside the content of its inputs."""
        run, benchmark = self.run, self.sources.benchmark
        return {
            "model": run.model,
            "options": config_dict(self.config),
            "train": config_dict(self.train_config) if self.train_config else None,
            "split": run.split,
            "seed": run.seed,
            **({"benchmark": benchmark.identity()} if benchmark else {}),
            **({"train_data": self.training.identity()} if self.training and self.train_config else {}),
            **({"allow_trained_generator": True} if run.allow_trained_generator else {}),
            "source_sha256": model_source_digest(self.component, self.config),
        }

    def weights(self) -> dict[str, Path]:
        """Return the trained weights that go into the model, by what to call them."""
        options = {field.name: getattr(self.config, field.name) for field in dataclasses.fields(self.config)}
        found = {name: path for name, path in options.items() if name.endswith("checkpoint")}
        named = {"weights": self.run.checkpoint, **{f"weights of {name}": path for name, path in found.items()}}
        return {name: path for name, path in named.items() if isinstance(path, Path)}

    def as_scored(self, task: Task) -> Task:
        """Return the task with what its protocol owes to the run: whether the scored split chose the checkpoint."""
        if self.train_config is None or self.training is not None or self.run.split != "val":
            return task
        return dataclasses.replace(
            task, protocol=dataclasses.replace(task.protocol, checkpoint_chosen="on what is scored")
        )

    def made_by(self) -> MadeBy:
        """Return where the network that is trained, and its features, come from."""
        read = {name: path for name, path in self.inputs().items() if name.split("-")[0] in FEATURES}
        return MadeBy(
            model=self.run.model,
            options=config_dict(self.config),
            source=model_source_digest(self.component, self.config),
            features={name: input_key(path) for name, path in read.items()},
        )

    def inputs(self) -> dict[str, Path]:
        """Return what a result depends on, by the name it has in the manifest."""
        run = self.run
        named = {**self.sources.input_paths(), "train-data": self.training.files if self.training else ()}
        if run.checkpoint is not None:
            is_training = run.checkpoint.is_dir() and not (run.checkpoint / MANIFEST).exists()
            named["checkpoint"] = [run.checkpoint / WEIGHTS if is_training else run.checkpoint]
        return {
            name if number == 1 else f"{name}-{number}": path
            for name, paths in named.items()
            for number, path in enumerate(paths, start=1)
        }


def _make(run: BenchRun, sources: Sources, encoder: Encoder) -> _Made:
    component = MODELS.get(run.model)
    config = parse_config(component.Config, _with_seed(component.Config, run.options, run), where=run.model)
    retriever = component.load(config, encoder)
    train_config = _train_config(run, retriever)
    if run.checkpoint is not None:
        load_model_checkpoint(retriever, run.checkpoint, encoder)
    training = sources.training if train_config is None else sources.training_of(run.model, component)
    return _Made(run, sources, component, config, retriever, train_config, training)


def _reads_clips(made: _Made) -> bool:
    """Whether the model has eyes of its own, so that stored features tell nothing of it."""
    return isinstance(made.component, ReadsClips) and made.component.READS_CLIPS


def _score(made: _Made, writer: ArtifactWriter, clock: Clock) -> None:
    """Train and score a model, and write its result."""
    run, sources, retriever = made.run, made.sources, made.retriever
    task = sources.task(run.split)
    seen = check_generator_leaks(made.inputs().values(), task, allowed=run.allow_trained_generator)
    with writer:
        with clock.phase("train"):
            training = _train(made, Path(of_first(str(writer.path))))
        leaks = _leaks(made, writer)
        if training is not None:
            training["leaks"] = leaks
        measured = timed_retriever(retriever, clock)
        with clock.phase("score"):
            ranks = evaluate_spread(measured, task)
        cost = cost_of_scoring(measured, clock.seconds, training)
        if run.save_scores:
            save_result_scores(writer, retriever, task, sources.query_bank(), sources.encoder)
        saved = {"scores_sha256": file_sha256(writer.path / SCORES)} if run.save_scores else {}
        about = {**made.identity(), **_about(run, sources, retriever), "training": training}
        about |= {**saved, **({"name": run.name} if run.name else {})}
        about |= {"seconds": cost["seconds"], "cost": cost, **({"generators": seen} if seen else {})}
        if not _reads_clips(made):
            about |= {"reads": features_read(sources.store, sources.encoder, task)}
        about["scores_exact"] = scores_are_exact(score_caption_sets(retriever, task.gallery))
        about |= {"leaks": leaks, "lineage": lineage_record(sources.store.shared(), made.weights(), task)}
        write_result(writer, made.as_scored(task), ranks, run.seed, about)


def _leaks(made: _Made, writer: ArtifactWriter) -> dict[str, Any] | None:
    """What is scored beside what was learned from, for a model that learned; None where that is not known."""
    if not is_trainable_retriever(made.retriever):
        return None
    found = data_leaks(LeakConfig(), made.sources, made.run.split, made.training)
    if found is None:
        return None
    writer.write_file(LEAKS_FILE, parquet_bytes(found.table))
    return found.summary


def _about(run: BenchRun, sources: Sources, retriever: Retriever) -> dict[str, Any]:
    module = module_of_retriever(retriever)
    return {
        "parameters": sum(parameter.numel() for parameter in module.parameters()) if module is not None else 0,
        "data": {"path": str(sources.data), "embeddings": str(sources.embeddings), "split": run.split},
        "checkpoint": str(run.checkpoint) if run.checkpoint else None,
        "features": {**sources.store.artifact.manifest["config"], "dim": sources.encoder.dim},
        "command": running_command(),
        "versions": installed_versions(),
    }


def _with_seed(config_class: type, options: Sequence[str], run: BenchRun) -> dict[str, str]:
    """The options, with the run's seed where the Config has one and none is given."""
    given = split_options(options, run.model)
    has_seed = "seed" in {field.name for field in dataclasses.fields(config_class)}
    return {**({"seed": str(run.seed)} if has_seed else {}), **given}


def _train_config(run: BenchRun, retriever: Retriever) -> Any:
    """The TrainConfig of a model that is to be trained; None for one that is scored as it is."""
    if not is_trainable_retriever(retriever):
        if run.checkpoint is not None:
            raise CvrError(f"{run.model} has no parameters, so --checkpoint has nothing to load into.")
        return None
    if run.checkpoint is not None:
        if run.train_options:
            raise CvrError("--checkpoint scores without training, so -t has no meaning beside it.")
        return None
    from cvr_bench.training.config import TrainConfig
    from cvr_bench.training.step_log import check_training_loggers

    config = parse_config(TrainConfig, _with_seed(TrainConfig, run.train_options, run), where="train")
    check_training_loggers(config)
    return config


def _train(made: _Made, out: Path) -> dict[str, Any] | None:
    """Train the model; say how it was trained."""
    if made.train_config is None:
        return None
    from cvr_bench.training.train import train  # accelerate takes seconds to import

    sources, config = made.sources, made.train_config
    data = sources.own_training if made.training is None else made.training.load(sources.store)
    if len(data.training_set) < 2:
        raise CvrError(f"{sources.data}: one triplet to train on, which has nothing to be told apart from; give more.")
    # in large batches on all cores, where training would ask for a few texts at a time
    texts = list(dict.fromkeys(data.training_set.modifications))[:ENCODED_AHEAD]
    for start in range(0, len(texts), TEXTS):
        sources.encoder.encode_texts(texts[start : start + TEXTS])
    if is_first():
        space = None if _reads_clips(made) else sources.store.shared().space()
        starts = made.weights().values()
        write_lineage(out / TRAINING, space, data.training_set, data.validation_task, starts)
    report = train(
        made.retriever, data.training_set, data.validation_task, config, sources.encoder, out, made_by=made.made_by()
    )
    return {"options": config_dict(config), "triplets": len(data.training_set), **dataclasses.asdict(report)}
