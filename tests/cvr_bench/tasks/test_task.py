"""task, protocol: a wrong task cannot be built, and every complaint names its offenders."""

import pytest

from cvr_bench.models import MODELS
from cvr_bench.scoring.evaluate import evaluate
from cvr_bench.tasks.protocol import Protocol
from cvr_bench.tasks.task import Item, Query, Task, part_of_task
from cvr_data.core.errors import CvrError
from cvr_data.media.video import Video

A, B, C = (Item(name, Video(name)) for name in "abc")


def toy(**changes):
    fields = {
        "name": "toy",
        "queries": [Query("q1", A, "make it b"), Query("q2", B, "make it c")],
        "gallery": [A, B, C],
        "targets": {"q1": frozenset("b"), "q2": frozenset("c")},
        **changes,
    }
    return Task(**fields)


def test_a_good_task_says_what_is_ranked():
    task = toy(candidates={"q1": frozenset("ab"), "q2": frozenset("abc")})
    assert [task.is_allowed(task.queries[0], name) for name in "abc"] == [False, True, False]
    kept = toy(protocol=Protocol(reference="keep"))
    assert kept.is_allowed(kept.queries[0], "a")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"queries": []}, "toy: there is no query"),
        ({"gallery": [A, B, C, B]}, "gallery item b stands more than once"),
        ({"queries": [Query("q1", A, "x"), Query("q1", B, "y")]}, "query q1 stands more than once"),
        ({"gallery": [A, B, C, Item("d")]}, "gallery item d is neither a video nor a text"),
        ({"queries": [Query("q1", None, None), Query("q2", B, "y")]}, "query q1 has neither a reference nor"),
        ({"targets": {"q1": frozenset("b")}}, "query q2 has no target"),
        ({"targets": {"q1": frozenset("b"), "q2": frozenset()}}, "query q2 has no target"),
        ({"targets": {"q1": frozenset("b"), "q2": frozenset("c"), "q9": frozenset("c")}}, "query q9, which is not"),
        ({"targets": {"q1": frozenset("b"), "q2": frozenset("z")}}, "target z is not in the gallery"),
        ({"targets": {"q1": frozenset("a"), "q2": frozenset("c")}}, "no target left to find for query q1"),
        ({"candidates": {"q1": frozenset("ab"), "q2": frozenset()}}, "query q2 has no candidates"),
        ({"candidates": {"q1": frozenset("ab"), "q2": frozenset("cz")}}, "candidate z is not in the gallery"),
        ({"candidates": {"q1": frozenset("c"), "q2": frozenset("c")}}, "no target left to find for query q1"),
        ({"slices": {"kind": {"q7": "static"}}}, "slice 'kind' names query q7"),
        ({"ks": (5, 1)}, "ks should be rising numbers from 1"),
        ({"ks": ()}, "ks should be rising numbers from 1"),
    ],
)
def test_a_wrong_task_is_refused(changes, message):
    with pytest.raises(CvrError, match=message):
        toy(**changes)


def test_a_blind_task_is_one_without_targets_and_cannot_be_scored():
    task = toy(targets={}, gallery=[])  # a server keeps both
    assert task.is_blind
    component = MODELS.get("random")
    with pytest.raises(CvrError, match="toy: its targets are not published, so its server has to score it"):
        evaluate(component.load(component.Config(), None), task)


def test_a_part_of_a_task_has_what_is_about_its_queries_and_items():
    ranked = frozenset("abc")
    whole = toy(
        targets={"q1": frozenset("bc"), "q2": frozenset("c")},
        candidates={"q1": ranked, "q2": ranked},
        slices={"kind": {"q1": "static", "q2": "action"}},
        target_frame_weights={"q2": [0.5]},
    )
    part = part_of_task(whole, whole.queries[:1], {"a", "b"})
    assert part == toy(
        queries=whole.queries[:1],
        gallery=[A, B],
        targets={"q1": frozenset("b")},
        candidates={"q1": frozenset("ab")},
        slices={"kind": {"q1": "static"}},
    )
    assert part_of_task(whole, whole.queries) == whole


def test_a_protocol_survives_json_and_names_its_differences():
    strict, kept = Protocol(), Protocol(reference="keep", unit="paragraph")
    assert Protocol.from_json(kept.to_json()) == kept
    assert strict.key != kept.key
    assert strict.differences(kept) == ["reference: exclude, not keep", "unit: sentence, not paragraph"]
    assert strict.differences(Protocol()) == []
    assert Protocol.from_json({**strict.to_json(), "frames": "8 uniform", "selection_split": "val"}) == strict


def test_an_unknown_rule_is_refused():
    with pytest.raises(CvrError, match=r"reference cannot be 'mask'\. Choose from: exclude, keep"):
        Protocol(reference="mask")
    with pytest.raises(CvrError, match=r"unknown field 'tie'\. Did you mean: ties"):
        Protocol.from_json({"tie": "against"})
