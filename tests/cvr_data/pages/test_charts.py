"""charts: where things stand in a drawing, and that every drawing is well-formed whatever its labels say."""

from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvr_data.pages.charts import (
    Bar,
    Curve,
    Dot,
    FunnelBar,
    Scale,
    Size,
    bar_chart,
    chart_ticks,
    dot_chart,
    line_chart,
    spaced_chart_labels,
    wrap_chart_items,
)
from cvr_data.pages.sankey import sankey

HOSTILE = '<script>alert("1 & 2")</script>'


def elements(drawn, tag, style):
    root = ElementTree.fromstring(drawn)
    return [found for found in root.iter(tag) if style in found.get("class", "").split()]


@pytest.mark.parametrize(
    ("low", "high", "count", "expected"),
    [
        (0, 100, 5, [0, 20, 40, 60, 80, 100]),
        (0, 7, 5, [0, 2, 4, 6]),
        (-15, 50, 8, [-10, 0, 10, 20, 30, 40, 50]),
        (0, 0.03, 3, [0, 0.01, 0.02, 0.03]),
        (5, 5, 4, [5]),
    ],
)
def test_ticks_are_round_numbers_within_the_domain(low, high, count, expected):
    assert chart_ticks(low, high, count) == expected


def test_a_scale_maps_its_ends_and_equal_factors_to_equal_steps():
    linear, log = Scale((0, 10), (100, 200)), Scale((1, 100), (0, 80), log=True)
    assert [linear(0), linear(2.5), linear(10)] == [100, 125, 200]
    assert [log(1), log(10), log(100)] == pytest.approx([0, 40, 80])


@given(st.lists(st.floats(0, 300), min_size=1, max_size=12))
def test_spread_labels_keep_their_order_a_gap_and_the_bounds(positions):
    placed = spaced_chart_labels(positions, 15, 0, 300)
    order = sorted(range(len(positions)), key=lambda index: positions[index])
    rising = [placed[index] for index in order]
    assert all(later - earlier >= 15 - 1e-9 for earlier, later in pairwise(rising))
    assert min(placed) >= -1e-9
    assert max(placed) <= 300 + 1e-9


def test_labels_that_are_far_apart_do_not_move():
    assert spaced_chart_labels([200, 10, 100], 15, 0, 300) == [200, 10, 100]


def test_wrapped_lines_hold_every_item_once():
    items = ["−3 too long", "−12 below similarity band", "−1 digits"]
    lines = wrap_chart_items(items, width=200)
    assert len(lines) > 1
    assert "  ·  ".join(lines) == "  ·  ".join(items)


def test_curves_rise_on_the_page_where_values_rise():
    lines = [Curve("good", [(1, 20), (10, 60), (50, 90)], "s1"), Curve("poor", [(1, 5), (10, 9), (50, 30)], "b1")]
    drawn = line_chart(lines, size=Size(600, 300), title="recall", x_label="K", y_label="R@K", log_x=True)
    for found in elements(drawn, "polyline", "line"):
        points = [tuple(map(float, point.split(","))) for point in found.get("points").split()]
        assert points == sorted(points)
        assert [y for _, y in points] == sorted((y for _, y in points), reverse=True)
        assert all(0 <= x <= 600 and 0 <= y <= 300 for x, y in points)
    labels = {found.text: float(found.get("y")) for found in elements(drawn, "text", "ink")}
    assert labels["good"] < labels["poor"]


def test_epochs_have_whole_ticks_and_the_axis_reaches_over_the_highest_value():
    line = Curve("loss", [(1, 94.0), (2, 50.0), (4, 30.0)], "s1")
    drawn = line_chart([line], size=Size(600, 300), title="loss", x_label="epoch", y_label="loss")
    ticks = [found.text for found in elements(drawn, "text", "axis")]
    assert [tick for tick in ticks if tick.replace(".", "").isdigit()] == [
        "0",
        "20",
        "40",
        "60",
        "80",
        "100",
        "1",
        "2",
        "3",
        "4",
    ]


def test_a_chart_without_points_says_so():
    assert "No points" in line_chart([], size=Size(300, 200), title="nothing", x_label="K", y_label="R@K")


def test_dots_stand_between_the_ends_of_their_intervals():
    rows = [Dot("a", 10, 5, 20, "s1"), Dot("b", -3, -8, 1, "s2")]
    drawn = dot_chart(rows, width=400, title="differences", domain=(-8, 20), zero=True)
    [zero] = elements(drawn, "line", "zero")
    places = [float(circle.get("cx")) for circle in elements(drawn, "circle", "dot")]
    assert places[1] < float(zero.get("x1")) < places[0]
    for place, whisker in zip(places, elements(drawn, "line", "whisker"), strict=True):
        assert float(whisker.get("x1")) < place < float(whisker.get("x2"))
    assert [found.text for found in elements(drawn, "text", "value")] == ["+10.0", "−3.0"]


def test_long_labels_stand_above_their_dots():
    rows = [Dot("a model with a long name − another one", 1, 0, 2, "s1")]
    drawn = dot_chart(rows, width=300, title="differences", domain=(0, 2))
    [label] = elements(drawn, "text", "label")
    [circle] = elements(drawn, "circle", "dot")
    assert float(label.get("y")) < float(circle.get("cy"))
    assert float(elements(drawn, "line", "grid")[0].get("x1")) < 20


def test_every_drawing_is_named_and_escapes_what_it_is_given():
    drawings = [
        sankey([FunnelBar("videos", HOSTILE, 3, 2, [(HOSTILE, 1)])], width=400, title=HOSTILE),
        line_chart(
            [Curve(HOSTILE, [(1, 2)], "s1")], size=Size(400, 200), title=HOSTILE, x_label=HOSTILE, y_label=HOSTILE
        ),
        dot_chart([Dot(HOSTILE, 1, 0, 2, "s1")], width=400, title=HOSTILE, domain=(0, 2), axis=HOSTILE),
        bar_chart([Bar(HOSTILE, 3.0, HOSTILE)], width=400, title=HOSTILE),
    ]
    for drawn in drawings:
        root = ElementTree.fromstring(drawn)
        assert (root.get("role"), root.get("aria-label")) == ("img", HOSTILE)
        assert not list(root.iter("script"))
