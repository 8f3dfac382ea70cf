"""Finds videos of a folder by a clip that is like them, by what should be different, or by both.

    videos = open_search_library(Path("videos"), Path("embeddings"))
    search(videos, Question(like="v17", texts=("at night",)), SearchModel(), 10)[0].video_id

Every model of the bench can rank: `sum` needs no training. Texts are asked one by one and their scores averaged; a text
that should not be true takes away its own score.
"""

# Shapes: G videos of the folder, Q queries, D embedding, T frames.

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from cvr_bench.models.parts.retriever import BATCH, DenseRetriever
from cvr_bench.models.parts.trained import retriever_model_to_score
from cvr_bench.search.inverted import Inverted
from cvr_bench.search.library import Library
from cvr_bench.search.nearest import SMALL, Asked, Best, Nearest, Rows
from cvr_bench.search.question import Found, Question, Said, SearchModel, Why
from cvr_bench.tasks.task import Item, Query
from cvr_data.core.errors import CvrError, did_you_mean
from cvr_data.media.names import is_media_file
from cvr_data.media.places import whole_media_path
from cvr_data.media.video import Video

NOT_WEIGHT = 0.5
"""Share of the score by a text that should not be true which is taken away."""
COMPARED = 64
"""Videos by which is seen whether a model's vectors are the mean frames."""

Told = Callable[[str, int], None]
"""What is being made, and how many videos more it is made of."""


@dataclass(frozen=True, kw_only=True)
class Scored:
    """A question of which the model is done: what is near in vectors, or, of other models, all scores."""

    k: int
    asked: Asked | None = None
    score_G: Tensor | None = None


class Searcher:
    """A model that has seen a library; one thread at a time is in the model, ranking is for any number.

    Args:
        library: what is searched.
        model: who ranks.
        on_part: told what is being made.
        small: of more videos a copy of their vectors in bytes is looked at first (`nearest`).

    Raises:
        CvrError: the model cannot be loaded, or ranks no such features.
    """

    def __init__(
        self, library: Library, model: SearchModel, on_part: Told = lambda what, count: None, small: int = SMALL
    ):
        self.library = library
        self.encoder = library.encoder
        self._lock = threading.RLock()
        self.retriever = retriever_model_to_score(model.name, model.options, model.checkpoint, library.encoder)
        self.encoder.on_videos = lambda count: on_part("embedding the videos", count)
        gallery = [Item(video_id, Video(video_id)) for video_id in library.ids]
        self.retriever.index(gallery)
        self.encoder.on_videos = lambda count: None
        self.nearest: Nearest | None = None
        self.inverted: Inverted | None = None
        if isinstance(self.retriever, DenseRetriever) and self.retriever.gallery_GD is not None:
            rows_GD = self.retriever.gallery_GD
            self._small, self._is_apart = small, not self._is_of_mean_frames(rows_GD)
            self.nearest = Nearest(Rows(rows_GD, lambda count: on_part("rounding the vectors", count), small))

    def find(self, question: Question, k: int) -> list[Found]:
        """Return the k videos that answer a question best, best first; of equal ones the first of the table.

        The video that they should be like is none of them.

        Raises:
            CvrError: nothing is asked, or `like` is neither an id nor a file.
        """
        scored = self.scored(question, k)
        return self.found(question, self.best([scored])[0], k)

    def scored(self, question: Question, k: int) -> Scored:
        """Return what the model makes of a question."""
        reference = self._reference(question)
        if not all(isinstance(text, str) and text.strip() for text in (*question.texts, *question.without)):
            raise CvrError("A text is empty or none: say what should be seen, or leave it out.")
        if reference is None and not question.texts:
            raise CvrError("Nothing is asked: give --like, --text, or both.")
        queries = [Query(str(number), reference, text) for number, text in enumerate(question.texts or (None,))]
        with self._lock, torch.inference_mode():
            away_D = -NOT_WEIGHT * self._texts(question.without).mean(0) if question.without else None
            if self.nearest is None:
                score_G = self.retriever.score(queries).float().mean(0)
                away_G = 0 if away_D is None else self._all_mean_frames @ away_D
                return Scored(k=k + 1, score_G=score_G + away_G)  # one of them may be the video itself
            assert isinstance(self.retriever, DenseRetriever)
            query_D = self.retriever.embed(queries).mean(0)
            if away_D is not None and self._is_apart and self.nearest.far is None:
                self.nearest.far = Rows(self._all_mean_frames, small=self._small)  # few questions want it
        if away_D is not None and not self._is_apart:
            query_D, away_D = query_D + away_D, None
        return Scored(k=k + 1, asked=Asked(query_D=query_D, away_D=away_D, k=k + 1))

    def best(self, scored: Sequence[Scored]) -> list[Best]:
        """Return the best rows of some questions, which are faster together."""
        found = [None if each.asked is not None else _best_of_scores(each) for each in scored]
        exact = []
        for place, each in enumerate(scored):
            if each.asked is not None and self.inverted is not None and each.asked.away_D is None:
                found[place] = self.inverted.best(each.asked)
            elif each.asked is not None:
                exact.append(place)
        if exact and self.nearest is not None:
            with torch.inference_mode():
                best = self.nearest.best([asked for place in exact if (asked := scored[place].asked)])
            for place, each_best in zip(exact, best, strict=True):
                found[place] = each_best
        return [each for each in found if each is not None]

    def found(self, question: Question, best: Best, k: int) -> list[Found]:
        """Return the best rows as they are shown."""
        own = self.library.row_of.get(question.like or "")
        kept = [(row, score) for row, score in zip(best.rows, best.scores, strict=True) if row != own][:k]
        rows = self.library.videos.take([row for row, _ in kept]).to_pylist()
        by_text, by_video = self._halves(question, [row["video_id"] for row in rows])
        return [
            Found(
                video_id=row["video_id"], caption=(row["captions"] or [""])[0], score=score,
                path=None if row["path"] is None else whole_media_path(self.library.folder.resolve(), row["path"]),
                by_text=text, by_video=video,
            )
            for row, (_, score), text, video in zip(rows, kept, by_text, by_video, strict=True)
        ]  # fmt: skip

    def why(self, question: Question, video_id: str) -> Why:
        """Return what each text and the clip by themselves say of a video, as a whole and of each frame.

        Raises:
            CvrError: there is no such video, or `like` is neither an id nor a file.
        """
        reference = self._reference(question)
        if video_id not in self.library.row_of:
            raise CvrError(f"{self.library.folder} has no video {video_id!r} with features.")
        with self._lock, torch.inference_mode():
            features = self.encoder.encode_videos([Video(video_id)])
            pooled_D = features.pooled_BD()[0]
            frames_TD = F.normalize(features.frames_BTD[0, features.mask_BT[0]], dim=-1)
            said = [self._said(texts, pooled_D, frames_TD) for texts in (question.texts, question.without)]
            if reference is None:
                return Why(texts=said[0], without=said[1], by_video=None, frames_by_video=())
            like_D = self._pooled(reference)
        frames = tuple((frames_TD @ like_D).tolist())
        return Why(texts=said[0], without=said[1], by_video=float(pooled_D @ like_D), frames_by_video=frames)

    def look_at(self, path: Path) -> None:
        """Encode a file, so that the first question does not wait for it. Raises CvrError: it cannot be read."""
        with self._lock, torch.inference_mode():
            self._pooled(_of_file(path))

    def _reference(self, question: Question) -> Item | None:
        """A video of the folder by its id, else a file."""
        like = question.like
        if like is None:
            return None
        if self.library.store.has_videos([like])[0]:
            return Item(like, Video(like))
        if is_media_file(Path(like)):
            return _of_file(Path(like))
        raise CvrError(
            f"{like[:100]!r} is neither a video of {self.library.folder} nor a file. "
            + did_you_mean(like, self.library.ids)
        )

    def _halves(
        self, question: Question, video_ids: Sequence[str]
    ) -> tuple[Sequence[float | None], Sequence[float | None]]:
        """What the texts and the clip by themselves say of some videos."""
        nothing: list[float | None] = [None] * len(video_ids)
        if not video_ids:
            return nothing, nothing
        reference = self._reference(question)
        with self._lock, torch.inference_mode():
            pooled_BD = self._mean_frames(video_ids)
            by_text = (pooled_BD @ self._texts(question.texts).mean(0)).tolist() if question.texts else nothing
            by_video = nothing if reference is None else (pooled_BD @ self._pooled(reference)).tolist()
        return by_text, by_video

    def _said(self, texts: Sequence[str], pooled_D: Tensor, frames_TD: Tensor) -> tuple[Said, ...]:
        if not texts:
            return ()
        return tuple(
            Said(text=text, score=float(pooled_D @ text_D), frames=tuple((frames_TD @ text_D).tolist()))
            for text, text_D in zip(texts, self._texts(texts), strict=True)
        )

    def _texts(self, texts: Sequence[str]) -> Tensor:
        return self.encoder.encode_texts(texts).pooled_BD

    def _pooled(self, reference: Item) -> Tensor:
        assert reference.video is not None
        return self.encoder.encode_videos([reference.video]).pooled_BD()[0]

    def _mean_frames(self, video_ids: Sequence[str]) -> Tensor:
        parts = [video_ids[start : start + BATCH] for start in range(0, len(video_ids), BATCH)]
        return torch.cat([self.encoder.encode_videos([*map(Video, ids)]).pooled_BD() for ids in parts])

    @cached_property
    def _all_mean_frames(self) -> Tensor:
        """(G, D) of all videos, of models whose own vectors no text is compared with, once one should not be true."""
        return self._mean_frames(self.library.ids)

    def _is_of_mean_frames(self, rows_GD: Tensor) -> bool:
        """Whether the model's vectors of videos are the mean frames, which texts are compared with."""
        places = torch.linspace(0, len(rows_GD) - 1, min(COMPARED, len(rows_GD))).long().unique()
        pooled_BD = self._mean_frames([self.library.ids[place] for place in places.tolist()])
        return pooled_BD.shape[1] == rows_GD.shape[1] and torch.allclose(pooled_BD, rows_GD[places], atol=1e-6)


def search(library: Library, question: Question, model: SearchModel, k: int) -> list[Found]:
    """Return the k videos that answer a question best, best first; of equal ones the first of the table.

    The video that they should be like is none of them.

    Raises:
        CvrError: nothing is asked, `like` is neither an id nor a file, or the model cannot be loaded.
    """
    return Searcher(library, model, small=len(library.ids)).find(question, k)


def _of_file(path: Path) -> Item:
    return Item(str(path), Video(f"file {path}", path))


def _best_of_scores(scored: Scored) -> Best:
    assert scored.score_G is not None
    order = torch.argsort(scored.score_G, descending=True, stable=True)[: scored.k]
    return Best(order.tolist(), scored.score_G[order].tolist())
