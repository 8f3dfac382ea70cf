"""What comes next: named at the end of a command, of a folder, and by commands and options that there are."""

import shlex

import click
import pyarrow as pa
import pytest

import cli
from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.folder_status import NEXT, OF_A_SET, command_after_artifact

TEMPLATES = [template for templates in NEXT.values() for template in templates] + [OF_A_SET]


def made(folder, stage, rows=1, **inputs):
    with ArtifactWriter(folder, stage=stage, inputs=inputs) as writer:
        if rows:
            writer.write_part(0, pa.table({"x": list(range(rows))}))
        writer.finish()
    return folder


@pytest.mark.parametrize("template", TEMPLATES)
def test_what_comes_next_is_a_command_with_options_that_it_has(template):
    program, name, *words = shlex.split(template)
    command = cli.group.get_command(click.Context(cli.group), name)
    known = {option for parameter in command.params for option in parameter.opts}
    assert program == "cvr"
    assert {word for word in words if word.startswith("-")} <= known


def test_the_way_from_videos_to_triplets(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    videos = made(tmp_path / "videos", "import-table")
    embeddings = made(tmp_path / "embeddings", "embed", videos=videos)
    split = made(tmp_path / "videos-split", "split", videos=videos, embeddings=embeddings)
    pairs = made(tmp_path / "pairs", "mine-pairs", videos=split)
    told = [command_after_artifact(folder).replace(f"{tmp_path}/", "") for folder in (videos, embeddings, split, pairs)]
    assert told == [
        "cvr embed videos",
        "cvr split videos --embeddings embeddings",
        "cvr mine-pairs videos-split --embeddings embeddings",
        "cvr generate-modifications pairs --style short",
    ]


def test_features_of_videos_that_have_splits_lead_to_pairs(tmp_path):
    split = made(tmp_path / "of a split", "split")
    embeddings = made(tmp_path / "embeddings", "embed", videos=split)
    assert command_after_artifact(embeddings) == f"cvr mine-pairs '{split}' --embeddings {embeddings}"


def test_videos_of_a_benchmark_lead_to_its_scores(tmp_path):
    videos = made(tmp_path / "videos", "import-vt2v")
    embeddings = made(tmp_path / "embeddings", "embed", videos=videos)
    assert command_after_artifact(videos) == f"cvr embed {videos}"
    assert command_after_artifact(embeddings) == f"cvr bench --model MODEL --data SET -e {embeddings}"


def test_of_nothing_and_of_the_last_thing_nothing_is_said(tmp_path):
    assert command_after_artifact(made(tmp_path / "pairs", "mine-pairs", rows=0)) is None
    assert command_after_artifact(made(tmp_path / "audit", "audit")) is None


def test_a_command_ends_by_naming_the_next_one(cvr, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clips.csv").write_text("id,caption\na,a dog runs\nb,a cat runs\n")
    words = ("import", "table", "clips.csv", "-o", "id=id", "-o", "caption=caption")
    assert cvr(*words).err.splitlines()[-1] == "next: cvr embed videos"
    assert cvr(*words).err.splitlines()[-1] == "next: cvr embed videos"  # also where all was done before
    assert "next:" not in cvr(*words, "--json").err
    assert "next:" not in cvr("trace", "videos").err
