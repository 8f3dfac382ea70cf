"""Retrieve without training: a language model edits the reference's caption, and the nearest clips are sorted by it.

    cvr bench --model tfr-covr -o backend=vllm -o backend_options=model=Qwen/Qwen2.5-7B-Instruct,form=chat

The reference's caption is the query's description. The gallery's 15 nearest videos by mean frame embedding are put in
the order of their likeness to the edited caption; all others stay behind them, by visual likeness. A query without a
description, or whose caption the model fails to edit, is sorted by its modification text.

Source: TFR-CVR, Hummel et al., "EgoCVR", ECCV 2024 (https://arxiv.org/abs/2407.16658), which takes LanguageBind for the
first stage and EgoVLPv2 for the second; here both are the stored features.
"""

# Shapes: Q queries, G gallery items, D embedding.

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from cvr_bench.models.parts.language_model import LanguageModel
from cvr_bench.models.parts.pooled import pooled_retriever, pooled_videos
from cvr_bench.models.parts.retriever import check_retriever_space
from cvr_bench.models.parts.two_stages import (
    reranker_model_scores,
    reranker_model_shortlist,
    reranker_reference_columns,
)
from cvr_bench.tasks.task import Item, Query, task_modifications
from cvr_data.core.trust import OUTSIDE
from cvr_data.features.protocol import Encoder
from cvr_data.modifications.backends import BACKENDS, BackendModule


@dataclass(frozen=True, kw_only=True)
class Config:
    backend: str = "transformers"
    """What edits captions: a name of `cvr list backends`. The default model is small; take one of 7B or more."""
    backend_options: tuple[str, ...] = ()
    """Its `key=value` options, separated by commas."""
    prompt: str = "edit-caption"
    """A built-in prompt, or a YAML file."""
    neighbours: int = 15
    """Videos that the first stage keeps for the second, as released."""
    cache: Path | None = field(default=None, metadata={"output": False, OUTSIDE: True})
    """Request cache; None is that of `cvr generate-modifications`."""

    def __post_init__(self) -> None:
        if self.neighbours < 1:
            raise ValueError(f"neighbours must be at least 1, got {self.neighbours}.")


TINY = Config(backend="echo", neighbours=2)


def parts(config: Config) -> list[BackendModule]:
    return [BACKENDS.get(config.backend)]


def load(config: Config, encoder: Encoder) -> "TfrCovr":
    check_retriever_space(encoder, "tfr-covr")
    return TfrCovr(config, encoder)


class TfrCovr:
    """Scores in two stages."""

    def __init__(self, config: Config, encoder: Encoder):
        self.config = config
        self.encoder = encoder
        self.editor = LanguageModel(config.backend, config.backend_options, config.prompt, config.cache)
        self.videos = pooled_retriever(encoder, lambda queries: pooled_videos(encoder, queries))
        self.gallery: Sequence[Item] = ()

    def index(self, gallery: Sequence[Item]) -> None:
        """Embed the gallery, which is one of videos."""
        self.gallery = gallery
        self.videos.index(gallery)

    def score(self, queries: Sequence[Query]) -> Tensor:
        """Return scores_QG."""
        task_modifications(queries)  # says so where there is none
        visual_QG = self.videos.score(queries)
        assert self.videos.gallery_GD is not None
        text_QD = self.encoder.encode_texts(self.edited_captions(queries)).pooled_BD
        listed_QG = reranker_model_shortlist(
            visual_QG, reranker_reference_columns(queries, self.gallery), self.config.neighbours
        )
        return reranker_model_scores(visual_QG, text_QD @ self.videos.gallery_GD.T, listed_QG)

    def edited_captions(self, queries: Sequence[Query]) -> list[str]:
        """Return what each target should look like, in words."""
        texts = task_modifications(queries)
        asked = [number for number, query in enumerate(queries) if query.description]
        answers = self.editor.answers(
            [
                {"reference_caption": queries[number].description or "", "modification": texts[number]}
                for number in asked
            ]
        )
        edited = dict(zip(asked, answers, strict=True))
        return [edited.get(number) or text for number, text in enumerate(texts)]
