"""Dense descriptions of videos by a vision-language model: what `--style dense` and models of descriptions read.

    describe_videos(Path("videos"), Path("videos-described"), Config(backend="vllm", options=("model=...",)), cache=...)

The result is a videos artifact with `description` filled in. Every video keeps its row: where no description came, or
one that does not fit the frames, `description` is null and the status and the reasons say why.

Source: Dense-WebVid-CoVR, Thawakar et al., ICCV 2025 (https://arxiv.org/abs/2508.14039), which describes each video and
rejects descriptions below about 0.4 of BLIP's image-text cosine as hallucinated; the cosine here is of the mean of the
frames that the encoder samples.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from cvr_data.core.artifacts import Artifact, open_artifact
from cvr_data.core.columns import check_columns, with_column
from cvr_data.core.errors import CvrError
from cvr_data.core.registry import config_dict, paths_in
from cvr_data.core.runner import StageRun
from cvr_data.core.stages import Side, Step
from cvr_data.features.encoders import ENCODERS
from cvr_data.features.protocol import Encoder
from cvr_data.language.words import words_of
from cvr_data.media.places import missing_media_record, moved_media, refuse_arrived_media, resolve_media
from cvr_data.media.video import UnreadableVideo, Video, jpeg_bytes, read_frames
from cvr_data.modifications.asking.ask import Asker, Tally
from cvr_data.modifications.asking.parse import read_answer
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
from cvr_data.tables import VIDEOS

STAGE, VERSION = "describe-videos", 4
ROWS = 128
"""Videos of one part, whose frames are in memory together as JPEG."""
BLIP, BLIP_FLOOR = ("blip", "blip2"), 0.4
SEEDS = 1000
MIN_WORDS = 8
"""A shorter answer is no dense description."""
SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"'])")
COLUMNS = pa.schema(
    [
        pa.field("description_status", pa.string(), nullable=False),
        pa.field("description_reasons", pa.list_(pa.string()), nullable=False),
        ("description_similarity", pa.float32()),
        ("description_raw", pa.string()),
        pa.field("description_model", pa.string(), nullable=False),
        pa.field("description_attempts", pa.int32(), nullable=False),
    ]
)
"""Beside those of VIDEOS; the status is given, ok, rejected or error, and the similarity is of the last answer."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """How videos are shown, who describes them, and what checks the answers."""

    prompt: str = "describe"
    """A built-in prompt, or a YAML file."""
    backend: str = "transformers"
    """A name in `cvr_data.modifications.backends` that takes images."""
    options: tuple[str, ...] = ()
    """`key=value` options of the backend."""
    frames: int = 8
    """Shown per video, at most."""
    sampler: str = "uniform"
    """Which frames: uniform, middle, first or per-second."""
    longest_side: int = 512
    """Larger frames are shrunk to this many pixels, to save tokens."""
    encoder: str = ""
    """Compares description and frames; empty: nothing does."""
    encoder_options: tuple[str, ...] = ()
    """`key=value` options of the encoder."""
    floor: float | None = None
    """Lowest cosine of a description that is kept. 0.4 where the encoder is blip or blip2; others need a number."""
    attempts: int = 2
    """Answers to ask for before a video is left without a description."""
    replace: bool = False
    """Describe videos again that have a description."""
    captions: bool = False
    """Give videos that have no caption the first sentence of their description as one."""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.frames < 1 or self.longest_side < 16 or not 1 <= self.attempts < SEEDS:
            raise CvrError("frames must be at least 1, longest_side at least 16, attempts at least 1 and below 1000.")
        if self.encoder and self.floor is None and self.encoder not in BLIP:
            raise CvrError(f"The floor of 0.4 is for BLIP's scores; give one that fits {self.encoder}: --floor NUMBER.")
        if self.floor is not None and not self.encoder:
            raise CvrError("A floor needs an encoder to score descriptions with: --encoder NAME.")

    @property
    def lowest(self) -> float:
        """The floor."""
        return BLIP_FLOOR if self.floor is None else self.floor


@dataclass(kw_only=True)
class Description:
    """The state of one video."""

    video: dict[str, Any]
    text: str | None = None
    status: str = "rejected"
    reasons: list[str] = field(default_factory=list)
    similarity: float | None = None
    answer: Answer = NO_ANSWER
    attempts: int = 0
    lacked: str = ""
    """What an answer had no room for, so that the next attempts have more."""
    images: tuple[bytes, ...] = ()

    def fail(self, status: str, reason: str) -> None:
        """Take note that no description came of it."""
        self.text, self.status, self.reasons = None, status, [reason]


def describe_videos(videos: Path, out: Path, config: Config, *, cache: Path, overwrite: bool = False) -> Artifact:
    """Write the videos with their descriptions and return the artifact, resuming an interrupted run.

    Raises:
        CvrError: unknown prompt, backend or encoder, a backend without images, or `out` holds something else.
    """
    describer = Describer(config, out)
    found = paths_in(_encoder_config(config)) if config.encoder else {}
    inputs = {"videos": videos, **{f"encoder_{name}": path for name, path in found.items()}}
    run = StageRun(out, stage=STAGE, version=VERSION, config=describer.identity(), inputs=inputs, overwrite=overwrite)
    if (done := run.finished()) is not None:
        return refuse_arrived_media(done, videos)
    engine = EngineOfJobs.of(config.backend, config.options, cache)
    side = Side(_describer_of_job, (config, out, engine))
    read = Step(name="videos", run=_videos_to_describe, config=(videos, out), is_counted=False)
    with run, engine.jobs():
        required = [field.name for field in VIDEOS if not field.nullable]
        flow = run.read(videos, None, required, part_rows=ROWS).then(read)
        flow = flow.then(
            Step(name=f"{describer.prompt.name} {config.backend}", run=_described_videos, sides=(side,), tells=True)
        )
        run.write_parts(flow, total=open_artifact(videos).manifest["rows"], unit="videos")
        told = {**gather_modification_counts(run.told, "status", "reasons"), **missing_media_record(videos)}
        return run.finish(**told, requests=requests_of(run.told_now).as_json(), **backend_runs_on(describer.options))


def _encoder_config(config: Config) -> Any:
    return ENCODERS.config(config.encoder, config.encoder_options)


def _describer_of_job(config: Config, folder: Path, engine: EngineOfJobs) -> "Describer":
    return Describer(config, folder, engine.asker())


def _videos_to_describe(config: tuple[Path, Path], part: pa.Table) -> pa.Table:
    videos, out = config
    return moved_media(check_columns(part, VIDEOS, str(videos)), videos, out)


def _described_videos(config: None, videos: pa.Table, describer: "Describer") -> tuple[pa.Table, Counter[str]]:
    describer.asker.tally = Tally()
    described = describer.described(videos)
    status, reasons = (described.column(f"description_{name}").to_pylist() for name in ("status", "reasons"))
    short = ([reason.split(":")[0] for reason in row] for row in reasons)
    return described, count_modification_verdicts(status, short) + counted_requests(describer.asker.tally)


class Describer:
    """Describes videos, whose relative paths start at a folder, with one prompt and one backend."""

    def __init__(self, config: Config, folder: Path, asker: Asker | None = None):
        self.config = config
        self.folder = folder
        self.prompt: Prompt = load_prompt(config.prompt)
        if self.prompt.task != "describe":
            raise CvrError(f"The prompt {self.prompt.name!r} describes no videos; its task is {self.prompt.task!r}.")
        self.options = backend_with_type(BACKENDS.config(config.backend, config.options))
        self.asker = asker or Asker(load_backend(config.backend, config.options))
        self.backend = self.asker.backend
        self.encoder: Encoder | None = _description_encoder(config) if config.encoder else None

    def identity(self) -> dict[str, Any]:
        """Return what the descriptions depend on, as JSON values."""
        config = self.config
        return {
            **config_dict(replace(config, options=(), encoder_options=())),
            "prompt": self.prompt.name,
            "prompt_sha256": self.prompt.sha256,
            "decoding": [dict(self.prompt.decoding), dict(self.prompt.retry)],
            "model": self.backend.model,
            "options": config_dict(self.options),
            "encoder_options": config_dict(_encoder_config(config)) if config.encoder else {},
            "floor": config.lowest if config.encoder else None,
        }

    def described(self, videos: pa.Table) -> pa.Table:
        """Return the videos with their descriptions, in order."""
        rows = [Description(video=video) for video in videos.to_pylist()]
        todo = [row for row in rows if self._is_shown(row)]
        for attempt in range(self.config.attempts):
            self._attempt(todo, attempt)
            todo = [row for row in todo if row.status != "ok"]
        described = with_column(videos, "description", pa.array([row.text for row in rows], pa.string()))
        if self.config.captions:
            captions = [row.video["captions"] or first_answer_sentence(row.text) for row in rows]
            described = with_column(described, VIDEOS.field("captions"), captions)
        described = described.drop_columns([name for name in COLUMNS.names if name in described.column_names])
        values = [
            (row.status, row.reasons, row.similarity, row.answer.text,
             "" if row.status == "given" else self.backend.model, row.attempts) for row in rows
        ]  # fmt: skip
        for place, column in enumerate(COLUMNS):
            described = described.append_column(column, pa.array([each[place] for each in values], column.type))
        return described

    def _is_shown(self, row: Description) -> bool:
        """Read the frames of a video that is to be described."""
        if row.video["description"] and not self.config.replace:
            row.status, row.text = "given", row.video["description"]
            return False
        if row.video["path"] is None:
            row.fail("error", "no_file")
            return False
        try:
            frames = read_frames(self._video(row).clip, self.config.frames, self.config.sampler)
        except UnreadableVideo as error:
            row.fail("error", f"unreadable: {error}")
            return False
        row.images = tuple(jpeg_bytes(frame, longest_side=self.config.longest_side) for frame in frames)
        return True

    def _video(self, row: Description) -> Video:
        video, path = row.video, resolve_media(self.folder, row.video["path"])
        return Video(video["video_id"], path, start_s=video["start_s"], end_s=video["end_s"])

    def _attempt(self, rows: Sequence[Description], attempt: int) -> None:
        requests = [self._request(row, attempt) for row in rows]
        for row, answer in zip(rows, self.asker.answers(requests), strict=True):
            row.answer, row.attempts, row.similarity = answer, attempt + 1, None
            self._take(row, answer)
        self._check([row for row in rows if row.status == "ok"])

    def _take(self, row: Description, answer: Answer) -> None:
        if answer.text is None:
            row.fail("error", answer.error or "no answer")
            return
        prompt = self.prompt
        found = read_answer(
            answer.text, lead=prompt.lead, schema=prompt.schema, key=prompt.answer_key, is_cut_off=answer.is_cut,
            is_paragraph=True,
        )  # fmt: skip
        row.lacked = found.lacks or row.lacked
        if found.text is None:
            row.fail("rejected", found.reason)
        elif len(words_of(found.text)) < MIN_WORDS:
            row.fail("rejected", "too_short")
        else:
            row.text, row.status, row.reasons = found.text, "ok", []

    def _check(self, rows: Sequence[Description]) -> None:
        """Reject descriptions that the frames do not bear out."""
        if self.encoder is None or not rows:
            return
        frames_BD = self.encoder.encode_videos([self._video(row) for row in rows]).pooled_BD()
        texts_BD = self.encoder.encode_texts([row.text or "" for row in rows]).pooled_BD
        for row, cosine in zip(rows, (frames_BD.cpu() * texts_BD.cpu()).sum(dim=1).tolist(), strict=True):
            row.similarity = cosine
            if cosine < self.config.lowest:
                row.fail("rejected", "below_floor")

    def _request(self, row: Description, attempt: int) -> Request:
        prompt = self.prompt
        caption = (row.video["captions"] or [""])[0]
        question = prompt.question({"frames": str(len(row.images)), "caption": caption})
        request = Request(
            pair_id=row.video["video_id"],
            style="describe",
            change=Change(kind="", slot="", before="", after=""),
            messages=(*prompt.introduction(attempt), question),
            images=row.images,
            lead=prompt.lead,
            one_line=False,
            schema=prompt.schema_text,
            prompt_sha256=prompt.sha256,
            parameters=prompt.parameters(attempt, self.config.seed * SEEDS + attempt),
        )
        return request_with_more_tokens(request, row.lacked)


def first_answer_sentence(text: str | None) -> list[str]:
    """Return the first sentence of a description as the one caption it gives; none where there is no description."""
    return [SENTENCE_END.split(text.strip(), maxsplit=1)[0]] if text and text.strip() else []


def _description_encoder(config: Config) -> Encoder:
    encoder = ENCODERS.get(config.encoder).load(_encoder_config(config))
    if not encoder.dim or encoder.dim != encoder.text_dim:
        raise CvrError(
            f"The encoder {config.encoder!r} has no space that images and texts share; take one such as blip."
        )
    return encoder
