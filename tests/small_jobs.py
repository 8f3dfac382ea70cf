"""How much of its input a stage takes for one job: sizes that make many jobs of few rows."""

from cvr_data.core import files, parts, runner, stage_jobs
from cvr_data.features import embed_source, frame_scores, similarities
from cvr_data.modifications import asked, describe_videos, lookup
from cvr_data.modifications.checking import score
from cvr_data.pairs import distractors, judged_candidates
from cvr_data.pairs.search import neighbour_jobs, statement_search
from cvr_data.pairs.strategies import concept, given, neighbors, one_phrase, one_word
from cvr_data.triplets import judgments
from cvr_data.videos import entries, import_videos, repeated

SMALL = (
    (parts, "PART_VALUES", 40), (runner, "CLAIMS", 80), (runner, "BUCKET_VALUES", 60), (stage_jobs, "PART_ROWS", 100),
    (one_word, "BUCKET_VALUES", 60), (one_phrase, "BUCKET_VALUES", 60), (neighbors, "CAPTIONS", 30),
    (neighbors, "FOUND", 100), (concept, "CAPTIONS", 60), (concept, "FOUND", 200), (neighbour_jobs, "QUERIES", 30),
    (statement_search, "STATEMENTS", 200), (statement_search, "VIDEOS", 60),
    (neighbour_jobs, "KEYS", 40), (neighbour_jobs, "PROBING", 30), (given, "SLICES", 1), (files, "SLICE", 50),
    (similarities, "CHUNK", 64), (entries, "SLICE", 60), (import_videos, "PART_ROWS", 60),
    (embed_source, "VIDEOS_PER_PART", 60), (embed_source, "TEXTS_PER_PART", 60), (asked, "ROWS", 60),
    (score, "ROWS", 60), (lookup, "BUCKET", 60), (describe_videos, "ROWS", 12), (frame_scores, "ROWS", 60),
    (distractors, "BUCKET_VALUES", 400), (judged_candidates, "ROWS", 400), (judgments, "BUCKET", 60),
    (repeated, "_BUCKET", 60),
)  # fmt: skip
"""Module, constant, size; the process that hands out jobs alone reads it."""
