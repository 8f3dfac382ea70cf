"""A fixed, cheap pool of scorers that read one input of a query each, and where its targets stand by each of them.

    pool = SingleInputPool(embeddings, videos)      # videos: video_id, captions, and description where there are any
    ranks = pool.ranks(queries)                     # scorer -> (Q,) rank of the best target, and of sums of two scorers

    text-video               the text against videos, in the space where both meet
    text-frame               the same of the best frame, for the best hundred videos
    text-caption             the text against the captions of videos, the best of which counts
    reference-video          the reference's frames against videos
    caption-caption          the reference's caption against captions
    description-description  the reference's description against descriptions

Those are in the pool that features and texts allow. Captions and descriptions are compared by MiniLM, videos and the
text by what is stored. What scores as high as a target ranks before it; the query's own reference is left out.
"""

# Shapes: Q queries, G gallery videos, C captions, D embedding, T frames.

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.errors import CvrError
from cvr_data.core.progress import Progress
from cvr_data.core.text_bands import MINILM
from cvr_data.features.pool_queries import PoolQuery
from cvr_data.features.similarities import text_encoder_of, text_vectors
from cvr_data.features.single_inputs import SCORERS, SUMS, best_similarity_ranks, similarity_pool_k

if TYPE_CHECKING:  # torch
    from cvr_data.features.encoders.stored import StoredEncoder
    from cvr_data.features.store import FeatureStore

BEST = 100
"""Videos whose frames are looked at."""
CELLS = 1 << 25
"""Scores of one scorer that are in memory at once: 128 MB."""
OUTSIDER = "caption-video"
"""A scorer that is not in the pool, to ask of what the pool chose: the reference's caption against videos."""
TEXTS = 512
"""Texts encoded at once."""
READ, FRAMES = 1024, 16
"""Videos whose frames are read at once at most, and how many each is thought to have."""


class SingleInputPool:
    """The scorers over one gallery; each vector is read once.

    Raises:
        CvrError: no features are there.
    """

    def __init__(self, embeddings: Path, videos: pa.Table):
        from cvr_data.features.store import FeatureStore

        self.embeddings = embeddings
        self.raw = FeatureStore.open(embeddings, space="raw")
        has = np.asarray(self.raw.has_videos(videos.column("video_id").to_pylist()), bool)
        self.videos = videos.filter(pa.array(has)).combine_chunks()
        self.ids = self.videos.column("video_id").to_pylist()
        self.column_of = {name: column for column, name in enumerate(self.ids)}

    @property
    def k(self) -> int:
        """One in a hundred of the gallery."""
        return similarity_pool_k(len(self.ids))

    @cached_property
    def scorers(self) -> list[str]:
        """The scorers that the features and texts allow."""
        has_captions, has_descriptions = (len(self._texts(column)[0]) > 0 for column in ("captions", "description"))
        has = {"text-video": self._shared is not None, "text-caption": has_captions, "reference-video": True}
        has |= {"text-frame": has["text-video"], "caption-caption": has_captions}
        has["description-description"] = has_descriptions
        return [name for name in SCORERS if has[name]]

    @property
    def rankings(self) -> list[str]:
        """The scorers, and the sums of two."""
        return self.scorers + ["+".join(pair) for pair in SUMS if {*pair} <= {*self.scorers}]

    def can_ask(self, query: PoolQuery) -> bool:
        """Return whether a query's reference has features, and a target is in the gallery."""
        return bool(self.raw.has_videos([query.reference_id])[0]) and not self.column_of.keys().isdisjoint(
            query.target_ids
        )

    def sizes(self, queries: Sequence[PoolQuery]) -> tuple[np.ndarray, np.ndarray]:
        """Return how many videos each query is ranked against, and how many of them are targets."""
        own_Q = np.array([query.reference_id in self.column_of for query in queries], int)
        targets_Q = [sum(name in self.column_of for name in query.target_ids) for query in queries]
        return len(self.ids) - own_Q, np.array(targets_Q, int)

    def ranks(self, queries: Sequence[PoolQuery]) -> dict[str, np.ndarray]:
        """Return, by scorer and by sum, the rank (Q,) int64 of the best target of each query, all of which it can ask.

        Memory grows with the gallery's vectors, not with queries times videos.
        """
        size = self.queries_at_once
        found: dict[str, list[np.ndarray]] = {name: [np.empty(0, np.int64)] for name in self.rankings}
        with Progress("rank", len(queries), "queries") as progress:
            for start in range(0, len(queries), size):
                chunk = queries[start : start + size]
                for name, scores_QG in self.each_score(chunk):
                    found[name].append(best_similarity_ranks(scores_QG, *self.columns(chunk)))
                progress.advance(len(chunk))
        return {name: np.concatenate(parts) for name, parts in found.items()}

    def outsider_ranks(self, queries: Sequence[PoolQuery]) -> np.ndarray | None:
        """Return the ranks (Q,) by the scorer that is not in the pool; None where videos and texts do not meet."""
        if self._shared is None:
            return None
        size = self.queries_at_once
        chunks = [queries[start : start + size] for start in range(0, len(queries), size)]
        found = [best_similarity_ranks(self.scores(OUTSIDER, chunk), *self.columns(chunk)) for chunk in chunks]
        return np.concatenate([np.empty(0, np.int64), *found])

    def scores(self, name: str, queries: Sequence[PoolQuery]) -> np.ndarray:
        """Return the scores (Q, G) of one scorer."""
        if name == "text-caption":
            return self._by_texts("captions", [query.modification for query in queries])
        if name == "caption-caption":
            return self._by_texts("captions", [self._caption(query) for query in queries])
        if name == "description-description":
            return self._by_texts("description", [self._description(query) for query in queries])
        if name == "reference-video":
            return _unit(self.raw.pooled([query.reference_id for query in queries]).numpy()) @ self._videos_GD.T
        is_outsider = name == OUTSIDER
        assert self._shared is not None
        said = [self._caption(query) if is_outsider else query.modification for query in queries]
        texts_QD = self._read_texts(said, self._shared[0])
        scores_QG = texts_QD @ self._shared[1].T
        return self._with_best_frames(texts_QD, scores_QG) if name == "text-frame" else scores_QG

    @cached_property
    def queries_at_once(self) -> int:
        """How many queries are scored at once."""
        return max(1, CELLS // max(len(self.ids), *(len(self._texts(of)[0]) for of in ("captions", "description")), 1))

    def columns(self, queries: Sequence[PoolQuery]) -> tuple[list[list[int]], list[int]]:
        """Return the columns of each query's targets, and of its reference: -1 where the gallery does not have it."""
        known = self.column_of
        targets = [[known[name] for name in sorted(query.target_ids) if name in known] for query in queries]
        return targets, [known.get(query.reference_id, -1) for query in queries]

    def each_score(self, queries: Sequence[PoolQuery]) -> Iterator[tuple[str, np.ndarray]]:
        """Yield the name and the scores (Q, G) of each scorer, and of each sum."""
        held: dict[str, np.ndarray] = {}
        summed = {name for pair in SUMS for name in pair if {*pair} <= {*self.scorers}}
        for name in self.scorers:
            scores_QG = self.scores(name, queries)
            if name in summed:
                held[name] = _spread(scores_QG)
            yield name, scores_QG
        for pair in SUMS:
            if {*pair} <= held.keys():
                yield "+".join(pair), held.pop(pair[0]) + held.pop(pair[1])

    @cached_property
    def _videos_GD(self) -> np.ndarray:
        return _unit(self.raw.pooled(self.ids).numpy())

    @cached_property
    def _shared(self) -> "tuple[FeatureStore, np.ndarray] | None":
        """The space where texts and videos meet, and the videos in it, where there is such a space."""
        try:
            store = self.raw.shared()
        except CvrError:  # two spaces that no heads were fitted to: these scorers are not in the pool
            return None
        return (store, _unit(store.pooled(self.ids).numpy())) if store.dim == store.text_dim else None

    @cached_property
    def _encoder(self) -> "StoredEncoder":
        """Reads and encodes texts, and remembers them: scorers of two spaces ask for the same."""
        from cvr_data.features.encoders.stored import StoredEncoder

        return StoredEncoder(self.raw)

    def _read_texts(self, texts: Sequence[str], store: "FeatureStore") -> np.ndarray:
        """Unit vectors of texts in the space of a store, each distinct one encoded once."""
        distinct = sorted(set(texts))
        slices = [distinct[start : start + TEXTS] for start in range(0, len(distinct), TEXTS)]
        vectors_UD = [store.project_texts(self._encoder.encode_texts(each)).pooled_BD.numpy() for each in slices]
        number = {text: row for row, text in enumerate(distinct)}
        return _unit(np.concatenate(vectors_UD)[[number[text] for text in texts]])

    def _by_minilm(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors of texts as captions have them."""
        if text_encoder_of(self.embeddings) == MINILM:
            return self._read_texts(texts, self.raw)
        asked = pc.unique(pa.array(texts, pa.string())).sort()
        return text_vectors(asked, self.embeddings)[pc.index_in(pa.array(texts, pa.string()), asked).to_numpy()]

    def _with_best_frames(self, texts_QD: np.ndarray, scores_QG: np.ndarray) -> np.ndarray:
        """The scores, where the best hundred of each query stand before all others, by their best frame."""
        assert self._shared is not None
        best = min(BEST, scores_QG.shape[1])
        columns_QB = np.argpartition(-scores_QG, best - 1, axis=1)[:, :best]
        found_QG = scores_QG.copy()
        used = np.unique(columns_QB)
        is_best_QG = np.zeros(scores_QG.shape, bool)
        np.put_along_axis(is_best_QG, columns_QB, True, axis=1)
        step = max(1, min(READ, CELLS // (len(texts_QD) * FRAMES)))
        for start in range(0, len(used), step):
            columns_R = used[start : start + step]
            features = self._shared[0].frames([self.ids[column] for column in columns_R])
            frames_RTD, mask_RT = features.frames_BTD.numpy(), features.mask_BT.numpy()
            flat_ND = _unit(frames_RTD[mask_RT])
            starts = np.concatenate([[0], np.cumsum(mask_RT.sum(axis=1))[:-1]])
            of_frames_QR = np.maximum.reduceat(texts_QD @ flat_ND.T, starts, axis=1)
            part_QR = found_QG[:, columns_R]
            found_QG[:, columns_R] = np.where(is_best_QG[:, columns_R], of_frames_QR + 2.0, part_QR)
        return found_QG

    def _texts(self, column: str) -> tuple[pa.Array, np.ndarray]:
        """All captions, or descriptions, and the column of the video of each."""
        if column not in self.videos.column_names or not self.videos.num_rows:
            return pa.array([], pa.string()), np.empty(0, np.int64)
        values = self.videos.column(column).chunk(0)
        if pa.types.is_list(values.type):
            return pc.list_flatten(values), pc.list_parent_indices(values).to_numpy()
        is_there = pc.fill_null(pc.greater(pc.binary_length(values), 0), False)
        return values.filter(is_there), np.flatnonzero(is_there.to_numpy(zero_copy_only=False))

    def _by_texts(self, column: str, texts: Sequence[str]) -> np.ndarray:
        """Scores of texts against the captions (or descriptions) of each video, the best of which counts."""
        vectors_CD, columns_C = self._text_vectors(column)
        scores_QC = self._by_minilm(texts) @ vectors_CD.T
        starts = np.flatnonzero(np.diff(columns_C, prepend=-1))
        scores_QG = scores_QC
        if not len(starts) == len(columns_C) == len(self.ids):
            scores_QG = np.full((len(texts), len(self.ids)), -1.0, np.float32)
            scores_QG[:, columns_C[starts]] = np.maximum.reduceat(scores_QC, starts, axis=1)
        scores_QG[[not text for text in texts]] = 0.0  # nothing is said: all videos tie, and none is found
        return scores_QG

    def _text_vectors(self, column: str) -> tuple[np.ndarray, np.ndarray]:
        if column not in self._read:
            texts, columns_C = self._texts(column)
            distinct = pc.unique(texts).sort()
            vectors_UD = text_vectors(distinct, self.embeddings)
            self._read[column] = (vectors_UD[pc.index_in(texts, distinct).to_numpy()], columns_C)
        return self._read[column]

    @cached_property
    def _read(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        return {}

    def _caption(self, query: PoolQuery) -> str:
        captions = self._of_video(query, "captions") or [""]
        return query.reference_caption or captions[0]

    def _description(self, query: PoolQuery) -> str:
        return query.reference_description or self._of_video(query, "description") or ""

    def _of_video(self, query: PoolQuery, name: str) -> Any:
        """What the gallery says of the reference; None where it has none or says nothing."""
        column = self.column_of.get(query.reference_id)
        return None if column is None else self.videos.column(name)[column].as_py()


def _spread(scores_QG: np.ndarray) -> np.ndarray:
    """The scores of each query with mean 0 and deviation 1, so that two scorers have an equal say."""
    return (scores_QG - scores_QG.mean(axis=1, keepdims=True)) / (scores_QG.std(axis=1, keepdims=True) + 1e-9)


def _unit(vectors_ND: np.ndarray) -> np.ndarray:
    return vectors_ND / np.maximum(np.linalg.norm(vectors_ND, axis=1, keepdims=True), 1e-12)
