"""Every stage of rows: what comes out, and why the rest goes, does not depend on where the parts of its inputs end."""

import json
import random
from collections import Counter
from itertools import pairwise, product

import pytest

import cli
from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.artifacts import open_artifact
from cvr_data.pairs import distractors, judged_candidates
from cvr_data.pairs.strategies import given, one_phrase
from tests.small_jobs import SMALL

pytestmark = [pytest.mark.slow, pytest.mark.engine]

WORDS = (["a"], ["red", "old"], ["dog", "cat", "man"], ["runs", "sits"], ["on the beach", "in a park"])
CAPS = ("--filter", "min-words", "--filter", "caption-cap:most=3", "--filter", "caption-pair-cap",
        "--filter", "direction:keep=both")  # fmt: skip
MINE = ("mine-pairs", "IN/videos-split", *CAPS)
STAGES = {
    "import": ("import", "table", "clips.jsonl", "-o", "id=clip", "-o", "caption=text", "-o", "repeated=captions"),
    "split": ("split", "IN/videos", "--embeddings", "embeddings", "-o", "test=0.4", "-o", "threshold=0.7"),
    "one-word": MINE,
    "one-phrase": (*MINE, "--strategy", "one-phrase"),
    "concept": (*MINE, "--strategy", "concept", "-o", "targets=5"),
    "neighbors": (*MINE, "--strategy", "neighbors", "-o", "text_encoder=hash", "-o", "low=-1", "-o", "k=3"),
    "given": (*MINE, "--strategy", "given", "-o", "path=given.csv"),
    "texts": ("generate-modifications", "IN/one-word", "--style", "short", "--llm", "rules", "--num-texts", "2"),
    "score": ("score-modifications", "IN/texts", "--min-gain", "0.02"),
    "truth": ("truth-modifications", "IN/world-pairs"),
    "describe": ("describe-videos", "IN/world", "--llm", "echo", "--replace"),
    "triplets": ("build-triplets", "IN/texts", "-o", "max_per_target=3"),
    "frame-scores": ("frame-scores", "IN/triplets", "--embeddings", "embeddings"),
    "distractors": ("mine-distractors", "IN/triplets", "IN/videos"),
}
"""`IN/` is the folder of what earlier ones wrote, whole or cut."""
SLOW = (distractors, given, judged_candidates, one_phrase)
"""Smaller ones would be very many jobs."""
TOLD = ("rows", "dropped", "status", "reasons", "splits", "groups", "largest_group", "cycle_gain")


def write_clips(folder):
    """Each caption twice, some clips of one id, and a file of pairs some of which are no pairs."""
    texts = [" ".join(words) for words in product(*WORDS)]
    rows = [{"clip": f"c{number % 44:03d}", "text": text} for number, text in enumerate(texts * 2)]
    (folder / "clips.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    ids = [f"c{number:03d}" for number in range(46)]
    both = [(a, b) for number, a in enumerate(ids) for b in (ids[number - 1], ids[number - 3])]
    lines = [f"{a},{b}" for a, b in [*both, *((b, a) for a, b in both)]]
    (folder / "given.csv").write_text("\n".join(["reference_id,target_id", *lines]))


def run(words, inputs, out):
    named = [word.replace("IN", str(inputs), 1) if word.startswith("IN/") else word for word in words]
    assert cli.run([*named, "-O", str(out)]) == 0


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """What each stage makes of inputs in one part, with parts and buckets of the usual sizes."""
    folder = tmp_path_factory.mktemp("world")
    write_clips(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        small = ("-o", "train=4", "-o", "val=2", "-o", "test=10", "-o", "render=false")
        run(("import", "synthetic", *small), folder, "world")
        run(("mine-pairs", "world", *CAPS), folder, "world-pairs")
        run(STAGES["import"], folder, "videos")
        run(("embed", "videos", "--encoder", "hash"), folder, "embeddings")
        run(STAGES["split"], folder, "videos-split")
        for name, words in STAGES.items():
            run(words, folder, name)
    return folder


def cut(source, out, at):
    """Write an artifact again with as many rows in a part as comes; some parts have none."""
    made, table = open_artifact(source), open_artifact(source).read()
    inputs = {name: made.input_path(name) for name in made.manifest["inputs"]}
    with ArtifactWriter(out, stage=made.stage, config=made.manifest["config"], inputs=inputs) as writer:
        ends = sorted(at.choices(range(table.num_rows + 1), k=at.randint(1, 9)))
        for index, (start, end) in enumerate(pairwise([0, *ends, table.num_rows])):
            writer.write_part(index, table.slice(start, end - start))
        writer.finish(funnel=made.manifest["funnel"])


def verdicts(folder):
    """Every row as often as it is there, kept or with its reason."""
    made = open_artifact(folder)
    rows = [*made.read().to_pylist(), *made.dropped().to_pylist()]
    return Counter(json.dumps({name: row[name] for name in row if row[name] is not None}, sort_keys=True, default=str)
                   for row in rows)  # fmt: skip


def funnel_of(folder):
    return [
        (step["step"], step["in"], step["out"], step["dropped"]) for step in open_artifact(folder).manifest["funnel"]
    ]


@pytest.mark.parametrize("name", STAGES)
def test_borders_change_no_row_no_verdict_and_no_count(name, world, tmp_path, monkeypatch):
    at = random.Random(name)
    monkeypatch.chdir(world)
    for word in {word[3:] for word in STAGES[name] if word.startswith("IN/")}:
        cut(world / word, tmp_path / word, at)
    for module, size, _ in SMALL:
        monkeypatch.setattr(module, size, at.choice([6, 13]) * (20 if module in SLOW else 1))
    run(STAGES[name], tmp_path, tmp_path / "out")
    whole, made = open_artifact(world / name), open_artifact(tmp_path / "out")
    assert len(made.part_paths) > 1 or name == "distractors"
    assert verdicts(made.path) == verdicts(whole.path)
    own = [step for step in funnel_of(made.path) if step in funnel_of(whole.path)]
    assert own == funnel_of(made.path) == funnel_of(whole.path)
    assert all(step[1] is None or step[1] == step[2] + sum(step[3].values()) for step in own)
    for told in TOLD:
        assert made.manifest.get(told) == whole.manifest.get(told), told


@pytest.mark.parametrize("name", ["one-word", "one-phrase", "neighbors", "given"])
def test_a_pair_and_its_reverse_share_their_fate(name, world):
    """Where the strategy gives both ways of every pair; concept gives each reference its best targets."""
    made = open_artifact(world / name)
    names = ["reference_id", "target_id", "reference_caption", "target_caption"]
    fate = {tuple(row[key] for key in names): None for row in made.read(names).to_pylist()}
    lost = [row for row in made.dropped().to_pylist() if row["drop_step"] > 0]  # by filters: of these it is promised
    fate |= {tuple(row[key] for key in names): row["drop_reason"] for row in lost}
    back = {(b, a, d, c): reason for (a, b, c, d), reason in fate.items()}
    assert {pair: reason for pair, reason in fate.items() if pair in back and back[pair] != reason} == {}
    assert len({*fate} & {*back}) > 20 and len(set(fate.values())) > 1, Counter(fate.values())
