"""The page of `cvr stats --html`: it draws what the tables count, escapes everything and loads nothing."""

import re
from html.parser import HTMLParser

import numpy as np
import pyarrow as pa
import pytest

from cvr_data.core.artifacts import open_artifact
from cvr_data.pages.behind import SHOWN, TripletLists, page_rows_by_bin
from cvr_data.pages.charts import FunnelBar
from cvr_data.pages.clips import ClipShelf
from cvr_data.pages.histogram import Bound, chart_bin_counts, histogram
from cvr_data.pages.sankey import sankey
from cvr_data.pages.stats import _composition, stats_page, stats_page_html
from cvr_data.pages.stats_numbers import RowsOfTriplets
from cvr_data.tables import TRIPLETS
from tests.dataset_folders import VIDEOS, write_artifact
from tests.report_world import make_world
from tests.triplet_tables import triplet

HOSTILE = "<script>alert(1)</script> & __CLIPS__ \" '"


class Page(HTMLParser):
    """The elements of a page and the words between them."""

    def __init__(self, content):
        super().__init__()
        self.elements, self.words = [], []
        self.feed(content)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words.append(data.strip())

    def all(self, name):
        return [attributes for tag, attributes in self.elements if tag == name]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stats-world")
    make_world(folder, train=2, val=2, test=16)
    return folder


@pytest.fixture(scope="module")
def made(world):
    return stats_page(world / "annotations" / "small-world")


@pytest.fixture(scope="module")
def page(made):
    return stats_page_html(made)


def test_the_command_writes_the_page_and_prints_the_numbers_as_ever(world, tmp_path, cvr, one_line_error):
    folder = world / "annotations" / "small-world"
    plain, drawn = cvr("stats", folder), cvr("stats", folder, "--html", tmp_path / "deep" / "stats.html")
    assert (drawn.code, drawn.out) == (0, plain.out)
    assert (tmp_path / "deep" / "stats.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert "--html is the file to write" in one_line_error("stats", folder, "--html", tmp_path)


def test_the_funnel_shows_the_counts_of_the_manifests(page, world):
    steps = [
        step for step in open_artifact(world / "annotations" / "small-world").manifest["funnel"] if step["dropped"]
    ]
    drawn = Page(page).words
    assert any(step["stage"] == "build-triplets" for step in steps)
    for step in steps:
        assert step["in"] is None or any(f"{step['in']:,} → {step['out']:,}" in words for words in drawn)
        for reason, count in step["dropped"].items():
            assert any(f"−{count:,} {reason.replace('_', ' ')}" in words for words in drawn)


def test_the_widths_of_flows_are_the_rows():
    steps = [
        FunnelBar("videos", "import", 50, 50, []),
        FunnelBar("pairs", "mine", 100, 100, []),
        FunnelBar("pairs", "cap", 100, 40, [("over cap", 45), ("too long", 15)]),
        FunnelBar("texts", "rules", 30, 30, [], follows=False),
        FunnelBar("texts", "llm", 10, 10, [], follows=False),
        FunnelBar("triplets", "build", 40, 20, [("copied", 20)]),
    ]
    drawn = sankey(steps, width=880, title="t")
    widths = dict(re.findall(r'width="([\d.]+)" height="7.0" class="kept"><title>(\w+):', drawn))
    widths = {name: float(width) for width, name in widths.items()}
    assert widths["import"] == pytest.approx(widths["mine"] / 2, abs=0.3)  # videos and pairs have one scale
    assert widths["build"] == pytest.approx(0.2 * widths["mine"], abs=0.3)
    assert widths["cap"] == pytest.approx(0.4 * widths["mine"], abs=0.2)
    assert widths["rules"] == pytest.approx(3 * widths["llm"], abs=0.3)
    assert widths["build"] == pytest.approx((widths["rules"] + widths["llm"]) / 2, abs=0.3)
    assert [count for count, _ in re.findall(r"<title>(\d+) (over cap|too long|copied)</title>", drawn)] == [
        "45", "15", "20",
    ]  # fmt: skip
    assert drawn.count('class="stream"') == 1 + 1 + 2 + 2  # to pairs, to the cap, to two texts, and these together
    assert sankey(steps[::-1], width=330, title="t").count("<svg") == 1


def test_a_histogram_counts_every_value_once_and_draws_its_bounds():
    kept, lost = np.linspace(0.4, 0.9, 70).tolist(), np.linspace(0.9, 1, 30).tolist()
    counts = chart_bin_counts(kept, lost)
    assert (sum(counts.kept), sum(counts.lost)) == (70, 30)
    bounds = [Bound(0.41, "at least 0.41"), Bound(0.976, "at most 0.976")]
    drawn = histogram(counts, width=330, title="t", x_label="cosine", bounds=bounds)
    assert drawn.count('class="bound"') == 2
    assert "at most 0.976" in drawn
    assert histogram(chart_bin_counts([]), width=330, title="t", x_label="x").startswith("<svg")


def test_whole_numbers_have_a_bin_each_while_they_are_few():
    counts = chart_bin_counts([2, 2, 3, 7], whole=True)
    assert counts.kept == [2, 1, 0, 0, 0, 1]
    assert sum(chart_bin_counts(range(1, 500), whole=True).kept) == 499
    assert chart_bin_counts([4.0]).kept[0] == 1


def test_best_and_worst_are_those_of_the_column(tmp_path):
    scores = [0.3, 0.9, 0.1, None, 0.5, 0.7]
    rows = [triplet("r", f"make it {number}", f"t{number}", text_similarity=score, frame_scores=[0.0, score or 0.0])
            for number, score in enumerate(scores)]  # fmt: skip
    found = stats_page(write_artifact(tmp_path / "triplets", "build-triplets", rows, TRIPLETS))
    ranked = {entry.score: entry for entry in found.ranked}
    assert list(ranked) == ["caption similarity", "best frame score"]
    entry = ranked["caption similarity"]
    assert [card.target_id for card in entry.high] == ["t1", "t5", "t4", "t0"]
    assert [card.target_id for card in entry.low] == ["t2", "t0", "t4", "t5"]
    assert "best frame score 0.900" in ranked["best frame score"].high[0].facts


def test_every_word_of_the_dataset_is_escaped(tmp_path):
    change = [{"kind": HOSTILE, "slot": HOSTILE, "before": HOSTILE, "after": HOSTILE}]
    row = triplet(HOSTILE, HOSTILE, "t", style=HOSTILE, backend=HOSTILE, model=HOSTILE, reference_caption=HOSTILE,
                  changes=change)  # fmt: skip
    video = {"video_id": HOSTILE, "captions": [HOSTILE], "source": HOSTILE, "licence": HOSTILE, "path": HOSTILE}
    videos = write_artifact(tmp_path / "videos", "import-tiny", [video], VIDEOS)
    folder = write_artifact(tmp_path / "triplets", "build-triplets", [row], TRIPLETS, videos=videos)
    content = stats_page_html(stats_page(folder))
    assert "<script>alert" not in content
    assert len(Page(content).all("script")) == 2
    assert any(HOSTILE in words for words in Page(content).words)


def test_a_number_leads_to_a_list_of_as_many_triplets(made, page, world):
    lists = {one.anchor: one for one in made.lists}
    linked = [(words, anchor) for _, pieces in made.facts for words, anchor in pieces if anchor]
    leads = {lists[anchor].title: (words, lists[anchor].parts[0].count) for words, anchor in linked}
    triplets = open_artifact(world / "annotations" / "small-world").read()
    assert leads["All triplets"][1] == triplets.num_rows
    for split in set(triplets.column("split").to_pylist()):
        number = triplets.column("split").to_pylist().count(split)
        assert leads[f"Split {split}"] == (str(number), number)
    bars = re.findall(r'<a href="#(behind-\d+)" aria-label="(.+?): ([\d,]+)">', page)
    assert len(bars) > 20
    assert [(name, lists[anchor].parts[0].count) for anchor, name, count in bars] == [
        (name, int(count.replace(",", ""))) for _, name, count in bars
    ]
    shown = re.findall(r'<section class="behind" id="(behind-\d+)"(.*?)</section>', page, re.S)
    assert [anchor for anchor, _ in shown] == list(lists)
    assert all(rest.count("<article") == min(SHOWN, lists[anchor].parts[0].count) for anchor, rest in shown)


def test_what_a_step_left_out_is_listed_with_its_reason(made, world):
    titles = {one.title: one.parts[0] for one in made.lists}
    dropped = open_artifact(world / "annotations" / "small-world").dropped().to_pylist()
    copied = [row for row in dropped if row["drop_reason"] == "copied"]
    part = titles["Left out by texts: copied"]
    assert copied and part.count == len(copied)
    assert {card.triplet_id for card in part.cards} <= {row["triplet_id"] for row in copied}
    links = {reason: anchor for bar in made.steps for reason, anchor in bar.links.items() if anchor}
    assert "copied" in links


def test_rows_with_two_changes_and_shared_texts_are_found():
    change = {"kind": "static", "slot": "scene", "before": "a", "after": "b"}
    rows = [
        triplet("r", "make it red", "t", changes=[change, {**change, "after": "c"}]),
        triplet("s", "change it", "u", changes=[change], split="test"),
        triplet("t", "make it red", "v", split="test", changes=[]),
    ]
    found = RowsOfTriplets(pa.Table.from_pylist(rows, TRIPLETS))
    assert {name: of.tolist() for name, of in found.changes["change"].items()} == {"a -> b": [0, 1], "a -> c": [0]}
    assert found.changes["kinds"]["static"].tolist() == [0, 0, 1]
    assert sorted(set(found.shared("texts", "train-test").tolist())) == [0, 2]
    assert sorted(set(found.shared("videos", "train-test").tolist())) == [0, 2]
    assert found.vague.tolist() == [1]
    videos = pa.table({"video_id": ["r", "u"], "source": ["web", None]})
    assert {name: of.tolist() for name, of in found.of_videos(videos, "source").items()} == {"web": [0], "unknown": [1]}
    groups = {"reference_group_id": "g", "target_group_id": None}
    twins = [{**rows[0], **groups}, {**rows[1], **groups}, {**rows[2], "reference_group_id": "h"}]
    assert RowsOfTriplets(pa.Table.from_pylist(twins, TRIPLETS)).with_duplicates.tolist() == [0, 1]
    assert page_rows_by_bin(np.array([0.0, 1, 2, np.nan, 3]), [0, 1, 2, 3])[2].tolist() == [2, 4]


def test_a_page_holds_no_more_clips_than_it_may(made):
    shelf = ClipShelf(dict(made.clips.clips))
    names = list(shelf.clips)
    assert shelf.has(names[0]) and shelf.hold_few_more(1) == ""
    assert shelf.has(names[1]) and not shelf.has(names[2]) and shelf.is_full(names[2])
    assert shelf.has(names[0]) and not shelf.is_full(names[0])


def test_the_page_loads_nothing_from_elsewhere(page):
    parsed = Page(page)
    loaded = [attributes[name] for _, attributes in parsed.elements for name in ("src", "href") if name in attributes]
    assert all(address.startswith(("#", "data:")) for address in loaded)
    assert "@import" not in page and "url(http" not in page
    ids = [attributes["id"] for _, attributes in parsed.elements if "id" in attributes]
    assert len(ids) == len(set(ids))


@pytest.mark.engine
def test_in_a_browser_clips_play_and_nothing_overflows(page, browser, tmp_path):
    (tmp_path / "stats.html").write_text(page, encoding="utf-8")
    opened = browser.new_page(viewport={"width": 1280, "height": 800})
    complaints = []
    opened.on("console", lambda message: complaints.append(message.text))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.goto((tmp_path / "stats.html").as_uri())
    for width in (1280, 390):
        opened.set_viewport_size({"width": width, "height": 800})
        assert opened.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0
    opened.locator("#triplets").scroll_into_view_if_needed()
    opened.wait_for_function("() => [...document.querySelectorAll('video')].some(v => !v.paused && v.videoWidth)")
    opened.locator("#changes a").first.click()
    opened.wait_for_function("() => [...document.querySelectorAll('.behind:target video')].some(v => !v.paused)")
    assert opened.locator(".behind:visible").count() == 1
    opened.close()
    assert complaints == []


def test_what_queries_need_is_told_in_words_with_links_to_their_triplets():
    labels = ["needs_both", "either", None]
    rows = [triplet(f"r{number}", "make it red", f"t{number}", split="test") for number in range(len(labels))]
    table = pa.Table.from_pylist(rows, TRIPLETS).append_column("composition", pa.array(labels))
    told = {"test": {"labels": {"needs_both": 277}, "left_of_1000": 5}}
    linked = _composition({"composition": told}, RowsOfTriplets(table), TripletLists(table))
    assert "".join(words for words, _ in linked).endswith("In the triplets: needs both 1, either 1")
    assert [bool(anchor) for words, anchor in linked if words == "1"] == [True, True]
