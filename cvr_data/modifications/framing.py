"""Frames of captions by a language model instead of by rules: a request per distinct caption, through the cache.

    chosen = FramesBy.of(Config(backend="vllm", options=("model=...",)), cache=Path("requests.sqlite"))
    write_prompted_frames(Path("videos"), Path("pairs-frames"), chosen)      # a row per caption, with what it lacks
    mine_pairs(..., frames=Path("pairs-frames"))

A caption of which no frame came states nothing; its row says why. Words that a model tells and the caption has not are
left out, and counted. What is written passes the same gold script as the rules (`speed/real_captions.py --frames-by`).

Source: FineCVR-1M (FDCA, Wu et al., ICLR 2025) has a language model find the concepts of captions.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.artifacts import Artifact
from cvr_data.core.errors import CvrError
from cvr_data.core.registry import config_dict
from cvr_data.core.runner import StageRun
from cvr_data.core.stages import ByColumn, KeyedStep, Side, Step
from cvr_data.language.frames import Frame
from cvr_data.language.told_frames import sentence_frame_from_words
from cvr_data.modifications.asking.ask import Asker, Tally
from cvr_data.modifications.asking.parse import parse_answer_object, read_answer
from cvr_data.modifications.asking.request import NO_ANSWER, Answer, Change, Request, request_with_more_tokens
from cvr_data.modifications.asking.spread import EngineOfJobs
from cvr_data.modifications.backends import BACKENDS, load_backend
from cvr_data.modifications.counts import (
    count_modification_verdicts,
    counted_requests,
    gather_modification_counts,
    requests_of,
)
from cvr_data.modifications.engines.products import backend_runs_on, backend_with_type
from cvr_data.modifications.prompts import Prompt, load_prompt

STAGE = "write-frames"
VERSION = 1
ROWS = 2048
"""Captions of a part."""
FRAMES = pa.schema(
    [
        pa.field("caption", pa.string(), nullable=False),
        ("frame", pa.string()),
        pa.field("status", pa.string(), nullable=False),
        pa.field("reasons", pa.list_(pa.string()), nullable=False),
        pa.field("dropped_words", pa.int32(), nullable=False),
        ("raw", pa.string()),
        pa.field("model", pa.string(), nullable=False),
    ]
)
"""The status is ok, rejected or error; the frame is JSON as the prompt's schema has it, and `dropped_words` how many
words of it the caption has not."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Who writes frames, and how often it may try."""

    backend: str
    """A name in `cvr_data.modifications.backends`."""
    options: tuple[str, ...] = ()
    """`key=value` options of the backend."""
    prompt: str = "frames"
    """A built-in prompt with the task frames, or a YAML file."""
    attempts: int = 2
    """Answers to ask for before a caption stays without a frame."""


@dataclass(kw_only=True)
class Written:
    """What came of one caption."""

    caption: str
    frame: Frame | None = None
    told: Mapping[str, Any] | None = None
    status: str = "rejected"
    reasons: list[str] = field(default_factory=list)
    dropped: int = 0
    answer: Answer = NO_ANSWER
    lacked: str = ""


class FrameWriter:
    """Asks one backend for frames."""

    def __init__(self, config: Config, asker: Asker | None = None):
        self.config = config
        self.prompt: Prompt = load_prompt(config.prompt)
        if self.prompt.task != "frames" or not self.prompt.schema:
            raise CvrError(f"The prompt {self.prompt.name!r} writes no frames: it needs 'task: frames' and a schema.")
        self.asker = asker or Asker(load_backend(config.backend, config.options))

    def frames_of(self, texts: Iterable[str]) -> dict[str, Frame | None]:
        """Return the frame of each distinct text; None of one that has none."""
        return {row.caption: row.frame for row in self.written(sorted(set(texts)))}

    def written(self, texts: Sequence[str]) -> list[Written]:
        """Return what came of each text, in order."""
        rows = [Written(caption=text) for text in texts]
        todo = rows
        for attempt in range(self.config.attempts):
            requests = [self._request(row, attempt) for row in todo]
            for row, answer in zip(todo, self.asker.answers(requests), strict=True):
                self._take(row, answer)
            todo = [row for row in todo if row.status != "ok"]
            if not todo:
                break
        return rows

    def _take(self, row: Written, answer: Answer) -> None:
        row.answer = answer
        if answer.text is None:
            row.status, row.reasons = "error", [answer.error or "no answer"]
            return
        row.told = parse_answer_object(answer.text, self.prompt.schema)
        if row.told is None:
            found = read_answer(answer.text, schema=self.prompt.schema, key="things", is_cut_off=answer.is_cut)
            row.lacked = found.lacks or row.lacked
            row.status, row.reasons = "rejected", [found.reason or "schema"]
            return
        row.frame, row.dropped = sentence_frame_from_words(row.caption, row.told)
        row.status, row.reasons = "ok", ["words_not_in_caption"] if row.dropped else []

    def _request(self, row: Written, attempt: int) -> Request:
        prompt = self.prompt
        request = Request(
            pair_id="",
            style="frames",
            change=Change(kind="", slot="", before="", after=""),
            messages=(*prompt.introduction(attempt), prompt.question({"caption": row.caption})),
            lead=prompt.lead,
            one_line=False,
            schema=prompt.schema_text,
            prompt_sha256=prompt.sha256,
            parameters=prompt.parameters(attempt, attempt),
        )
        return request_with_more_tokens(request, row.lacked)


@dataclass(frozen=True, kw_only=True)
class FramesBy:
    """A writer of frames as the jobs of a stage ask it."""

    config: Config
    engine: EngineOfJobs

    @classmethod
    def of(cls, config: Config, cache: Path) -> "FramesBy":
        """Return it.

        Raises:
            CvrError: the backend, an option or the prompt is unknown, or the cache cannot be used.
        """
        FrameWriter(config)
        return cls(config=config, engine=EngineOfJobs.of(config.backend, config.options, cache))

    def identity(self) -> dict[str, Any]:
        """Return what the frames depend on, as JSON values."""
        writer = FrameWriter(self.config)
        return {
            "version": VERSION,
            "attempts": self.config.attempts,
            "backend": self.config.backend,
            "options": config_dict(self.options()),
            "model": writer.asker.backend.model,
            "prompt": writer.prompt.name,
            "prompt_sha256": writer.prompt.sha256,
        }

    def options(self) -> Any:
        """Return the backend's options, with the type that this machine takes."""
        return backend_with_type(BACKENDS.config(self.config.backend, self.config.options))

    def side(self) -> Side:
        """Return the writer as each process loads it."""
        return Side(_writer, (self.config, self.engine))

    def jobs(self) -> AbstractContextManager[Any]:
        """Return the block in which jobs that ask are run."""
        return self.engine.jobs()


def _writer(config: Config, engine: EngineOfJobs) -> FrameWriter:
    return FrameWriter(config, engine.asker())


def write_prompted_frames(videos: Path, out: Path, chosen: FramesBy, *, overwrite: bool = False) -> Artifact:
    """Write a row of `FRAMES` per distinct caption of the videos and return the artifact.

    Raises:
        CvrError: the videos have no captions, or `out` holds something else.
    """
    identity, inputs = chosen.identity(), {"videos": videos}
    run = StageRun(out, stage=STAGE, version=VERSION, config=identity, inputs=inputs, overwrite=overwrite)
    if (done := run.finished()) is not None and not done.manifest["status"].get("error"):
        return done  # the cache has the other answers, so only errors are asked again
    about: dict[str, Any] = {"makes_rows": True, "is_counted": False}
    with run, chosen.jobs():
        flow = run.read(videos, ["captions"], ["captions"]).then(Step(name="captions", run=_captions, **about))
        flow = flow.then(
            KeyedStep(name="distinct", run=_distinct, key=ByColumn("caption"), bucket_values=ROWS, **about)
        )
        flow = flow.then(Step(name="frames", run=_written, sides=(chosen.side(),), tells=True))
        run.write_parts(flow, FRAMES, sort_by=("caption",), unit="captions")
        told = gather_modification_counts(run.told, "status", "reasons", "words")
        return run.finish(**told, requests=requests_of(run.told_now).as_json(), **backend_runs_on(chosen.options()))


def _captions(config: None, videos: pa.Table) -> pa.Table:
    return pa.table({"caption": pc.unique(pc.list_flatten(videos.column("captions")).combine_chunks())})


def _distinct(config: None, captions: pa.Table) -> pa.Table:
    return pa.table({"caption": pc.unique(captions.column("caption")).sort()})


def _written(config: None, captions: pa.Table, writer: FrameWriter) -> tuple[pa.Table, Counter[str]]:
    writer.asker.tally = Tally()
    rows = writer.written(captions.column("caption").to_pylist())
    model = writer.asker.backend.model
    values = [
        {
            "caption": row.caption, "frame": json.dumps(row.told, ensure_ascii=False) if row.told else None,
            "status": row.status, "reasons": row.reasons, "dropped_words": row.dropped, "raw": row.answer.text,
            "model": model,
        }
        for row in rows
    ]  # fmt: skip
    told = count_modification_verdicts(
        [row.status for row in rows], [[r.split(":")[0] for r in row.reasons] for row in rows]
    )
    told += Counter({"words dropped": sum(row.dropped for row in rows)})
    return pa.Table.from_pylist(values, schema=FRAMES), told + counted_requests(writer.asker.tally)
