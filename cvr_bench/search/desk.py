"""What the page of a search asks for: what is loaded, answers, why, marks, uploads. Knows nothing of HTTP.

The page stands before the library is read and the model loaded: until then it says what is being done.
"""

import logging
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from cvr_bench.search.marks import Marks
from cvr_bench.search.question import Question, SearchModel
from cvr_bench.search.together import Together
from cvr_bench.search.uploads import Upload, Uploads
from cvr_data.core.errors import CvrError
from cvr_data.review.media import Media, review_media_of_table
from cvr_data.review.store import ReviewStore

if TYPE_CHECKING:  # torch, which the page does not wait for
    from cvr_bench.search.library import Library
    from cvr_bench.search.searcher import Searcher

log = logging.getLogger(__name__)
MAX_TEXT = 2000
"""Letters of a text at most."""
MAX_TEXTS = 8
MAX_COUNT = 100
LISTED = 24
"""Videos of the library that are listed at once."""
MOST_FRAMES = 32
"""Of a video that are shown side by side."""
EXACT = 1_000_000
"""Of more videos most are not looked at, where FAISS is installed."""


class NotReady(Exception):
    """The library is not loaded yet."""


@dataclass(frozen=True, kw_only=True)
class SearchSources:
    """What is searched, and by whom."""

    videos: Path
    embeddings: Path
    model: SearchModel = field(default_factory=SearchModel)
    media: tuple[Path, ...] = ()
    """Folders that links among the media may lead to."""
    max_upload: int = 100_000_000
    """Bytes of a clip that is brought, at most."""
    exact: bool = False
    """Look at all videos, however many there are."""


@dataclass
class Loading:
    """What is being done before the first answer."""

    what: str = "starting"
    done: int = 0
    total: int = 0
    started: float = field(default_factory=time.monotonic)

    def begin(self, what: str, total: int = 0) -> None:
        """Say what comes now."""
        self.what, self.done, self.total = what, 0, total
        log.info("search: %s", what)

    def add(self, what: str, count: int) -> None:
        """Say that so many more videos are done."""
        if what != self.what:
            self.begin(what, self.total)
        self.done += count


class Desk:
    """One library, one model, one person's marks."""

    def __init__(self, sources: SearchSources, store: ReviewStore, annotator: str):
        self.sources = sources
        self.annotator = annotator
        self.loading = Loading()
        self.uploads = Uploads()
        self.media: Media | None = None
        self._store = store
        self._library: Library | None = None
        self._searcher: Searcher | None = None
        self._marks: Marks | None = None
        self._recall: float | None = None

    def token(self) -> str:
        """Return the secret of the link, the same after any restart."""
        return self._store.token_of(self.annotator)

    def close(self) -> None:
        """Remove what was uploaded and made."""
        self.uploads.close()
        if self.media is not None:
            self.media.close()

    def load(self) -> None:
        """Read the library, load the model and embed the videos, saying how far it is.

        Raises:
            CvrError: there is nothing to search, or the model ranks nothing of it.
        """
        self.loading.begin("loading libraries")
        from cvr_bench.search.library import open_search_library
        from cvr_bench.search.searcher import Searcher
        from cvr_data.core.artifacts import open_artifact

        self.loading.begin(f"reading {self.sources.videos}")
        library = open_search_library(self.sources.videos, self.sources.embeddings)
        marks = Marks(
            self._store, self.annotator, library.videos, library.row_of, open_artifact(self.sources.videos).key
        )
        self._store.remember_place(self.sources.videos)
        self._library, self.media = (
            library,
            review_media_of_table(library.videos, library.row_of, library.folder, self.sources.media),
        )
        self._marks = marks
        self.loading.begin(f"loading {self.sources.model.name}", len(library.ids))
        searcher = Searcher(library, self.sources.model, self.loading.add)
        self.loading.begin("loading the encoder of texts")
        self._warm(searcher)
        self._together: Together[Any, Any] = Together(searcher.best)
        self._searcher = searcher
        self.loading.begin("ready")

    def _warm(self, searcher: "Searcher") -> None:
        try:
            searcher.encoder.encode_texts([""])
        except CvrError as error:  # features without their encoder: a question with a text says so again
            log.warning("%s", error)

    def index(self) -> None:
        """Make the index of FAISS, where there are that many videos; until it stands the exact search answers."""
        from cvr_bench.search.inverted import Inverted

        searcher = self._searcher
        if searcher is None or searcher.nearest is None or self.sources.exact:
            return
        if len(searcher.library.ids) <= EXACT:
            return
        if find_spec("faiss") is None:
            log.warning("Of more than %d videos fewer need to be looked at with FAISS: pip install 'cvr[faiss]'", EXACT)
            return
        self.loading.begin("indexing, until then all videos are looked at", len(searcher.nearest.rows))
        searcher.inverted = Inverted(searcher.nearest, lambda count: self.loading.add(self.loading.what, count))
        self._recall = searcher.inverted.recall
        self.loading.begin("ready")

    def status(self) -> dict[str, Any]:
        """Return what is loaded, or what is being loaded and how far it is."""
        library, at = self._library, self.loading
        return {
            "ready": self._searcher is not None, "doing": at.what, "done": at.done, "total": at.total,
            "seconds": round(time.monotonic() - at.started, 1),
            "videos": None if library is None else len(library.ids), "folder": str(self.sources.videos),
            "model": self.sources.model.name, "recall_at_10": self._recall,
            "marks": None if self._marks is None else self._marks.counts(),
        }  # fmt: skip

    def find(self, sent: Mapping[str, Any]) -> dict[str, Any]:
        """Return the videos that answer what a page sent, best first.

        Raises:
            CvrError: it makes no sense; the line says why.
            NotReady: nothing can be answered yet.
        """
        searcher, started = self._ready(), time.perf_counter()
        asked = self._question(sent)
        count = sent.get("count", 10)
        if type(count) is not int or not 1 <= count <= MAX_COUNT:
            raise CvrError(f"count should be a number from 1 to {MAX_COUNT}.")
        scored = searcher.scored(asked.to_model, count)
        found = searcher.found(asked.to_model, self._together.ask(scored), count)
        assert self._marks is not None
        can_mark = self._marks.can_mark(asked.question)
        results = [
            {**self._video(each.video_id), "score": each.score, "by_text": each.by_text, "by_video": each.by_video,
             "mark": self._marks.of(asked.question, each.video_id) if can_mark else None}
            for each in found
        ]  # fmt: skip
        took = round(1000 * (time.perf_counter() - started), 1)
        return {"results": results, "can_mark": can_mark, "took_ms": took, "like": asked.shown}

    def why(self, sent: Mapping[str, Any]) -> dict[str, Any]:
        """Return what each text and the clip say of one video, as a whole and of its frames.

        Raises:
            CvrError: it makes no sense; the line says why.
            NotReady: nothing can be answered yet.
        """
        searcher, asked = self._ready(), self._question(sent)
        return asdict(searcher.why(asked.to_model, _sent_id(sent, "video")))

    def mark(self, sent: Mapping[str, Any]) -> dict[str, Any]:
        """Store or take back a mark and return how many there are.

        Raises:
            CvrError: it makes no sense; the line says why.
            NotReady: nothing can be answered yet.
        """
        self._ready()
        assert self._marks is not None
        question, video_id, mark = self._question(sent).question, _sent_id(sent, "video"), sent.get("mark")
        if mark is not None and not isinstance(mark, str):
            raise CvrError("mark should be right, wrong or null.")
        self._marks.mark(question, video_id, mark)
        return {"mark": mark, "marks": self._marks.counts()}

    def videos(self, words: str, start: int) -> dict[str, Any]:
        """Return some videos of the library whose id or first caption has the words.

        Raises:
            NotReady: the library is not read yet.
        """
        if self._library is None:
            raise NotReady
        table, words = self._library.videos, words[:MAX_TEXT]
        rows = range(len(self._library.ids))
        if words:
            captions = pc.list_slice(table.column("captions"), 0, 1)
            first = pc.binary_join(captions, " ")
            texts = pc.binary_join_element_wise(table.column("video_id"), pc.fill_null(first, ""), " ")
            has = pc.match_substring(texts, words, ignore_case=True)
            rows = pc.indices_nonzero(has).to_pylist()
        ids = [self._library.ids[row] for row in rows[start : start + LISTED]]
        return {"videos": [self._video(video_id) for video_id in ids], "total": len(rows)}

    def take_in(self, path: Path, name: str) -> dict[str, Any]:
        """Return a clip that somebody brought, looked at.

        Raises:
            CvrError: it cannot be decoded, or what made the features encodes no files.
            NotReady: nothing can be answered yet.
        """
        searcher = self._ready()
        upload = self.uploads.keep(path, name)
        try:
            searcher.look_at(upload.path)
        except CvrError as error:
            self.uploads.drop(upload.upload_id)
            raise CvrError(str(error).replace(str(upload.path), upload.name)) from None
        return _shown_upload(upload)

    def strip(self, number: int) -> bytes | None:
        """Return the frames of a video side by side, as they were taken when it was embedded; None if it is gone."""
        if self._library is None or self.media is None or not 0 <= number < len(self._library.ids):
            return None
        store = self._library.store
        count = min(MOST_FRAMES, int(store.frame_counts([self._library.ids[number]])[0]))
        return self.media.strip(number, count, str(store.encoder.get("sampler", "uniform")))

    def _ready(self) -> "Searcher":
        if self._searcher is None:
            raise NotReady
        return self._searcher

    def _question(self, sent: Mapping[str, Any]) -> "AskedOnPage":
        like = sent.get("like")
        texts, without = _sent_texts(sent, "texts"), _sent_texts(sent, "without")
        question = Question(like=None if like is None else _sent_id(sent, "like"), texts=texts, without=without)
        if question.like is None:
            if not texts:
                raise CvrError("Nothing is asked: give a clip, a text, or both.")
            return AskedOnPage(question, question, None)
        if (upload := self.uploads.get(question.like)) is not None:
            on_disk = Question(like=str(upload.path), texts=texts, without=without)
            return AskedOnPage(question, on_disk, _shown_upload(upload))
        assert self._library is not None
        if question.like not in self._library.row_of:  # a path of this machine is none either
            raise CvrError(f"{question.like[:100]!r} is no video of {self.sources.videos}, and no uploaded clip.")
        return AskedOnPage(question, question, self._video(question.like))

    def _video(self, video_id: str) -> dict[str, Any]:
        assert self._library is not None and self.media is not None
        number = self._library.row_of[video_id]
        captions = self._library.videos.column("captions")[number].as_py()
        clip = self.media.played(number)
        times = {} if clip is None else {"start_s": clip.start_s or 0, "end_s": clip.end_s}
        kind = self.media.kind(number)
        return {"video": video_id, "number": number, "caption": (captions or [""])[0], "kind": kind, **times}


@dataclass(frozen=True)
class AskedOnPage:
    """A question as the page has it, as the model gets it, and the clip that it begins with as it is shown."""

    question: Question
    to_model: Question
    shown: dict[str, Any] | None


def _shown_upload(upload: Upload) -> dict[str, Any]:
    where = f"/upload/{upload.upload_id}"
    return {"video": upload.upload_id, "caption": upload.name, "kind": upload.kind, "src": where}


def _sent_texts(sent: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = [] if sent.get(name) is None else sent[name]
    if not isinstance(value, list) or len(value) > MAX_TEXTS or not all(isinstance(text, str) for text in value):
        raise CvrError(f"{name} should be a list of at most {MAX_TEXTS} texts.")
    if any(len(text) > MAX_TEXT for text in value):
        raise CvrError(f"{name}: a text should have at most {MAX_TEXT:,} letters.")
    return tuple(text for text in map(_on_one_line, value) if text)


def _on_one_line(text: str) -> str:
    return " ".join(text.split())


def _sent_id(sent: Mapping[str, Any], name: str) -> str:
    value = sent.get(name)
    if not isinstance(value, str) or not value:
        raise CvrError(f"{name} should be the id of a video.")
    return value
