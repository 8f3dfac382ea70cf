"""Retrieve with a native multimodal embedder: reference clip and text in one input, one vector per video.

    cvr embed videos --encoder embedder -o model=Qwen/Qwen3-VL-Embedding-2B -O embeddings/qwen
    cvr bench --model embedder -e embeddings/qwen --data egocvr
    cvr bench --model embedder -e embeddings/clip -o model=jinaai/jina-embeddings-v5-omni-small -o videos=videos

Without `model` it is the one that made the stored features, which are the gallery. With another one than that, the
gallery is embedded from the files too, and the features only say which videos there are. Audits change what the model
is shown (frames turned round, a text left out) and embed that anew.

Source: query and document sides as in sentence-transformers (https://sbert.net/docs) and MTEB
(https://arxiv.org/abs/2502.13595).
"""

# Shapes: B queries or videos, D embedding.

from collections.abc import Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor

from cvr_bench.models.parts.pooled import model_half_queries, model_pooled_texts, pooled_videos, untrained_retriever
from cvr_bench.models.parts.retriever import DenseRetriever, check_retriever_space
from cvr_bench.tasks.task import Query
from cvr_data.core.errors import CvrError
from cvr_data.core.lineage import follow
from cvr_data.core.registry import config_dict
from cvr_data.core.trust import stored
from cvr_data.features.encoders import ENCODERS
from cvr_data.features.encoders.embedder import Embedder
from cvr_data.features.encoders.networks.embedding_input import (
    EmbeddingInput,
    Side,
    embedder_frames_to_order,
    embedder_item_in_order,
)
from cvr_data.features.encoders.stored import StoredEncoder
from cvr_data.features.protocol import Encoder, WrapsEncoder
from cvr_data.media.places import read_media_clips
from cvr_data.media.video import Video

KIND = "embedder"
"""The encoder whose models compose."""
READERS = 2
"""Threads that decode."""
REMEMBERED = 50_000
"""Embeddings kept in memory: audits ask for the same ones again."""


@dataclass(frozen=True, kw_only=True)
class Config:
    model: str | None = None
    """As of `cvr embed --encoder embedder`; None is the model that made the stored features."""
    options: tuple[str, ...] = ()
    """Further `key=value` options of that encoder, separated by commas, such as `dim=512,sampler=mteb@2`."""
    videos: Path | None = None
    """The videos table that tells where the files are; None is the one that the stored features were made of."""
    instruction: str | None = None
    """What the model is told that queries ask for; None is its own prompt for queries."""
    tiny: bool = False
    """Stored features, added, instead of a model: for tests."""

    def __post_init__(self) -> None:
        if self.options and self.model is None:
            raise ValueError("options belong to a model: -o model=MODEL.")


TINY = Config(tiny=True)


@runtime_checkable
class AltersInputs(Protocol):
    """An encoder that may alter what it is asked for, and says how: a model that looks at files does so to them."""

    altered: Hashable
    """What is done at the moment."""

    def frame_order(self, video: Video, count: int) -> list[int]:
        """Return which frames of a video are seen, in which order; none where there is nothing to see."""

    def is_read(self, text: str) -> bool:
        """Return whether there is anything to read in a text."""


def load(config: Config, encoder: Encoder) -> DenseRetriever:
    if config.tiny:
        return _added(encoder)
    features = _stored_features(encoder)
    embedder, is_stored = _embedder(config, features)
    composer = Composer(config, embedder, encoder, _videos_table(config, features))

    def encode_videos(videos: Sequence[Video]) -> Tensor:
        if is_stored and not composer.is_altered:
            return encoder.encode_videos(videos).pooled_BD()
        return composer.embed([(video, None) for video in videos], "document", embedder.config.document_prompt)

    def encode_texts(texts: Sequence[str]) -> Tensor:
        return composer.embed([(None, text) for text in texts], "document", embedder.config.document_prompt)

    return DenseRetriever(composer.encode_queries, encode_videos, encode_texts=encode_texts)


class Composer:
    """Embeds queries and videos from files, as the encoder that audits alter lets them be seen."""

    def __init__(self, config: Config, embedder: Embedder, encoder: Encoder, videos: Path):
        self.embedder, self.encoder, self.videos = embedder, encoder, videos
        self.prompt = config.instruction or embedder.config.query_prompt
        self.files = read_media_clips(videos)
        self._known: dict[Hashable, Tensor] = {}

    @property
    def is_altered(self) -> bool:
        """Whether an audit alters what there is to see."""
        probe = Video("probe")
        return isinstance(self.encoder, AltersInputs) and self.encoder.frame_order(probe, 4) != [0, 1, 2, 3]

    def encode_queries(self, queries: Sequence[Query]) -> Tensor:
        """Return (B, D) of unit length."""
        videos = [None if query.reference is None else query.reference.video for query in queries]
        pairs = [(video, query.modification) for video, query in zip(videos, queries, strict=True)]
        return self.embed(pairs, "query", self.prompt)

    def embed(self, pairs: Sequence[tuple[Video | None, str | None]], side: Side, prompt: str | None) -> Tensor:
        """Return (B, D) of videos, texts, or both in one input.

        Raises:
            CvrError: a video is not in the table, has no file or cannot be read, or the model takes no such input.
        """
        altered = self.encoder.altered if isinstance(self.encoder, AltersInputs) else None
        keys = [(altered, side, video and video.video_id, text) for video, text in pairs]
        new = {key: pair for key, pair in zip(keys, pairs, strict=True) if key not in self._known}
        waiting, call = list(new), self.embedder.clips_per_call
        with ThreadPoolExecutor(READERS) as pool:
            for start in range(0, len(waiting), call):
                part = waiting[start : start + call]
                items = list(pool.map(self._input, [new[key] for key in part]))
                self._known |= zip(part, self.embedder.encode_items(items, side, prompt), strict=True)
        rows_BD = torch.stack([self._known[key] for key in keys])
        for key in list(self._known)[: max(0, len(self._known) - REMEMBERED)]:
            del self._known[key]
        return rows_BD

    def _input(self, pair: tuple[Video | None, str | None]) -> EmbeddingInput:
        video, text = pair
        alters = self.encoder if isinstance(self.encoder, AltersInputs) else None
        if text is not None and alters is not None and not alters.is_read(text):
            text = None
        if video is None:
            return EmbeddingInput(text or "")
        item = self.embedder.read_clip(self._file(video))
        if alters is not None:
            takes_frames = self.embedder.model.takes_frames
            count = embedder_frames_to_order(item, takes_frames)
            order = alters.frame_order(video, count)
            if not order:
                return EmbeddingInput(text or "")
            if order != list(range(count)):
                item = embedder_item_in_order(item, order, takes_frames)
        return EmbeddingInput(text, item.frames, item.clip, item.sound_N, item.order)

    def _file(self, video: Video) -> Video:
        found = self.files.get(video.video_id)
        if found is None or found.path is None:
            raise CvrError(f"embedder: {self.videos} has no file of {video.video_id}.")
        return found


def _added(encoder: Encoder) -> DenseRetriever:
    check_retriever_space(encoder, KIND)

    def encode_queries(queries: Sequence[Query]) -> Tensor:
        if (half_BD := model_half_queries(encoder, queries)) is not None:
            return half_BD
        return F.normalize(pooled_videos(encoder, queries) + model_pooled_texts(encoder, queries), dim=-1)

    return untrained_retriever(encoder, encode_queries)


def _stored_features(encoder: Encoder) -> StoredEncoder | None:
    found: Any = encoder
    while isinstance(found, WrapsEncoder):
        found = found.encoder
    return found if isinstance(found, StoredEncoder) else None


def _embedder(config: Config, features: StoredEncoder | None) -> tuple[Embedder, bool]:
    """The encoder, and whether it made the stored features."""
    made = {} if features is None else features.store.artifact.manifest["config"]
    is_own = made.get("encoder") == KIND
    component = ENCODERS.get(KIND)
    if config.model is None:
        if not is_own:
            by = made.get("encoder", "no encoder at all")
            raise CvrError(
                f"The features are by {by}; name a model: -o model=MODEL, or make its features: cvr embed --encoder "
                "embedder -o model=MODEL."
            )
        with stored():
            return component.load(ENCODERS.config(KIND, made["options"])), True  # type: ignore[return-value]
    chosen = ENCODERS.config(KIND, (f"model={config.model}", *config.options))
    same = is_own and {**made["options"], "query_prompt": chosen.query_prompt} == config_dict(chosen)
    return component.load(chosen), same  # type: ignore[return-value]


def _videos_table(config: Config, features: StoredEncoder | None) -> Path:
    if config.videos is not None:
        return config.videos
    found = () if features is None else follow(features.store.artifact.path, "videos")
    if not found:
        raise CvrError("embedder reads files, and the features do not say of which videos: -o videos=VIDEOS.")
    return found[0]
