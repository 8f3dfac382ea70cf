"""Measures: the means that papers report, against values worked out by hand."""

import pyarrow as pa
import pytest

from cvr_bench.models import MODELS
from cvr_bench.scoring.evaluate import evaluate
from cvr_bench.scoring.intervals import Clusters, recall_confidence_interval
from cvr_bench.scoring.measures import Measures
from cvr_bench.tasks.task import Item, Mean, Query, Task
from cvr_data.core.errors import CvrError
from cvr_data.features.encoders import ENCODERS
from cvr_data.media.video import Video

GALLERY = [Item(f"v{number}", Video(f"v{number}")) for number in range(9)]
QUERIES = [Query(f"q{number}", GALLERY[number], "x") for number in range(3)]
TABLE = pa.table({"rank": [1, 6, 2, 30], "subset_rank": [1, 2, 1, 5], "category": ["dress", "shirt", "shirt", "shirt"]})


def value(measures, name, table=TABLE):
    return measures.values(table, name).mean()


def test_a_mean_is_that_of_its_parts():
    measures = Measures(ks=(1, 5, 10, 50), subset_ks=(1,), means={"Avg": Mean(("R@5", "R_sub@1"))})
    assert measures.names() == ["R@1", "R@5", "R@10", "R@50", "mean", "R_sub@1", "Avg"]
    assert value(measures, "R@5") == 50
    assert value(measures, "R_sub@1") == 50
    assert value(measures, "Avg") == 50
    three = Measures(ks=(1, 5, 10), means={"meanR3": Mean(("R@1", "R@5", "R@10"))})
    assert value(three, "meanR3") == pytest.approx((25 + 50 + 75) / 3)


def test_groups_count_the_same_however_many_queries_they_have():
    measures = Measures(ks=(5,), means={"avgR@5": Mean(("R@5",), over="category")})
    assert value(measures, "avgR@5") == pytest.approx((100 + 100 / 3) / 2)
    assert value(measures, "avgR@5", TABLE.slice(1)) == pytest.approx(100 / 3)


def test_the_interval_of_a_mean_over_groups_is_that_of_a_stratified_sample():
    measures = Measures(ks=(5,), means={"avgR@5": Mean(("R@5",), over="category")})
    sizes, hits = {"a": 300, "b": 100, "c": 50}, {"a": 270, "b": 50, "c": 5}
    table = pa.table(
        {
            "rank": [1 if row < hits[name] else 9 for name, size in sizes.items() for row in range(size)],
            "category": [name for name, size in sizes.items() for _ in range(size)],
        }
    )
    groups = Clusters.of([[str(row)] for row in range(450)], [None] * 450)
    shares = {name: hits[name] / size for name, size in sizes.items()}
    expected = sum(share * (1 - share) / sizes[name] for name, share in shares.items()) / 9
    values = measures.values(table, "avgR@5")
    assert values.mean() == pytest.approx(50)
    assert groups.variance(values) == pytest.approx(1e4 * expected * 450 / 449)
    every = measures.values(table.set_column(0, "rank", pa.array([1] * 450)), "avgR@5")
    found = recall_confidence_interval(every, groups)
    assert (found.value, found.low) == (100.0, pytest.approx(100 * 0.025 ** (1 / 450)))


def test_what_a_record_says_is_read_again():
    measures = Measures(ks=(1, 5), map_ks=(5,), subset_ks=(1,), means={"Avg": Mean(("R@5",), over="category")})
    assert Measures.of_record(measures.to_json()) == measures
    assert Measures.of_record({"ks": [1]}).names() == ["R@1", "mean"]


def test_a_mean_has_a_chance_level_where_its_parts_have():
    means = {"both": Mean(("R@1", "R@5")), "Avg": Mean(("R@5", "R_sub@1")), "macro": Mean(("R@1",), over="category")}
    assert Measures(ks=(1, 5), means=means).chances({"R@1": 10, "R@5": 30}) == {"both": 20}


def test_a_subset_is_ranked_beside_the_gallery():
    subset = {"q0": {"v0", "v3", "v4"}, "q1": {"v1", "v4"}, "q2": {"v2", "v5", "v6", "v7"}}
    task = Task(
        name="sets",
        queries=QUERIES,
        gallery=GALLERY,
        targets={f"q{number}": frozenset({f"v{number + 3}"}) for number in range(3)},
        subset={name: frozenset(ids) for name, ids in subset.items()},
        subset_ks=(1,),
    )
    encoder = ENCODERS.get("hash").load(ENCODERS.get("hash").TINY)
    model = MODELS.get("visual-only").load(MODELS.get("visual-only").TINY, encoder)
    model.index(GALLERY)
    scores = model.score(QUERIES)
    expected = [
        1 + sum(bool(scores[row, int(name[1:])] >= scores[row, row + 3]) for name in ids - {f"v{row}", f"v{row + 3}"})
        for row, ids in enumerate(subset.values())
    ]
    ranks = evaluate(model, task)
    assert ranks.subset_rank.tolist() == expected
    constant = MODELS.get("constant").load(MODELS.get("constant").TINY, encoder)
    assert evaluate(constant, task).subset_rank.tolist() == [2, 1, 3]
    assert evaluate(constant, task).rank.tolist() == [8, 8, 8]


def test_sets_without_a_k_are_refused():
    targets = {query.query_id: frozenset({"v8"}) for query in QUERIES}
    with pytest.raises(CvrError, match="subset and subset_ks belong together"):
        Task(name="x", queries=QUERIES, gallery=GALLERY, targets=targets, subset_ks=(1,))
