"""vary-texts: other texts of accepted ones, of which those that keep the target become triplets and no other does."""

import pyarrow as pa

from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.artifacts import open_artifact, verify
from cvr_data.modifications.variants import KEEPING, OTHER, PARAPHRASES
from cvr_data.modifications.vary_texts import Config, vary_texts
from cvr_data.triplets.build import build_triplets, find_triplet_parts
from cvr_data.triplets.join import Config as Joined
from tests.dataset_folders import write_artifact, write_texts


def test_kept_ones_become_triplets_and_wrong_ones_are_rejected_with_their_kind(tmp_path, cvr):
    texts = write_texts(tmp_path)
    cvr.done("vary-texts", texts, "--out", tmp_path / "varied")
    made, given = open_artifact(tmp_path / "varied"), open_artifact(texts).read().to_pylist()
    rows = made.read().to_pylist()
    assert verify(made.path) == [] and len({row["modification_id"] for row in rows}) == len(rows)
    assert {row["pair_id"] for row in rows} == {row["pair_id"] for row in given if row["status"] == "ok"}
    assert {row["prompt"] for row in rows} >= {"paraphrase", "negated", "no_op", "contradiction"}
    for row in rows:
        keeps = row["prompt"] in KEEPING
        assert (row["status"], row["reasons"]) == (("ok", []) if keeps else ("rejected", [row["prompt"]]))
    paraphrases = [row["pair_id"] for row in rows if row["prompt"] == "paraphrase"]
    assert {paraphrases.count(name) for name in paraphrases} == {PARAPHRASES}
    built = build_triplets(find_triplet_parts([texts, made.path]), tmp_path / "data", Joined(), name="tiny")
    wrong = {row["modification"] for row in rows if row["prompt"] in OTHER}
    said = set(built.read().column("modification").to_pylist())
    assert {row["modification"] for row in rows if row["prompt"] == "paraphrase"} <= said
    assert not said & (wrong - {row["modification"] for row in [*given, *rows] if row["status"] == "ok"})
    assert built.manifest["dropped"]["no_op"] == sum(row["prompt"] == "no_op" for row in rows)


def test_only_the_kinds_and_splits_asked_for_are_written(tmp_path, cvr, one_line_error):
    texts = write_texts(tmp_path)
    cvr.done("vary-texts", texts, "--kind", "no_op", "--out", tmp_path / "some")
    assert {row["prompt"] for row in open_artifact(tmp_path / "some").read().to_pylist()} == {"no_op"}
    cvr.done("vary-texts", texts, "--split", "none", "--out", tmp_path / "none")
    assert open_artifact(tmp_path / "none").manifest["rows"] == 0
    assert "Unknown kind 'nonsense'" in one_line_error(
        "vary-texts", texts, "--kind", "nonsense", "--out", tmp_path / "x"
    )


def test_other_pairs_than_those_of_the_texts_are_refused(tmp_path, one_line_error):
    texts = open_artifact(write_texts(tmp_path))
    pairs = open_artifact(texts.input_path("pairs"))
    with ArtifactWriter(tmp_path / "others", stage=pairs.stage) as writer:
        writer.write_part(0, pairs.read().slice(1))
        writer.finish()
    line = one_line_error("vary-texts", texts.path, "--pairs", tmp_path / "others", "--out", tmp_path / "varied")
    assert line.endswith("texts are of pairs that are not there; pass the right --pairs.")


def test_texts_without_a_column_are_one_line_and_an_accepted_text_of_nothing_has_no_others(tmp_path, one_line_error):
    texts = open_artifact(write_texts(tmp_path))
    table = texts.read()
    for name, given in (
        ("lacks", table.drop_columns(["status"])),
        (
            "blank",
            table.set_column(
                table.column_names.index("modification"), "modification", pa.nulls(len(table), pa.string())
            ),
        ),
    ):
        write_artifact(tmp_path / name, texts.stage, given, pairs=texts.input_path("pairs"))
    assert "'status' is missing" in one_line_error("vary-texts", tmp_path / "lacks", "--out", tmp_path / "x")
    assert vary_texts(tmp_path / "blank", tmp_path / "y", Config()).manifest["rows"] == 0
