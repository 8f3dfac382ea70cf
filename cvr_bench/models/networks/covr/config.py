"""Options of the CoVR family; the Config of each of its models inherits them."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from cvr_data.core.ranges import SHARE, SIZE, TEMPERATURE, option_range

Mode = Literal["fixed", "faithful"]
Pooling = Literal["mean", "middle", "query"]
Loss = Literal["hn-nce", "info-nce"]


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """What a network of the family is made of."""

    mode: Mode = "fixed"
    """What was released, or that without its flaws."""
    model: str | None = None
    """Folder or hub id of a BLIP retrieval model of transformers, that of the features; None is a small network."""
    reference_tokens: Path | None = None
    """Embeddings folder with all tokens of the references' middle frames; None looks in the scored features."""
    temperature: float = field(default=0.07, metadata=option_range(TEMPERATURE))
    """Of the logits; not learned, as released."""
    width: int = field(default=128, metadata=option_range(SIZE))
    """Of the small network's states."""
    layers: int = field(default=2, metadata=option_range(SIZE))
    """Of the small network; as published 12."""
    heads: int = field(default=4, metadata=option_range(SIZE))
    """Of the small network's attention."""
    dropout: float = field(default=0.1, metadata=option_range(SHARE))
    """Of the small network."""
    checkpoint: Path | None = None
    """Trained weights; None starts from those of `model`, or from random ones."""
    seed: int = 0
    """Of the first weights."""

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise ValueError(f"width must be a multiple of heads, got {self.width} and {self.heads}.")

    @property
    def is_faithful(self) -> bool:
        """Whether it trains and reads as released."""
        return self.mode == "faithful"


@dataclass(frozen=True, kw_only=True)
class CovrConfig(NetworkConfig):
    """What a model whose targets are frozen features is made of and learns from."""

    pooling: Pooling = "mean"
    """Of a target's frames in training: mean, middle or, as released, query (weighted by its annotated scores)."""
    loss: Loss = "hn-nce"
    """Whether close negatives weigh more."""


@dataclass(frozen=True, kw_only=True)
class QFormerConfig(NetworkConfig):
    """What a model that reads references and targets alike with BLIP-2's Q-Former is made of (ReTrack, HUD)."""

    model: str | None = None
    """Folder or hub id of a BLIP-2 retrieval model of transformers; None is a small network."""
    reference_tokens: Path | None = None
    """Embeddings folder with all vision tokens of references and targets (`-o tokens=states`); needed with `model`."""
    queries: int = field(default=8, metadata=option_range(SIZE))
    """Query tokens of the small network; as published 32."""
