"""plan: what a pilot says of a world whose truth is known, against what the whole world then gave."""

import numpy as np
import pyarrow as pa
import pytest

from cvr_data.core.annotation_files import read_json
from cvr_data.core.artifacts import open_artifact, verify
from cvr_data.modifications.generate import generate_modifications
from cvr_data.modifications.generator import Config as TextsConfig
from cvr_data.tables import JUDGMENTS
from cvr_data.triplets.build import build_triplets, find_triplet_parts
from cvr_data.triplets.join import Config as BuildConfig
from cvr_data.triplets.planning.costs import Rates, triplet_cost_rates
from cvr_data.triplets.planning.draw import Draw, draw_triplet_pilot_pairs, triplet_pilot_draw_keys
from cvr_data.triplets.planning.pilot import Stages, run_triplet_pilot
from cvr_data.triplets.planning.plan import Config, plan_triplet_build
from cvr_data.triplets.planning.shares import share_of
from cvr_data.videos.synthetic.truth import read_synthetic_truth
from tests.dataset_folders import write_artifact
from tests.truth_measures import text_is_correct

pytestmark = pytest.mark.slow

TEXTS = TextsConfig(prompt="static", backend="rules")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Videos without files, all their one-word pairs, and the dataset of rules' texts of all of them."""
    from cli import run

    folder = tmp_path_factory.mktemp("world")
    words = ["-o", "render=false", "-o", "train=20", "-o", "val=0", "-o", "test=40", "--out", str(folder / "videos")]
    assert run(["import", "synthetic", *words]) == 0
    assert run(["mine-pairs", str(folder / "videos"), "-f", "none", "--out", str(folder / "pairs")]) == 0
    generate_modifications(folder / "pairs", folder / "texts", TEXTS, cache=folder / "requests.sqlite")
    build_triplets(find_triplet_parts([folder / "texts"]), folder / "triplets", BuildConfig(), name="world")
    return folder


def planned(world, out, *, judgments=None):
    about = Config(pairs=60)
    return plan_triplet_build(world / "pairs", out, about, Stages(texts=TEXTS), rates=Rates(), judgments=judgments,
                      cache=world / "requests.sqlite")  # fmt: skip


def write_truth_judgments(triplets, videos, out):
    truth, rows = read_synthetic_truth(videos), []
    for number, row in enumerate(open_artifact(triplets).read().to_pylist()):
        ends = [truth.concept(row[f"{end}_id"]) for end in ("reference", "target")]
        text, is_right = row["modification"], text_is_correct(row["modification"], *ends)
        rows.append({"judgment_id": str(number), "item_id": str(number), "annotator": "truth", "texts": [text],
                     "judged_at": "2026-01-01T00:00:00", **{name: row[name] for name in ("reference_id", "target_id",
                     "style", "split")}, "decision": "accept" if is_right else "reject",
                     "reason": None if is_right else "wrong_change", "chosen": text if is_right else None,
                     "modification": text if is_right else None})  # fmt: skip
    write_artifact(out, "export-judgments", rows, JUDGMENTS)
    return [row["decision"] == "accept" for row in rows]


def test_a_pilot_says_what_the_whole_then_gives_and_is_worth(world, tmp_path):
    record = planned(world, tmp_path / "plan")
    whole = open_artifact(world / "triplets").manifest
    mined = whole["rows"] - whole["further_answers"]
    assert record["yield"]["triplets"]["low"] <= mined <= record["yield"]["triplets"]["high"]
    assert record["yield"]["kept"]["low"] > 0 and 60 <= record["pilot"]["pairs"] < 70 < record["pairs"]
    (reasons,) = record["yield"]["dropped"].values()
    for reason, share in reasons.items():
        assert share["low"] <= whole["dropped"][reason] / record["pairs"] <= share["high"]
    assert record["purity"] == {"by": None, "wanted": None, "judged": 0, "kept": record["purity"]["kept"]}
    assert record["costs"]["requests"] is None and record["costs"]["gpu_hours"] is None
    assert 0 < record["costs"]["bytes"] and 0 < record["costs"]["seconds"]
    said = (tmp_path / "plan" / "report" / "plan.txt").read_text()
    assert "purity: unknown, nobody judged" in said and "model      none is asked" in said
    assert verify(tmp_path / "plan" / "report") == []

    write_truth_judgments(tmp_path / "plan" / "pilot-60" / "triplets", world / "videos", tmp_path / "judgments")
    judged = planned(world, tmp_path / "plan", judgments=tmp_path / "judgments")
    is_right = write_truth_judgments(world / "triplets", world / "videos", tmp_path / "all")
    share = judged["purity"]["share"]
    assert judged["purity"]["by"] == "people" and judged["purity"]["judged"] == judged["purity"]["kept"]
    assert share["low"] <= sum(is_right) / len(is_right) <= share["high"]
    assert read_json(tmp_path / "plan" / "report" / "plan.json", dict)["purity"] == judged["purity"]


def test_intervals_of_pilots_cover_what_the_whole_gives(world, tmp_path):
    stages, cache = Stages(texts=TEXTS), world / "requests.sqlite"
    whole = run_triplet_pilot(world / "pairs", tmp_path / "whole", Draw(pairs=10**6), stages, cache=cache)
    is_kept_N, covered = whole.is_kept_N, 0
    assert whole.rows.num_rows == open_artifact(world / "pairs").manifest["rows"] and 0.2 < is_kept_N.mean() < 0.9
    for seed in range(200):
        groups_N = triplet_pilot_draw_keys(whole.rows, seed)
        drawn = np.argsort(groups_N)[:80]
        found = share_of(is_kept_N[drawn], groups_N[drawn], population=len(is_kept_N))
        covered += found.low <= is_kept_N.mean() <= found.high
    assert covered >= 182  # of 200 at 95 %, less three deviations


def test_a_larger_pilot_begins_with_the_smaller_and_one_from_the_end_shares_nothing_with_it(world, tmp_path):
    def drawn(name, **about):
        rows = draw_triplet_pilot_pairs(world / "pairs", tmp_path / name, Draw(**about)).read().to_pylist()
        return {row["pair_id"] for row in rows}, {(row["reference_id"], row["target_id"]) for row in rows}

    (small, ends), (large, _), (last, others) = (
        drawn("small", pairs=20), drawn("large", pairs=30), drawn("last", pairs=20, from_end=True)
    )  # fmt: skip
    assert small < large and len(small) < 30 and not ends & others and not small & last
    assert drawn("other", pairs=20, seed=1)[0] != small
    everything = open_artifact(world / "pairs").read().to_pylist()
    assert small == {row["pair_id"] for row in everything if (row["reference_id"], row["target_id"]) in ends}
    assert drawn("all", pairs=10**6)[0] == {row["pair_id"] for row in everything}


def test_judgments_of_other_texts_and_bad_numbers_are_one_line(world, tmp_path, one_line_error):
    write_truth_judgments(world / "triplets", world / "videos", tmp_path / "judgments")
    table = open_artifact(tmp_path / "judgments").read()
    other = table.set_column(table.column_names.index("style"), "style", pa.array(["dense"] * table.num_rows))
    write_artifact(tmp_path / "others", "export-judgments", other)
    words = ["plan", world / "pairs", "--llm", "rules", "--style", "static", "-n", "5", "--out", tmp_path / "plan"]
    assert "judges no text of" in one_line_error(*words, "--judgments", tmp_path / "others")
    assert "belongs to --judge-backend" in one_line_error(*words, "--judge-option", "nope=1")
    assert "holds an artifact" in one_line_error(*words[:-1], world / "videos")
    with pytest.raises(ValueError, match="purity must lie"):
        Config(purity=1.0)
    assert Config(pairs=200, most=1000).looks(is_growing=True) == [200, 400, 800, 1000]
    assert Config(pairs=200, most=1000).looks(is_growing=False) == [200]


def test_starting_is_told_apart_from_what_a_pair_takes():
    assert triplet_cost_rates([12.0, 30.0], [20, 200]) == pytest.approx((0.1, 10.0))
    assert triplet_cost_rates([12.0, 4.0], [20, 200]) == (0.02, 12.0)  # the first started what the second found running
    assert triplet_cost_rates([0.0, 30.0], [0, 200]) == (0.15, 0.0)
