"""Compare a text vector with the frames of a video (CLIP4Clip): DRL's baseline, and its dp and xti rows.

`header` is what the paper calls the similarity calculator: meanP (mean frame), seqLSTM, seqTransf (frames see each
other first) or tightTransf (a Transformer over each pair). Modes differ as those of `drl`, whose network it is, without
its regularisation.

Source: Luo et al., "CLIP4Clip", 2021 (https://arxiv.org/abs/2104.08860), code github.com/ArrowLuo/CLIP4Clip; as
released it multiplies scores by the temperature in evaluation too, which changes no rank.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cvr_bench.models.networks.drl.losses import Cdcr
from cvr_bench.models.networks.drl.model import MIN_TEMPERATURE, Options, load_drl
from cvr_bench.models.networks.drl.network import Aggregation
from cvr_bench.models.networks.drl.retriever import LateRetriever
from cvr_bench.models.parts.retriever import DenseRetriever, check_one_space
from cvr_data.features.protocol import Encoder

NEEDS_REFERENCE = False
"""Whether it learns from reference videos; this one learns from captions."""
AGGREGATIONS: Mapping[str, Aggregation] = {"seqLSTM": "seqLSTM", "seqTransf": "seqTransf"}
"""Header -> how frames see each other; they do not in the others."""


@dataclass(frozen=True, kw_only=True)
class Config:
    mode: Literal["fixed", "faithful"] = "fixed"
    """As drl's."""
    header: Literal["meanP", "seqLSTM", "seqTransf", "tightTransf"] = "meanP"
    """How a text meets the frames."""
    temperature: float = 0.01
    """At the start, as CLIP's; it is learned."""
    positions: int = 77
    """Most frames of a video, as released."""
    clip: str | None = None
    """A CLIP (folder or hub id) whose first text layers the header's Transformer starts from."""
    checkpoint: Path | None = None
    """Trained weights; None starts from random ones."""
    seed: int = 0
    """Of the first weights."""

    def __post_init__(self) -> None:
        if self.temperature < MIN_TEMPERATURE:
            raise ValueError(f"temperature must be at least {MIN_TEMPERATURE}, got {self.temperature}.")


TINY = Config(header="seqTransf", positions=16)


def load(config: Config, encoder: Encoder) -> LateRetriever | DenseRetriever:
    """Return the model over frozen features.

    Raises:
        CvrError: videos and texts are not in one space, or a checkpoint does not fit.
    """
    check_one_space(encoder, "clip4clip")
    options = Options(
        faithful=config.mode == "faithful",
        interaction="xti" if config.header == "tightTransf" else "dp",
        wti_layers=1,
        aggregation=AGGREGATIONS.get(config.header, "none"),
        cdcr=Cdcr(mode=0, diagonal=0.0, others=0.0, released=False),
        cdcr_lambda=0.0,
        temperature=config.temperature,
        positions=config.positions,
        max_words=0,
        max_frames=0,
        clip=config.clip,
        checkpoint=config.checkpoint,
        seed=config.seed,
    )
    return load_drl(options, encoder)
