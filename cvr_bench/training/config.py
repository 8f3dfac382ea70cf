"""How to train: the options of the one trainer (`-t key=value`)."""

from dataclasses import dataclass, field
from typing import Literal

from cvr_data.core.ranges import NOT_NEGATIVE, POSITIVE, SHARE, SIZE, Ranged, option_range

LOGGERS = ("tensorboard", "wandb")


@dataclass(frozen=True, kw_only=True)
class TrainConfig(Ranged):
    """How to train."""

    epochs: int = field(default=30, metadata=option_range(SIZE))
    """Passes over the triplets, at most."""
    batch_size: int = field(default=64, metadata=option_range("[2, inf)"))
    """Triplets per step, of all devices together, each a negative of the others; some thousand triplets want many small
    steps."""
    chunk_size: int = 0
    """Triplets whose activations are in memory at once, on each device; gradients stay those of the batch. 0 is all."""
    sampling: Literal["triplet", "target", "balanced"] = "triplet"
    """What an epoch visits: every triplet; every target, with one of its triplets (CoVR's own); or as many triplets as
    there are, those of a target with n in proportion to n ** (1 / balance)."""
    balance: float = field(default=2.0, metadata=option_range(POSITIVE))
    """Temperature of `balanced`: 1 is by triplet, a large one by target."""
    hard_negatives: int = 0
    """Triplets placed next to each one, in its batch, whose targets were ranked highest for it by mistake when
    validation was last done."""
    lr: float = field(default=2e-3, metadata=option_range(POSITIVE))
    """Highest learning rate; right for small models on frozen features. FDCA as released: 1e-4."""
    coef_lr: float = field(default=1.0, metadata=option_range(NOT_NEGATIVE))
    """Share of lr for the parameters of the pretrained part; DRL: 1e-3."""
    pretrained: str = "clip."
    """How the names of those parameters begin; used where coef_lr is not 1."""
    optimizer: Literal["adamw", "adam", "bertadam"] = "adamw"
    """BertAdam, of DRL and CLIP4Clip, has no bias correction and clips each parameter's gradient on its own as well."""
    weight_decay: float = field(default=0.01, metadata=option_range(NOT_NEGATIVE))
    """Of AdamW and BertAdam."""
    decay: Literal["matrices", "all"] = "matrices"
    """`all` also decays norms, biases and single numbers, as CoVR does."""
    schedule: Literal["cosine", "linear", "constant", "bertadam", "epoch-cosine"] = "cosine"
    """How the learning rate falls to zero after the warm-up, or that it stays. BertAdam's takes its place on the cosine
    from the start of training, so it falls at once when warm-up ends; epoch-cosine is set once per epoch, as CoVR's."""
    warmup: float = field(default=0.05, metadata=option_range(SHARE))
    """Share of all steps in which the learning rate rises from zero."""
    clip_norm: float = field(default=1.0, metadata=option_range(NOT_NEGATIVE))
    """Largest norm of the gradient; 0 does not clip."""
    ema: float = field(default=0.0, metadata=option_range(SHARE))
    """Decay of a moving average of the weights, which is validated and kept instead of them; 0 keeps none."""
    precision: Literal["auto", "no", "bf16", "fp16"] = "auto"
    """Mixed precision; auto is bf16 on GPUs that have it and none on a CPU, where models are too small to gain."""
    patience: int = 10
    """Stop after so many validations without a better one; 0 never stops early."""
    validate_every: int = field(default=1, metadata=option_range(SIZE))
    """Epochs between validations; the last epoch is always validated."""
    seed: int = 0
    """Of the order of triplets and of dropout."""
    log_every: int = field(default=0, metadata={"output": False})
    """Steps between rows of training-steps.csv, and of the loggers; 0 logs epochs alone."""
    loggers: str = field(default="", metadata={"output": False})
    """Where numbers go beside the CSV files: tensorboard, wandb or both with a comma between; they are extras."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.chunk_size == 1:
            raise ValueError(f"chunk_size must be 0 or at least 2, got {self.chunk_size}.")
        if set(self.logger_names) - set(LOGGERS):
            raise ValueError(f"loggers are {' and '.join(LOGGERS)}, got {self.loggers!r}.")

    @property
    def logger_names(self) -> tuple[str, ...]:
        """The names in `loggers`."""
        return tuple(name.strip() for name in self.loggers.split(",") if name.strip())
