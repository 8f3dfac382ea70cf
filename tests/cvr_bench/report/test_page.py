"""report: the page says what manifests and ranks say, loads nothing, escapes everything, and works in a browser."""

import json
import queue
import re
import shutil
import subprocess
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from cvr_bench.benchmarks import triplets as triplets_dataset
from cvr_bench.report.group import report_learning_curves
from cvr_bench.report.page import build_report, report_html, report_markdown
from cvr_bench.report.scores import report_groups, reported_outcomes
from cvr_bench.results.result import MEAN, read_result
from cvr_data.core.artifacts import open_artifact
from cvr_data.pages.charts import FunnelBar
from cvr_data.pages.funnel import merged_funnel_bars
from tests.report_world import MODELS, make_world, write_one, write_results

pytestmark = pytest.mark.slow

HOSTILE = "<script>alert(1)</script> & __CLIPS__ | `x`"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return tmp_path_factory.mktemp("report-world")


@pytest.fixture(scope="module")
def triplets(world):
    return make_world(world)


@pytest.fixture(scope="module")
def results(world, triplets):
    return write_results(world, triplets)


@pytest.fixture(scope="module")
def report(results):
    return build_report(results)


def lists_behind(content):
    """Anchor -> the section that a number leads to."""
    return {
        anchor: rest
        for anchor, rest in re.findall(r'<section class="behind" id="(behind-\d+)"(.*?)</section>', content, re.S)
    }


def test_behind_a_recall_stand_the_queries_that_make_it(report, page):
    group, lists = report.groups[0], {one.anchor: one for one in report.lists}
    for entry in group.entries:
        rank = entry.result.ranks.column("rank").to_numpy()
        for k in entry.result.ks:
            parts = lists[group.metric_links[entry.label, f"R@{k}"]].parts
            assert [part.count for part in parts] == [n for n in ((rank <= k).sum(), (rank > k).sum()) if n]
        ends = lists[group.metric_links[entry.label, "MdR"]].parts
        first, last = ends[0].cards[0].facts[0], ends[1].cards[0].facts[0]
        assert first.startswith(f"rank {rank.min()} of ") and last.startswith(f"rank {rank.max()} of ")
    shown = lists_behind(page)
    assert list(shown) == [one.anchor for one in report.lists]
    assert all(
        section.count("<article") == sum(len(part.cards) for part in lists[anchor].parts)
        for anchor, section in shown.items()
    )


def test_behind_a_difference_stand_the_queries_that_one_of_both_finds(report):
    group, lists = report.groups[0], {one.anchor: one for one in report.lists}
    ranks = {entry.label: entry.result.ranks.column("rank").to_numpy() for entry in group.entries}
    for (label, metric), anchor in group.gain_links.items():
        first, second = (ranks[name] <= int(metric[2:]) for name in label.split(" − "))
        counts = {part.title: part.count for part in lists[anchor].parts} if anchor else {}
        assert sum(counts.values()) == (first != second).sum()
        gain = (first.mean() - second.mean()) * 100
        row = next(row for row in group.differences[0].rows if row.label == label)
        assert row.intervals[metric].value == pytest.approx(gain)


def test_behind_the_size_of_a_slice_are_so_many_queries(report):
    lists = {one.anchor: one for one in report.lists}
    panels = [panel for part in report.groups[0].slices for panel, _ in part.drawn]
    assert panels and [lists[panel.link].parts[0].count for panel in panels] == [panel.queries for panel in panels]


@pytest.fixture(scope="module")
def page(report):
    return report_html(report)


class Page(HTMLParser):
    """The attributes of all elements, and the ids."""

    def __init__(self, content):
        super().__init__()
        self.elements = []
        self.feed(content)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def all(self, name):
        return [attributes for tag, attributes in self.elements if tag == name]


def hostile_csv(folder):
    path = folder / "hostile_test.csv"
    cell = '"' + HOSTILE + '"'
    path.write_text(f"txt1,txt2,pth1,pth2,edit\n{cell},{cell},<b>1</b>,v2,{cell}\n", encoding="utf-8")
    return path


def test_the_funnel_is_what_the_manifests_counted(report, world):
    bars = {bar.label: bar for bar in report.dataset.bars}
    videos, built = open_artifact(world / "videos").manifest, open_artifact(world / "annotations/small-world").manifest
    assert (bars["import synthetic"].before, bars["import synthetic"].after) == (videos["rows"] + 2, videos["rows"])
    assert bars["import synthetic"].losses == [("unreadable video", 1), ("zero frames", 1)]
    assert bars["text similarity"].after == open_artifact(world / "pairs").manifest["rows"]
    assert report.dataset.bars[-1].after == built["rows"]
    own = sum(step["stage"] == "build-triplets" for step in built["funnel"])
    losses = [loss for bar in report.dataset.bars[-own:] for loss in bar.losses]
    assert dict(losses) == {reason.replace("_", " "): count for reason, count in built["dropped"].items()}
    units = [bar.unit for bar in report.dataset.bars]
    assert list(dict.fromkeys(units)) == ["videos", "pairs", "texts", "triplets"]


def test_steps_that_remove_nothing_are_drawn_as_one():
    idle = [FunnelBar("pairs", name, 9, 9, []) for name in ("one word", "min words", "digits", "templates")]
    bars = [FunnelBar("videos", "import", 5, 5, []), *idle, FunnelBar("pairs", "cap", 9, 7, [("over cap", 2)])]
    drawn = [(bar.label, bar.before, bar.after) for bar in merged_funnel_bars(bars)]
    assert drawn == [
        ("import", 5, 5),
        ("one word", 9, 9),
        ("min words to templates, 3 steps", 9, 9),
        ("cap", 9, 7),
    ]
    assert merged_funnel_bars(idle[:2]) == idle[:2]


def test_numbers_in_the_table_are_those_of_the_results(page, results):
    for path in results:
        record = read_result(path).record
        for metric in ("R@1", "R@50", MEAN):
            found = record["metrics"][metric]
            assert f'{found["value"]:.1f}</a><span class="ci">{found["low"]:.1f} to {found["high"]:.1f}</span>' in page
        assert f"<td>{record['chance']['R@1']:.2f}</td>" in page


def test_models_stand_best_first_and_the_best_is_marked(report):
    [group] = report.groups
    means = [entry.mean for entry in group.entries]
    assert means == sorted(means, reverse=True)
    assert group.best[MEAN] == {group.entries[0].label}
    assert sorted(entry.label for entry in group.entries) == sorted(MODELS)


def test_composed_models_are_compared_with_unimodal_baselines_on_each_source_of_text(report):
    [group] = report.groups
    titles = [part.title for part in group.differences]
    assert titles[0] == "All queries"
    assert set(titles[1:]) == {"Text by rules", "Text by truth", "Text by LLM (transformers)"}
    pairs = {(row.first, row.second) for row in group.differences[0].rows}
    assert pairs == {(model, other) for model in ("fdca", "combiner", "sum") for other in ("visual-only", "text-only")}
    row = next(row for row in group.differences[0].rows if (row.first, row.second) == ("fdca", "visual-only"))
    first, other = (
        next(entry.mean for entry in group.entries if entry.label == name) for name in (row.first, row.second)
    )
    assert row.intervals[MEAN].value == pytest.approx(first - other)


def test_a_success_is_right_and_a_failure_is_not(results):
    for path in results:
        result = read_result(path)
        rank = {row["query_id"]: row["rank"] for row in result.ranks.to_pylist()}
        right, wrong = reported_outcomes(result)
        assert right.rank == rank[right.query_id] == min(rank.values())
        assert wrong.rank == rank[wrong.query_id]
        assert wrong.rank > 10 or wrong.rank == max(rank.values())
        assert right.found == (right.rank == 1)
        assert not any(candidate.is_target for candidate in wrong.top[: min(5, wrong.rank - 1)])
        if right.found:
            assert right.top[0].is_target


def test_random_triplets_depend_on_the_seed_only(results, report):
    def shown(seed):
        return [card.triplet_id for card in build_report(results[:1], seed=seed).dataset.cards]

    assert len(shown(0)) == len(set(shown(0))) == 20
    assert shown(0) == [card.triplet_id for card in report.dataset.cards]
    assert shown(0) != shown(1)


def test_results_of_another_protocol_stand_in_a_part_of_their_own(world, triplets, results):
    config = triplets_dataset.Config(data=triplets, videos=(world / "videos",), reference="keep")
    shutil.rmtree(world / "kept", ignore_errors=True)
    (world / "kept").mkdir()
    (world / "kept" / "videos").symlink_to(world / "videos")
    other = write_one(world / "kept", triplets, triplets_dataset.load(config), "sum")
    found = report_groups([read_result(path) for path in (*results, other)])
    assert [len(entries) for entries in found] == [len(results), 1]
    page = report_html(build_report([*results, other]))
    assert 'id="metrics-2"' in page
    assert "stand in 2 parts" in page


def test_two_results_of_one_model_are_told_apart_by_their_folders(results, tmp_path):
    copy = tmp_path / "fdca-again"
    shutil.copytree(results[0], copy)
    [entries] = report_groups([read_result(results[0]), read_result(copy)])
    assert {entry.label for entry in entries} == {"fdca", "fdca-again"}


def test_the_page_loads_nothing_from_outside(page):
    found = Page(page)
    links = [value for _, attributes in found.elements for name, value in attributes.items() if name in ("src", "href")]
    assert all(link.startswith(("#", "data:")) for link in links)
    assert not re.search(r"url\((?!#)|@import|@font-face", page)  # a gradient of the page itself is no outside
    policy = next(meta["content"] for meta in found.all("meta") if meta.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")


def test_every_link_of_the_contents_leads_somewhere(page):
    found = Page(page)
    ids = [attributes["id"] for _, attributes in found.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {link["href"][1:] for link in found.all("a")} <= set(ids)


def test_every_clip_and_drawing_has_a_text_for_those_who_cannot_see_it(page):
    found = Page(page)
    assert len(found.all("video")) >= 40
    named = [button for button in found.all("button") if button["class"] == "play"]
    assert len(named) == len(found.all("video")) and all(button["aria-label"] for button in named)
    assert all(drawing["aria-label"] and drawing["role"] == "img" for drawing in found.all("svg"))


def test_every_clip_on_the_page_is_embedded_once(page):
    clips = json.loads(re.search(r'<script type="application/json" id="clips">(.*?)</script>', page).group(1))
    assert {video["data-clip"] for video in Page(page).all("video")} == set(clips)
    assert all(uri.startswith("data:video/mp4;base64,") for uri in clips.values())


def test_hostile_captions_texts_and_ids_stay_text(tmp_path):
    report = build_report([], triplets=hostile_csv(tmp_path))
    page = report_html(report)
    assert "<script>alert" not in page
    assert "<b>1</b>" not in page
    assert "__CLIPS__ | `x`" in page  # the caption keeps its words; the clips go where the page has room for them
    row = next(line for line in report_markdown(report).splitlines() if "alert" in line)
    assert "<script>" not in row
    assert len(re.findall(r"(?<!\\)\|", row)) == 6


def test_triplets_without_media_are_shown_as_words(tmp_path):
    page = report_html(build_report([], triplets=hostile_csv(tmp_path)))
    assert "no clip on disk" in page
    assert not Page(page).all("video")


def test_a_training_log_becomes_losses_and_recalls(results, tmp_path):
    losses, recalls = report_learning_curves(results[0])
    assert ">contrastive</text>" in losses
    assert ">R@10</text>" in recalls
    assert report_learning_curves(tmp_path) == []


def test_markdown_tables_have_equal_rows(report):
    widths = [
        [len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()]
        for block in re.findall(r"(?:^\|.*\n)+", report_markdown(report), flags=re.MULTILINE)
    ]
    assert len(widths) > 6
    assert all(len(set(block)) == 1 for block in widths)


def test_the_command_writes_html_or_markdown(cvr, results, tmp_path):
    timings = tmp_path / "timings.json"
    timings.write_text(json.dumps([{"command": "cvr embed videos", "seconds": 12.5}]), encoding="utf-8")
    html, markdown = tmp_path / "deep" / "page.html", tmp_path / "page.md"
    assert cvr("report", *results, "--timings", timings, "-O", html).code == 0
    assert "12.5 s" in html.read_text(encoding="utf-8")
    assert cvr("report", results[0], "-O", markdown).code == 0
    assert markdown.read_text(encoding="utf-8").startswith("# small-world\n")
    assert cvr("report", results[0], "--format", "md", "-O", html).code == 0
    assert html.read_text(encoding="utf-8").startswith("# small-world\n")


def test_mistakes_are_one_line(one_line_error, results, triplets, tmp_path):
    assert "nothing to report" in one_line_error("report")
    assert "made by 'build-triplets'" in one_line_error("report", triplets)
    assert "does not exist" in one_line_error("report", tmp_path / "gone")
    assert "is a folder" in one_line_error("report", results[0], "-O", tmp_path)
    assert "gone.json: no such file" in one_line_error("report", results[0], "--timings", tmp_path / "gone.json")
    broken = tmp_path / "timings.json"
    broken.write_text('{"command": 3}', encoding="utf-8")
    assert "should be a JSON list" in one_line_error("report", results[0], "--timings", broken)


PROBE = """<iframe src="report.html" width="{width}" height="900" style="border:0"></iframe>
<script>
const frame = document.querySelector("iframe");
function measure() {{
  const page = frame.contentDocument, videos = [...page.querySelectorAll("video")];
  return {{
    overflow: page.documentElement.scrollWidth - frame.contentWindow.innerWidth,
    loaded: videos.filter((video) => video.src).length,
    playing: videos.filter((video) => !video.paused && video.readyState > 1 && video.videoWidth).length,
    videos: videos.length,
    button: page.querySelector(".motion").textContent,
    here: page.querySelector(".toc .here").textContent,
  }};
}}
function wait(tries) {{
  const found = measure();
  if (found.playing || !tries) fetch("/probe", {{method: "POST", body: JSON.stringify(found)}});
  else setTimeout(wait, 250, tries - 1);
}}
frame.addEventListener("load", () => {{
  frame.contentDocument.getElementById("triplets").scrollIntoView();
  setTimeout(wait, 250, 120);
}});
</script>"""


@pytest.fixture
def browse(chromium, tmp_path):
    """Serve files on loopback, open one in a browser, return what its page posts and what it complains of."""
    posted = queue.Queue()

    class Handler(SimpleHTTPRequestHandler):
        def do_POST(self):
            posted.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *words):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(tmp_path))) as server:
        Thread(target=server.serve_forever, daemon=True).start()

        def run(name, width):
            flags = (
                "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
                "--disable-component-update --disable-sync --autoplay-policy=no-user-gesture-required "
                f"--enable-logging=stderr --window-size={width + 60},1000 --user-data-dir={tmp_path / 'profile'}"
            )
            address = f"http://127.0.0.1:{server.server_port}/{name}"
            with (tmp_path / "browser.log").open("w") as log:
                browser = subprocess.Popen([chromium, *flags.split(), address], stdout=log, stderr=log)
                try:
                    found = posted.get(timeout=60)
                finally:
                    browser.terminate()
                    browser.wait(timeout=60)
            lines = (tmp_path / "browser.log").read_text(errors="replace").splitlines()
            return found, [line for line in lines if "CONSOLE" in line and "report.html" in line]

        yield run
        server.shutdown()


@pytest.mark.engine
@pytest.mark.parametrize("width", [390, 1280])
def test_in_a_browser_clips_play_in_view_and_nothing_overflows(browse, page, tmp_path, width):
    (tmp_path / "report.html").write_text(page, encoding="utf-8")
    (tmp_path / "probe.html").write_text(PROBE.format(width=width), encoding="utf-8")
    found, complaints = browse("probe.html", width)
    assert found["overflow"] <= 0
    assert 0 < found["loaded"] < found["videos"]
    assert found["playing"] > 0
    assert found["button"] == "Pause clips"
    assert found["here"] == "Triplets"
    assert complaints == []
