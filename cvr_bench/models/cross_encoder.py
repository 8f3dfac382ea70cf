"""Score query and candidate together by a multimodal CrossEncoder of sentence-transformers.

    cvr bench --model rerank -e embeddings/qwen -o first=embedder -o second=cross-encoder -o top=20 \
        -o second_options=model=Qwen/Qwen3-VL-Reranker-2B,videos=videos

The query is the reference's film with the text, the document the candidate's film, in the form that the model itself
was trained on; the score is its raw output, such as the logit of yes minus that of no.

Source: https://sbert.net/docs (CrossEncoder; 5.4 and above take images, films and sound).
"""

# Shapes: B pairs.

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cvr_bench.models.parts.clip_pairs import ClipPair, DrawnScorer, PairConfig, PairScorer
from cvr_data.core.device import torch_device_of, torch_dtype_of
from cvr_data.core.errors import CvrError, first_line
from cvr_data.core.ranges import SIZE, option_range
from cvr_data.features.encoders.networks.checkpoints import loading_encoder
from cvr_data.features.encoders.networks.embedding_input import EmbeddingInput
from cvr_data.features.encoders.networks.sentence_model import SAMPLED, check_embedder_modalities, sentence_input
from cvr_data.features.protocol import Encoder

READS_CLIPS = True
"""Its inputs are files, so features that are altered for an audit do not reach it."""


@dataclass(frozen=True, kw_only=True)
class Config(PairConfig):
    revision: str | None = None
    """Commit of a hub id; None is the newest."""
    instruction: str | None = None
    """What the model is told that queries ask for; None is its own prompt."""
    frames: int = field(default=64, metadata=option_range(SIZE))
    """Frames of each video, at most."""
    sampler: str = "fps@2"
    """Which frames."""


TINY = Config(tiny=True)


def load(config: Config, encoder: Encoder) -> PairScorer | DrawnScorer:
    if config.tiny:
        return DrawnScorer()
    model = _loaded(config)

    def score(pairs: Sequence[ClipPair]) -> list[float]:
        return [_score_of(model, pair, config) for pair in pairs]

    return PairScorer("cross-encoder", config, score)


def _score_of(model: Any, pair: ClipPair, config: Config) -> float:
    """The raw output of one pair, alone: the library takes when frames are shown for a whole call, not in a pair."""
    from torch import nn

    asked = EmbeddingInput(pair.text, pair.reference), EmbeddingInput(None, pair.candidate)
    times: list[Any] = []
    query, document = (_without_times(sentence_input(model, item, 0), times) for item in asked)
    sampled = {**SAMPLED, "video": {**SAMPLED["video"], **({"video_metadata": times} if times else {})}}
    try:
        found = model.predict(
            [(query, document)], prompt=config.instruction, activation_fn=nn.Identity(), convert_to_tensor=True,
            show_progress_bar=False, processing_kwargs=sampled,
        )  # fmt: skip
    except (ValueError, TypeError, KeyError) as error:
        raise CvrError(f"{config.model} does not score such pairs ({first_line(error)}).") from None
    return float(found.float().flatten()[-1])


def _without_times(item: Any, times: list[Any]) -> Any:
    """An item whose film is frames alone; when they are shown is put among the times."""
    if isinstance(item, str) or "video" not in item:
        return item
    times.append(item["video"]["video_metadata"])
    return {**item, "video": item["video"]["array"]}


def _loaded(config: Config) -> Any:
    """The model, in evaluation mode. Raises CvrError: nothing is there, or it takes no videos."""
    from sentence_transformers import CrossEncoder

    device = torch_device_of(config.device)
    what = f"{config.model}: neither a folder of sentence-transformers nor a reachable model that this can load"
    with loading_encoder(what, OSError, ValueError, RuntimeError, ImportError):
        model = CrossEncoder(
            config.model, revision=config.revision, device=str(device), trust_remote_code=False,
            local_files_only=Path(str(config.model)).is_dir(),
            model_kwargs={"dtype": torch_dtype_of(config.dtype, device)},
        ).eval()  # fmt: skip
    check_embedder_modalities(model, str(config.model))
    return model
