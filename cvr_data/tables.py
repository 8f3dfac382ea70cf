"""The Arrow schema of every table: the project's vocabulary in one file.

A field that is not nullable is a required column. Tables may carry more columns, and structs more fields;
`check_columns` stands at every border. Ids are content hashes, so the same inputs give the same ids on any machine and
in any order.
"""

import hashlib
import json

import pyarrow as pa

SPLITS = ("train", "val", "test")
"""From the least to the most protected: of rows that straddle, those of the most protected split stay."""
CHANGE = pa.struct([("kind", pa.string()), ("slot", pa.string()), ("before", pa.string()), ("after", pa.string())])
"""One difference between two captions: kind is static or action, slot is object, attribute, action, scene ..."""

PHRASE = pa.struct(
    [
        ("start", pa.int32()),
        ("end", pa.int32()),
        ("head", pa.string()),
        ("number", pa.string()),
        ("determiner", pa.string()),
    ]
)
"""Where one side of a change stands in its caption (characters, the end not in it), and its noun phrase: the head noun,
singular or plural, and the determiner."""

CHANGE_PHRASES = pa.struct([*CHANGE, ("before_phrase", PHRASE), ("after_phrase", PHRASE)])
"""A change with what its caption says around it; tables may have these two fields of `changes`, or not."""


def _required(name: str, kind: pa.DataType) -> pa.Field:
    return pa.field(name, kind, nullable=False)


VIDEOS = pa.schema(
    [
        _required("video_id", pa.string()),
        _required("captions", pa.list_(pa.string())),
        _required("source", pa.string()),
        ("description", pa.string()),
        ("path", pa.string()),
        ("start_s", pa.float64()),
        ("end_s", pa.float64()),
        ("url", pa.string()),
        ("duration_s", pa.float64()),
        ("licence", pa.string()),
        ("content_sha256", pa.string()),
        ("recording_id", pa.string()),
        ("recording_start_s", pa.float64()),
        ("recording_end_s", pa.float64()),
        ("split", pa.string()),
        ("group_id", pa.string()),
        ("media_note", pa.string()),
    ]
)
"""A clip is what lies in the file `path` (without one, in the recording at `url`) from `start_s` up to `end_s`; a null
is the file's start or end. `content_sha256` is of all three. A clip that was cut to a file of its own has neither time:
where it lay in its recording is `recording_start_s` to `recording_end_s`. `recording_id` is equal for clips of one
recording, `group_id` for near-duplicates. `media_note` says what of the file is not as its header promises, or that it
is one picture (`cvr_data.media.verdict`)."""
WRITTEN_COLUMNS = ("captions", "description")
"""Columns of videos that hold what people or language models wrote."""

PAIRS = pa.schema(
    [
        _required("pair_id", pa.string()),
        _required("reference_id", pa.string()),
        _required("target_id", pa.string()),
        _required("reference_caption", pa.string()),
        _required("target_caption", pa.string()),
        _required("strategy", pa.string()),
        _required("changes", pa.list_(CHANGE)),
        ("text_similarity", pa.float32()),
        ("visual_similarity", pa.float32()),
        ("split", pa.string()),
        ("reference_group_id", pa.string()),
        ("target_group_id", pa.string()),
    ]
)
MODIFICATIONS = pa.schema(
    [
        _required("modification_id", pa.string()),
        _required("pair_id", pa.string()),
        ("modification", pa.string()),
        _required("style", pa.string()),
        _required("backend", pa.string()),
        _required("model", pa.string()),
        _required("prompt", pa.string()),
        _required("prompt_sha256", pa.string()),
        _required("seed", pa.int64()),
        ("raw", pa.string()),
        _required("status", pa.string()),
        _required("reasons", pa.list_(pa.string())),
        ("tokens_in", pa.int32()),
        ("tokens_out", pa.int32()),
    ]
)
TRIPLETS = pa.schema(
    [
        _required("triplet_id", pa.string()),
        _required("query_id", pa.string()),
        _required("reference_id", pa.string()),
        _required("target_id", pa.string()),
        _required("modification", pa.string()),
        _required("style", pa.string()),
        _required("split", pa.string()),
        ("reference_group_id", pa.string()),
        ("target_group_id", pa.string()),
        ("reference_caption", pa.string()),
        ("target_caption", pa.string()),
        ("changes", pa.list_(CHANGE)),
        ("frame_scores", pa.list_(pa.float32())),
        ("text_similarity", pa.float32()),
        ("visual_similarity", pa.float32()),
        ("pair_id", pa.string()),
        ("modification_id", pa.string()),
        ("backend", pa.string()),
        ("model", pa.string()),
    ]
)
QUERY_NUMBER = "query_number"
"""Extra column of triplets: the number that a published file gives the query a row belongs to."""

DISTRACTORS = pa.schema(
    [
        _required("query_id", pa.string()),
        _required("video_id", pa.string()),
        _required("reference_id", pa.string()),
        _required("target_id", pa.string()),
        ("hardness", pa.float32()),
        ("text_similarity", pa.float32()),
        ("reference_similarity", pa.float32()),
        ("shared", pa.list_(pa.string())),
        ("caption", pa.string()),
        ("distractor_type", pa.string()),
        ("why_wrong", pa.string()),
        ("verified_by", pa.string()),
    ]
)
"""Videos that a query should not find, though they look or read like what it asks for; one row per query and video."""

JUDGMENTS = pa.schema(
    [
        _required("judgment_id", pa.string()),
        _required("item_id", pa.string()),
        _required("reference_id", pa.string()),
        _required("target_id", pa.string()),
        _required("style", pa.string()),
        _required("texts", pa.list_(pa.string())),
        _required("annotator", pa.string()),
        _required("decision", pa.string()),
        _required("judged_at", pa.string()),
        ("split", pa.string()),
        ("reason", pa.string()),
        ("note", pa.string()),
        ("chosen", pa.string()),
        ("modification", pa.string()),
        ("also_correct", pa.list_(pa.string())),
        ("answer", pa.string()),
        ("seconds", pa.float64()),
    ]
)
"""What people said of the texts of a pair: decision is accept, edit, reject or skip; `answer` is of a gold check."""


def content_id(*parts: str) -> str:
    """Return 16 hex digits of the sha256 of the parts as a JSON list."""
    text = json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def text_id(text: str) -> str:
    """Return the id under which a text's features are stored."""
    return content_id(text)


def pair_id(reference_id: str, target_id: str, reference_caption: str, target_caption: str) -> str:
    """Return the id of an ordered pair of videos and the captions that made them one."""
    return content_id(reference_id, target_id, reference_caption, target_caption)


def modification_id(*, pair_id: str, style: str, backend: str, model: str, prompt_sha256: str, seed: int) -> str:
    """Return the id of one text written for one pair."""
    return content_id(pair_id, style, backend, model, prompt_sha256, str(seed))


def triplet_id(reference_id: str, modification: str, target_id: str) -> str:
    """Return the id of a triplet."""
    return content_id(reference_id, modification, target_id)


def query_id(reference_id: str, modification: str) -> str:
    """Return the id of a composed query: triplets that share it are one query with several targets."""
    return content_id(reference_id, modification)
