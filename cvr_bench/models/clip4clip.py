"""Compare a text vector with the frames of a video (CLIP4Clip): DRL's baseline, and its dp and xti rows.

`header` is what the paper calls the similarity calculator: meanP (mean frame), seqLSTM, seqTransf (frames see each
other first) or tightTransf (a Transformer over each pair). Modes differ as those of `drl`, whose network it is, without
its regularisation.

Source: Luo et al., "CLIP4Clip", 2021 (https://arxiv.org/abs/2104.08860), code github.com/ArrowLuo/CLIP4Clip; as
released it multiplies scores by the temperature in evaluation too, which changes no rank.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal

from cvr_bench.models.networks.drl.model import DrlOptions, LateOptions, load_drl_model
from cvr_bench.models.networks.drl.network import Aggregation
from cvr_bench.models.networks.drl.retriever import LateRetriever
from cvr_bench.models.parts.retriever import DenseRetriever, check_retriever_space
from cvr_data.features.protocol import Encoder

NEEDS_REFERENCE = False
"""Whether it learns from reference videos; this one learns from captions."""
AGGREGATIONS: Mapping[str, Aggregation] = {"seqLSTM": "seqLSTM", "seqTransf": "seqTransf"}
"""Header -> how frames see each other; they do not in the others."""


@dataclass(frozen=True, kw_only=True)
class Config(LateOptions):
    mode: Literal["fixed", "faithful"] = "fixed"
    """As drl's."""
    header: Literal["meanP", "seqLSTM", "seqTransf", "tightTransf"] = "meanP"
    """How a text meets the frames."""
    clip: str | None = None
    """A CLIP (folder or hub id) whose first text layers the header's Transformer starts from."""


TINY = Config(header="seqTransf", positions=16)


def load(config: Config, encoder: Encoder) -> LateRetriever | DenseRetriever:
    check_retriever_space(encoder, "clip4clip")
    shared = {field.name: getattr(config, field.name) for field in fields(LateOptions)}
    options = DrlOptions(
        interaction="xti" if config.header == "tightTransf" else "dp",
        aggregation=AGGREGATIONS.get(config.header, "none"),
        cdcr=0,
        **shared,
    )
    return load_drl_model(options, encoder)
