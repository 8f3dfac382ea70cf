"""Finds videos of a folder by a clip that is like them, by what should be different, or by both.

    videos = open_library(Path("videos"), Path("embeddings"))
    search(videos, Question(like="v17", texts=("at night",)), SearchModel(), 10)[0].video_id

Every model of the bench can rank: `sum` needs no training. Texts are asked one by one and their scores averaged; a text
that should not be true takes away its own score.
"""

# Shapes: Q queries, G videos of the folder.

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch
from torch import Tensor

from cvr_bench.data.remembering import RememberingEncoder
from cvr_bench.models.parts.trained import scoring_model
from cvr_bench.tasks.task import Item, Query
from cvr_data.core.artifacts import open_artifact
from cvr_data.core.callable_module import call_as_function
from cvr_data.core.columns import check_columns
from cvr_data.core.errors import CvrError, did_you_mean
from cvr_data.core.trust import stored
from cvr_data.features.encoders import ENCODERS
from cvr_data.features.encoders.stored import StoredEncoder
from cvr_data.features.protocol import VideoFeatures
from cvr_data.features.store import FeatureStore
from cvr_data.media.places import whole_path
from cvr_data.media.video import Video
from cvr_data.tables import VIDEOS

NOT_WEIGHT = 0.5
"""Share of the score by a text that should not be true which is taken away."""


@dataclass(frozen=True)
class Library:
    """A videos table whose features are stored: what is searched."""

    videos: pa.Table
    folder: Path
    store: FeatureStore
    encoder: "SeesFiles"

    @property
    def ids(self) -> list[str]:
        """The ids of the videos that can be found, in the order of the table."""
        return self.videos.column("video_id").to_pylist()


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is looked for."""

    like: str | None = None
    """Id of a video of the folder, or a media file."""
    texts: tuple[str, ...] = ()
    """What should be different; without `like` what is to be seen."""
    without: tuple[str, ...] = ()
    """What should not be true."""


@dataclass(frozen=True, kw_only=True)
class SearchModel:
    """Who ranks."""

    name: str = "sum"
    options: tuple[str, ...] = ()
    checkpoint: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Found:
    """A video that was found."""

    video_id: str
    caption: str
    path: str | None
    score: float
    by_text: float | None
    """Cosine of the texts and the video, the mean over texts; None where no text was given."""
    by_video: float | None
    """Cosine of the two videos' mean frames; None where no video was given."""


class SeesFiles:
    """An encoder of stored features that also looks at a video which is a file and not stored."""

    def __init__(self, store: FeatureStore):
        self.store = store.shared()
        self.known: Any = RememberingEncoder(StoredEncoder(self.store))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.known, name)

    def encode_videos(self, videos: Sequence[Video]) -> VideoFeatures:
        """Return stored features, or those of the one file that is asked for.

        Raises:
            CvrError: the file cannot be read, or what made the features encodes no files.
        """
        if len(videos) != 1 or self.store.has_videos([videos[0].video_id])[0]:
            return self.known.encode_videos(videos)
        name, options = self.store.encoder["name"], self.store.artifact.manifest["config"]["options"]
        with stored():
            raw = ENCODERS.get(name).load(ENCODERS.config(name, options)).encode_videos(videos)
        return self.store.heads.videos(raw) if self.store.heads else raw


def open_library(videos: Path, embeddings: Path) -> Library:
    """Return the videos of a folder that have features.

    Raises:
        CvrError: a folder is no such artifact, or no video of it has features.
    """
    store = FeatureStore.open(embeddings, "raw")
    table = check_columns(open_artifact(videos).read(), VIDEOS, str(videos))
    table = table.filter(pa.array(store.has_videos(table.column("video_id").to_pylist()), pa.bool_()))
    if not table.num_rows:
        raise CvrError(f"{embeddings} has features of no video of {videos}; run: cvr embed {videos}")
    return Library(table, videos, store, SeesFiles(store))


def search(library: Library, question: Question, model: SearchModel, k: int) -> list[Found]:
    """Return the k videos that answer a question best, best first; of equal ones the first of the table.

    The video that they should be like is none of them.

    Raises:
        CvrError: nothing is asked, `like` is neither an id nor a file, or the model cannot be loaded.
    """
    reference = None if question.like is None else _reference_of_search(library, question.like)
    if reference is None and not question.texts:
        raise CvrError("Nothing is asked: give --like, --text, or both.")
    gallery = [Item(video_id, Video(video_id)) for video_id in library.ids]
    texts = question.texts or (None,)
    score_G = _search_scores(library, model, gallery, reference, texts).mean(0)
    said_QG = _search_scores(
        library, SearchModel(name="text-only"), gallery, None, (*question.texts, *question.without)
    )
    text_G = said_QG[: len(question.texts)].mean(0) if question.texts else None
    if question.without:
        score_G = score_G - NOT_WEIGHT * said_QG[len(question.texts) :].mean(0)
    looks = SearchModel(name="visual-only")
    look_G = None if reference is None else _search_scores(library, looks, gallery, reference, (None,))[0]
    if reference is not None and reference.item_id in library.ids:
        score_G[library.ids.index(reference.item_id)] = -torch.inf
    order = torch.argsort(score_G, descending=True, stable=True)[:k].tolist()
    rows = library.videos.take(order).to_pylist()
    return [
        Found(
            video_id=row["video_id"], caption=(row["captions"] or [""])[0],
            path=None if row["path"] is None else whole_path(library.folder.resolve(), row["path"]),
            score=float(score_G[place]),
            by_text=None if text_G is None else float(text_G[place]),
            by_video=None if look_G is None else float(look_G[place]),
        )
        for place, row in zip(order, rows, strict=True)
        if score_G[place] > -torch.inf
    ]  # fmt: skip


def _reference_of_search(library: Library, like: str) -> Item:
    """A video of the folder by its id, else a file."""
    if library.store.has_videos([like])[0]:
        return Item(like, Video(like))
    if Path(like).is_file():
        return Item(like, Video(f"file {like}", Path(like)))
    raise CvrError(f"{like} is neither a video of {library.folder} nor a file. {did_you_mean(like, library.ids)}")


def _search_scores(
    library: Library, model: SearchModel, gallery: Sequence[Item], reference: Item | None, texts: Sequence[str | None]
) -> Tensor:
    """Return scores_QG of a model, a row per text."""
    if not texts:
        return torch.empty(0, len(gallery))
    retriever = scoring_model(model.name, model.options, model.checkpoint, library.encoder)
    retriever.index(gallery)
    queries = [Query(str(number), reference, text) for number, text in enumerate(texts)]
    with torch.inference_mode():
        return retriever.score(queries).float().clone()


call_as_function(__name__)
