"""What is benched: a run as it was asked for, and its model with its data and all that a result depends on."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cvr_bench.data.captions import CaptionSource
from cvr_bench.data.opened import Sources
from cvr_bench.data.training import TrainingSource
from cvr_bench.models import MODELS, ModelModule, ReadsClips
from cvr_bench.models.parts.retriever import Retriever, is_trainable_retriever
from cvr_bench.models.parts.source import model_source_digest
from cvr_bench.models.parts.trained import load_model_checkpoint, load_retriever, model_option_checkpoints
from cvr_bench.models.parts.weights import WEIGHTS
from cvr_bench.tasks.task import Task
from cvr_bench.training.key import MadeBy
from cvr_data.core.artifact_files import MANIFEST
from cvr_data.core.artifacts import artifact_input_key
from cvr_data.core.errors import CvrError
from cvr_data.core.registry import config_dict, parse_config, split_key_value_options
from cvr_data.features.protocol import Encoder

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


@dataclass(frozen=True)
class BenchModel:
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

    @property
    def reads_clips(self) -> bool:
        """Whether the model has eyes of its own, so that stored features tell nothing of it."""
        return isinstance(self.component, ReadsClips) and self.component.READS_CLIPS

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
            **({"reference": self.sources.reference} if self.sources.reference != "exclude" else {}),
            **({"train_data": self.training.identity()} if self.training and self.train_config else {}),
            **({"allow_trained_generator": True} if run.allow_trained_generator else {}),
            "source_sha256": model_source_digest(self.component, self.config),
        }

    def weights(self) -> dict[str, Path]:
        """Return the trained weights that go into the model, by what to call them."""
        own = {} if self.run.checkpoint is None else {"weights": self.run.checkpoint}
        return own | {f"weights of {name}": path for name, path in model_option_checkpoints(self.config).items()}

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
            features={name: artifact_input_key(path) for name, path in read.items()},
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


def bench_model(run: BenchRun, sources: Sources, encoder: Encoder) -> BenchModel:
    """Return the model of a run, with the weights of its checkpoint. Raises CvrError: options or weights do not fit."""
    component = MODELS.get(run.model)
    config = parse_config(component.Config, _with_seed(component.Config, run.options, run), where=run.model)
    retriever = load_retriever(component, config, encoder)
    train_config = _train_config(run, retriever)
    if run.checkpoint is not None:
        load_model_checkpoint(retriever, run.checkpoint, encoder)
    training = sources.training if train_config is None else sources.training_of(run.model, component)
    return BenchModel(run, sources, component, config, retriever, train_config, training)


def _with_seed(config_class: type, options: Sequence[str], run: BenchRun) -> dict[str, str]:
    """The options, with the run's seed where the Config has one and none is given."""
    given = split_key_value_options(options, run.model)
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
