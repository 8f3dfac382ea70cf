"""Ask a language model how well a candidate answers a query, from 0 to 10; meant for the second stage of `rerank`.

    cvr bench --model rerank -o first=combiner -o first_checkpoint=results/combiner-mine -o top=20 \
        -o second=judge -o second_options=backend=openai,videos=videos

It reads the reference's description and the candidate's first caption in the videos table. With `frames`, it is shown
frames of reference and candidate too, which takes a vision-language model. Every pair is one request, so on its own it
ranks only a small gallery; answers are in the request cache. A pair it gives no number for ranks behind the others.
"""

# Shapes: Q queries, G gallery items.

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from cvr_bench.models.parts.language_model import LanguageModel
from cvr_bench.models.parts.retriever import retriever_videos_and_texts
from cvr_bench.tasks.task import Item, Query, task_modifications, task_references
from cvr_data.core.artifacts import open_artifact
from cvr_data.core.errors import CvrError
from cvr_data.core.trust import OUTSIDE
from cvr_data.features.protocol import Encoder
from cvr_data.media.places import read_media_clips
from cvr_data.media.video import jpeg_bytes, read_frames
from cvr_data.modifications.backends import BACKENDS, BackendModule

READS_CLIPS = True
"""Its inputs are captions and files, so features that are altered for an audit do not reach it."""
BEST = 10.0
NUMBER = re.compile(r"\d+(?:\.\d+)?")
UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Config:
    backend: str = "transformers"
    """What rates: a name of `cvr list backends`."""
    backend_options: tuple[str, ...] = ()
    """Its `key=value` options, separated by `;` here, as commas separate the options of this model in `rerank`."""
    prompt: str = "match"
    """A built-in prompt, or a YAML file."""
    videos: Path | None = None
    """The videos table with captions and files; without one only references' descriptions are known."""
    frames: int = 0
    """Frames of the reference, and as many of the candidate, that are shown; 0 shows none."""
    cache: Path | None = field(default=None, metadata={"output": False, OUTSIDE: True})
    """Request cache; None is that of `cvr generate-modifications`."""

    def __post_init__(self) -> None:
        if self.frames < 0 or (self.frames and self.videos is None):
            raise ValueError("frames must be at least 0, and above 0 needs -o videos=VIDEOS.")


TINY = Config(backend="echo")


def parts(config: Config) -> list[BackendModule]:
    return [BACKENDS.get(config.backend)]


def load(config: Config, encoder: Encoder) -> "Judge":
    return Judge(config)


class Judge:
    """Scores single pairs."""

    def __init__(self, config: Config):
        self.config = config
        options = [part for text in config.backend_options for part in text.split(";") if part]
        self.model = LanguageModel(config.backend, options, config.prompt, config.cache)
        rows = [] if config.videos is None else open_artifact(config.videos).read(["video_id", "captions"]).to_pylist()
        self.captions = {row["video_id"]: row["captions"][0] for row in rows if row["captions"]}
        self.files = {} if config.videos is None else read_media_clips(config.videos)
        self.gallery: Sequence[Item] = ()

    def index(self, gallery: Sequence[Item]) -> None:
        """Remember the gallery, which is one of videos. Raises CvrError: an item is a text."""
        retriever_videos_and_texts(gallery, ranks_texts=False)
        self.gallery = gallery

    def score(self, queries: Sequence[Query]) -> Tensor:
        """Return scores_QG, 0 to 1; no number counts as 0."""
        task_references(queries), task_modifications(queries)  # say so where there is none
        item_ids = [item.item_id for item in self.gallery]
        return torch.stack([self.rescore(query, item_ids).nan_to_num(nan=0.0) for query in queries])

    def rescore(self, query: Query, item_ids: Sequence[str]) -> Tensor:
        """Return a score of 0 to 1 per item, NaN where the model gives no number."""
        reference_id = task_references([query])[0].video_id
        known = {
            "reference_caption": query.description or self.captions.get(reference_id, UNKNOWN),
            "modification": task_modifications([query])[0],
        }
        variables = [{**known, "candidate_caption": self.captions.get(item_id, UNKNOWN)} for item_id in item_ids]
        answers = self.model.answers(variables, self._images(reference_id, item_ids))
        return torch.tensor([judge_model_score(answer) for answer in answers])

    def _images(self, reference_id: str, item_ids: Sequence[str]) -> list[tuple[bytes, ...]] | None:
        if not self.config.frames:
            return None
        reference = self._frames(reference_id)
        return [(*reference, *self._frames(item_id)) for item_id in item_ids]

    def _frames(self, video_id: str) -> tuple[bytes, ...]:
        video = self.files.get(video_id)
        if video is None or video.path is None:
            raise CvrError(f"judge: {self.config.videos} has no file of {video_id}.")
        return tuple(jpeg_bytes(frame) for frame in read_frames(video.clip, self.config.frames))


def judge_model_score(answer: str | None) -> float:
    """Return the first number of an answer as a share of 10, at most 1; NaN where there is none."""
    found = NUMBER.search(answer or "")
    return min(float(found[0]), BEST) / BEST if found else float("nan")
