"""How to train: the options of the one trainer (`-t key=value`)."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How to train."""

    epochs: int = 30
    """Passes over the triplets, at most."""
    batch_size: int = 64
    """Triplets per step, each a negative of the others; some thousand triplets want many small steps."""
    lr: float = 2e-3
    """Highest learning rate; right for small models on frozen features. FDCA as released: 1e-4."""
    optimizer: Literal["adamw", "adam"] = "adamw"
    """AdamW leaves norms and biases undecayed."""
    weight_decay: float = 0.01
    """Of AdamW."""
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    """How the learning rate falls to zero after the warm-up, or that it stays."""
    warmup: float = 0.05
    """Share of all steps in which the learning rate rises from zero."""
    clip_norm: float = 1.0
    """Largest norm of the gradient; 0 does not clip."""
    precision: Literal["auto", "no", "bf16", "fp16"] = "auto"
    """Mixed precision; auto is bf16 on a GPU and none on a CPU, where these models are too small to gain."""
    patience: int = 10
    """Stop after so many validations without a better one; 0 never stops early."""
    validate_every: int = 1
    """Epochs between validations; the last epoch is always validated."""
    seed: int = 0
    """Of the order of triplets and of dropout."""

    def __post_init__(self) -> None:
        for name in ("epochs", "validate_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}.")
        if self.batch_size < 2:
            raise ValueError(
                f"batch_size must be at least 2, as triplets learn from each other, got {self.batch_size}."
            )
        if not self.lr > 0 or not 0 <= self.warmup < 1:
            raise ValueError(f"lr must be above 0 and warmup in [0, 1), got {self.lr} and {self.warmup}.")
