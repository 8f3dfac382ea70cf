"""The synthetic world: deterministic files, true captions, splits that share nothing, enough test queries."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from cvr_data.core.artifacts import open_artifact, verify
from cvr_data.media.video import probe_medium, read_frames
from cvr_data.videos.corpora import synthetic
from cvr_data.videos.synthetic.concepts import SLOTS, UNSAID, VALUES, Concept
from cvr_data.videos.synthetic.grammar import TEST_PATTERNS, TRAIN_PATTERNS
from cvr_data.videos.synthetic.objects import draw_synthetic_object
from cvr_data.videos.synthetic.render import Sprite, render_synthetic_clip
from cvr_data.videos.synthetic.world import Clip, sample_synthetic_world
from tests.truth_measures import synthetic_word_meanings

pytestmark = pytest.mark.slow

COUNTS = {"train": 400, "val": 60, "test": 300}
PLAIN = {"texture": "plain", "size": "medium", "camera": "still", "action": "spins", "scene": "beach"}


@pytest.fixture(scope="module")
def world() -> list[Clip]:
    return sample_synthetic_world(COUNTS, seed=0)


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> Path:
    """A small world, imported."""
    import cli

    out = tmp_path_factory.mktemp("world") / "videos"
    words = ["import", "synthetic", "-O", str(out), "-o", "train=6", "-o", "val=2", "-o", "test=4", "-o", "workers=1"]
    assert cli.run(words) == 0
    return out


def one_word_pairs(clips: list[Clip]) -> list[tuple[Clip, Clip]]:
    """Ordered pairs of clips whose captions differ in one word, the slow way."""
    by_length = defaultdict(list)
    for clip in clips:
        words = clip.caption.replace(",", "").split()
        by_length[len(words)].append((words, clip))
    return [
        (one, other)
        for group in by_length.values()
        for words, one in group
        for others, other in group
        if sum(a != b for a, b in zip(words, others, strict=True)) == 1
    ]


def of_split(clips: list[Clip], split: str) -> list[Clip]:
    return [clip for clip in clips if clip.split == split]


def test_each_split_has_as_many_clips_as_asked_for(world):
    assert {split: len(of_split(world, split)) for split in COUNTS} == COUNTS
    assert len({clip.video_id for clip in world}) == len(world)


def test_the_test_split_asks_more_than_a_thousand_queries_and_leaves_distractors_alone(world):
    pairs = one_word_pairs(of_split(world, "test"))
    assert len(pairs) >= 1000
    assert len({(one.video_id, tuple(other.caption.split())) for one, other in pairs}) >= 400
    asked = {clip.video_id for pair in pairs for clip in pair}
    distractors = {clip.video_id for clip in world if clip.split == "test" and clip.role == "distractor"}
    assert len(distractors) == 45
    assert not asked & distractors


def test_queries_are_about_every_kind_of_change(world):
    slots = defaultdict(int)
    for one, other in one_word_pairs(of_split(world, "test")):
        for slot in one.concept.differences(other.concept):
            slots[slot] += 1
    assert set(slots) == set(SLOTS)
    attributes = slots["colour"] + slots["texture"] + slots["size"]
    assert min(slots["object"], slots["scene"], attributes, slots["action"]) >= 100


def test_the_same_words_have_several_answers_so_that_the_reference_is_needed(world):
    targets = defaultdict(set)
    for one, other in one_word_pairs(of_split(world, "test")):
        changed = next((a, b) for a, b in zip(one.caption.split(), other.caption.split(), strict=True) if a != b)
        targets[changed].add(other.concept)
    several = [found for found in targets.values() if len(found) > 1]
    assert len(several) > 0.8 * len(targets)


def test_splits_share_no_concept_and_no_caption(world):
    for field in ("concept", "caption"):
        found = [{getattr(clip, field) for clip in of_split(world, split)} for split in COUNTS]
        assert not found[0] & found[1] | found[0] & found[2] | found[1] & found[2]


def test_half_of_the_sentence_patterns_are_for_test_only(world):
    assert len(TRAIN_PATTERNS) == len(TEST_PATTERNS)
    assert {clip.pattern for clip in of_split(world, "test")} == set(TEST_PATTERNS)
    assert {clip.pattern for clip in of_split(world, "train")} == set(TRAIN_PATTERNS)


def test_test_clips_do_not_depend_on_the_other_counts(world):
    other = sample_synthetic_world({"train": 10, "val": 0, "test": 300}, seed=0)
    assert of_split(other, "test") == of_split(world, "test")


def test_another_seed_is_another_world(world):
    other = sample_synthetic_world(COUNTS, seed=1)
    assert len({clip.concept for clip in other} & {clip.concept for clip in world}) < 0.02 * len(world)


def test_a_caption_names_every_concept_that_it_does_not_leave_unsaid(world):
    meanings = synthetic_word_meanings()
    for clip in world:
        said = {meanings[word] for word in clip.caption.replace(",", "").split() if word in meanings}
        expected = {
            (slot, getattr(clip.concept, slot))
            for slot in SLOTS
            if getattr(clip.concept, slot) != UNSAID.get(slot) and slot != clip.omitted
        }
        assert said == expected, clip


def test_no_word_names_two_concepts():
    from cvr_data.videos.synthetic import concepts

    words = [word for slot in concepts.NOUNS.values() for choices in slot.values() for word in choices]
    words += [word for slot in concepts.ADJECTIVES.values() for choices in slot.values() for word in choices]
    verbs = [verb for slot in concepts.VERBS.values() for choices in slot.values() for verb in choices]
    words += [form for verb in verbs if not verb.particle for form in (verb.base, verb.third, verb.gerund)]
    assert len(words) == len(set(words))


def test_descriptions_have_about_80_words_and_name_the_concept(world):
    for clip in world:
        assert 70 <= len(clip.description.split()) <= 100
        assert all(word in clip.description for word in (clip.concept.object, clip.concept.colour, clip.concept.scene))


def test_an_unknown_value_is_refused():
    with pytest.raises(ValueError, match="colour must be one of"):
        Concept(object="ball", colour="beige", **PLAIN)


def test_every_value_of_every_slot_looks_different():
    base = Concept(object="cube", colour="red", **PLAIN)
    for slot in SLOTS:
        seen = set()
        for value in VALUES[slot]:
            concept = Concept(**{**{name: getattr(base, name) for name in SLOTS}, slot: value})
            seen.add(hashlib.sha256(render_synthetic_clip(concept, "same", 32).tobytes()).hexdigest())
        assert len(seen) == len(VALUES[slot]), slot


def test_every_action_moves_through_the_whole_clip():
    for action in VALUES["action"]:
        frames = render_synthetic_clip(
            Concept(object="cube", colour="red", **{**PLAIN, "action": action}), "motion", 64
        ).astype(int)
        steps = np.abs(np.diff(frames, axis=0)).mean(axis=(1, 2, 3))
        assert (steps > 0.3).mean() > 0.3, action


def test_an_object_shown_before_is_shown_as_at_first():
    picture = draw_synthetic_object("cube", "red", "plain", np.random.default_rng(0))
    ways = [(width, angle, opacity) for width in (20, 31) for angle in (0.0, 7.5) for opacity in (1.0, 0.4, 0.0)]
    remembering = Sprite(picture)
    for way in [*ways, *ways[::-1]]:
        fresh = Sprite(picture)
        assert remembering.posed(*way[:2]).tobytes() == fresh.posed(*way[:2]).tobytes()
        assert remembering.stencil(*way).tobytes() == fresh.stencil(*way).tobytes()
        assert remembering.shadow(*way).tobytes() == fresh.shadow(*way).tobytes()


def test_left_goes_left_and_right_goes_right():
    def middle(frame: np.ndarray) -> float:
        red = (frame[..., 0].astype(int) - frame[..., 2] > 90) & (frame[..., 1] < 90)
        return float(np.nonzero(red)[1].mean())

    for action, sign in (("moves left", -1), ("moves right", 1)):
        concept = Concept(object="ball", colour="red", **{**PLAIN, "scene": "ocean", "action": action})
        frames = render_synthetic_clip(concept, "way", 64)
        assert sign * (middle(frames[-1]) - middle(frames[0])) > 16


def test_media_are_h264_of_one_to_two_seconds_and_their_frames_can_be_read(videos):
    for row in open_artifact(videos).read().to_pylist():
        path = videos / row["path"]
        info = probe_medium(path)
        assert (info.width, info.height, info.fps) == (128, 128, 12)
        assert 1 <= info.duration_s <= 2
        assert row["duration_s"] == info.duration_s
        assert row["content_sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert read_frames(path).shape == (8, 128, 128, 3)
    assert verify(videos) == []


def test_the_truth_has_a_row_per_clip(videos):
    truth = pq.read_table(videos / "truth.parquet")
    assert truth.column("video_id").to_pylist() == open_artifact(videos).read(["video_id"]).column(0).to_pylist()
    assert set(SLOTS) <= set(truth.column_names)


def test_the_files_are_the_same_for_any_number_of_workers(videos, tmp_path):
    config = synthetic.Config(train=6, val=2, test=4, workers=2)
    tables = list(synthetic.load(config, tmp_path))
    assert tables[0].select(["video_id", "content_sha256"]) == open_artifact(videos).read(
        ["video_id", "content_sha256"]
    )


def test_clips_that_an_interrupted_run_rendered_are_kept(videos, tmp_path):
    config = synthetic.Config(train=6, val=2, test=4, workers=1)
    (tmp_path / "media").mkdir()
    kept = (videos / "media" / "train-00003.mp4").read_bytes()
    (tmp_path / "media" / "train-00003.mp4").write_bytes(kept)
    before = (tmp_path / "media" / "train-00003.mp4").stat().st_mtime_ns
    list(synthetic.load(config, tmp_path))
    assert (tmp_path / "media" / "train-00003.mp4").stat().st_mtime_ns == before


def test_without_rendering_captions_and_truth_are_the_same(videos, cvr, tmp_path):
    out = tmp_path / "videos"
    options = ["-o", "train=6", "-o", "val=2", "-o", "test=4", "-o", "render=false"]
    cvr.done("import", "synthetic", "-O", out, *options)
    columns = ["video_id", "captions", "description", "split"]
    assert open_artifact(out).read(columns) == open_artifact(videos).read(columns)
    assert (out / "truth.parquet").read_bytes() == (videos / "truth.parquet").read_bytes()
    assert open_artifact(out).read(["path"]).column(0).null_count == 12


def test_counts_must_make_sense(one_line_error, tmp_path):
    line = one_line_error("import", "synthetic", "-O", tmp_path / "v", "-o", "train=-1")
    assert "train must be at least 0, got -1" in line
    assert not (tmp_path / "v").exists()


@pytest.mark.slow
def test_ctrl_c_is_one_line_and_the_next_run_resumes(tmp_path, cvr):
    words = ["import", "synthetic", "-O", str(tmp_path / "videos"), "-o", "train=400", "-o", "val=0", "-o", "test=0"]
    words += ["-o", "size=64", "-o", "workers=2"]
    root = Path(synthetic.__file__).resolve().parents[3]
    # A shell starts what runs in its background deaf to Ctrl-C, and children inherit that.
    listen = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    program = f"{listen}; import sys; sys.path.insert(0, {str(root)!r}); import cli; sys.exit(cli.run({words!r}))"
    process = subprocess.Popen(
        [sys.executable, "-c", program], stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    deadline = time.monotonic() + 60
    while not list((tmp_path / "videos" / "media").glob("*.mp4")) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert "run the same command again to resume" in errors
    assert not (tmp_path / "videos" / "manifest.json").exists()
    cvr.done(*words)
    assert verify(tmp_path / "videos") == []
    assert open_artifact(tmp_path / "videos").manifest["rows"] == 400
