"""The search page in headless Chromium, wide and narrow, light and dark, by pointer and by keyboard alone."""

import numpy as np
import pyarrow as pa
import pytest

from cvr_bench.search.desk import SearchSources
from cvr_data.core.artifact_writer import ArtifactWriter
from cvr_data.core.columns import check_columns
from cvr_data.media.video import write_mp4
from cvr_data.review.store import ReviewStore
from cvr_data.tables import VIDEOS
from tests.search_world import embedded, served

pytestmark = pytest.mark.engine

WAIT_MS = 30_000
HOSTILE = '<img src=x onerror="document.title=1">"a red ball"'
UNNAMED = """() => [...document.querySelectorAll(
    "button, input, video, img, progress, [role=img], dialog, section, nav, form")]
  .filter((one) => one.checkVisibility() && !(one.ariaLabel || one.alt || one.textContent.trim() || one.labels?.length
    || one.getAttribute("aria-labelledby")))
  .map((one) => one.outerHTML)"""
FAINT = """() => {
  const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((value) => value / 255)
    .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4))
    .reduce((sum, value, place) => sum + value * [0.2126, 0.7152, 0.0722][place], 0);
  const behind = (one) => {
    for (let at = one; at; at = at.parentElement) {
      const colour = channels(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const faint = [];
  for (const one of document.querySelectorAll("p, h1, h2, h3, button, label, dt, dd, legend, a, span")) {
    if (!one.checkVisibility() || !one.textContent.trim() || one.disabled) continue;
    const [a, b] = [light(channels(getComputedStyle(one).color)), light(behind(one))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) faint.push(one.outerHTML.slice(0, 200));
  }
  return faint;
}"""


def film(path, colour, later=None):
    """Write three seconds of a colour, the last of another."""
    frames = np.full((36, 48, 64, 3), colour, np.uint8)
    if later is not None:
        frames[24:] = later
    write_mp4(path, frames, fps=12)


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """A library of six clips: one with markup for a caption, one the last second of its file, one without a file."""
    folder = tmp_path_factory.mktemp("library")
    (folder / "media").mkdir()
    colours = {"red": (220, 30, 30), "green": (30, 160, 30), "blue": (30, 30, 220), "grey": (120, 120, 120)}
    for name, colour in colours.items():
        film(folder / "media" / f"{name}.mp4", colour)
    film(folder / "media" / "both.mp4", (220, 30, 30), later=(30, 30, 220))
    rows = [
        {"video_id": name, "captions": [f"a {name} ball"], "path": f"{folder}/media/{name}.mp4"} for name in colours
    ]
    rows[0]["captions"] = [HOSTILE]
    rows += [
        {
            "video_id": "part",
            "captions": ["the end of it"],
            "path": f"{folder}/media/both.mp4",
            "start_s": 2.0,
            "end_s": 3.0,
        },
        {"video_id": "lost", "captions": ["what was lost"], "path": f"{folder}/media/lost.mp4"},
    ]
    everything = [{**dict.fromkeys(VIDEOS.names), "source": "tiny", "split": "train", **row} for row in rows]
    with ArtifactWriter(folder / "videos", stage="import-tiny") as writer:
        writer.write_part(0, check_columns(pa.Table.from_pylist(everything, schema=VIDEOS), VIDEOS, "videos"))
        writer.finish()
    film(folder / "media" / "lost.mp4", (1, 2, 3))
    features = embedded(folder / "videos", folder / "embeddings")
    (folder / "media" / "lost.mp4").unlink()
    return SearchSources(videos=folder / "videos", embeddings=features, max_upload=300_000)


@pytest.fixture
def server(sources, tmp_path):
    with served(sources, tmp_path / "marks.sqlite", token="secret") as running:
        yield running


@pytest.fixture
def visit(browser, server):
    """Open the page in a window of its own; whatever it complains of ends the test."""
    contexts, complaints = [], []

    def open_page(width=1280, scheme="light", end="", **options):
        contexts.append(browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme, **options))
        page = contexts[-1].new_page()
        page.set_default_timeout(WAIT_MS)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: complaints.append(request.url) if "//127.0.0.1" not in request.url else None)
        page.goto(f"http://127.0.0.1:{server.port}/?token=secret{end}")
        page.locator("#go:not([disabled])").wait_for()
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [line for line in complaints if not line.startswith(("data:", "blob:"))] == []


def ask(page, text, without=""):
    page.locator("#text").fill(text)
    page.locator("#without").fill(without)
    with page.expect_response("**/api/search*"):
        page.locator("#text").press("Enter")
    page.locator("#found:not(.old) .hit").first.wait_for()


def hit(page, video):
    return page.locator(".hit", has=page.locator(".id", has_text=video))


def judged(server):
    with ReviewStore(server.desk._store.path) as store:
        items = {item.item_id: item for item in store.items()}
        found = store.judgments()
    return [(items[made.item_id].reference_id, *items[made.item_id].texts, items[made.item_id].target_id, made.decision)
            for made in found]  # fmt: skip


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")])
def test_a_search_goes_on_from_what_it_found(visit, server, width, scheme):
    page = visit(width, scheme)
    ask(page, "something blue")
    assert page.locator(".hit").count() == 6
    assert page.locator(".hit .mark").count() == 0  # no clip to start from, no triplet
    assert page.title() == "Search" and HOSTILE in page.locator(".hit h2").all_text_contents()
    hit(page, "grey").get_by_role("button", name="Search on from this: a grey ball").click()
    assert page.locator("#reference-caption").text_content() == "a grey ball"
    assert page.evaluate("() => document.activeElement.id") == "text"
    ask(page, "make it green", "a cube")
    assert "grey" not in page.locator(".hit .id").all_text_contents()
    hit(page, "green").get_by_role("button", name="Right: a green ball").click()
    hit(page, "blue").get_by_role("button", name="Wrong: a blue ball").click()
    page.locator(".hit.wrong").wait_for()
    assert judged(server) == [
        ("grey", "make it green, without a cube", "green", "accept"),
        ("grey", "make it green, without a cube", "blue", "reject"),
    ]
    hit(page, "green").get_by_role("button", name="Why?").click()
    page.locator(".why .bars").first.wait_for()
    assert page.locator(".why .bars").count() == 3
    assert page.locator(".why img").evaluate("(image) => image.decode().then(() => image.naturalWidth)") > 0
    for found in (UNNAMED, FAINT):
        assert page.evaluate(found) == []
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    page.locator("#steps button").first.click()
    page.locator("#said", has_text="6 found").wait_for()
    page.go_back()
    page.locator("#said", has_text="5 found").wait_for()
    assert page.locator("#text").input_value() == "make it green"


def test_everything_can_be_done_by_keyboard(visit, server):
    page = visit(reduced_motion="reduce")
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.className") == "skip"
    page.locator("#pick").focus()
    page.keyboard.press("Enter")
    page.keyboard.type("grey")
    page.locator("#library-said", has_text="1 videos").wait_for()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.locator("#library").wait_for(state="hidden")
    page.keyboard.type("make it red")
    page.keyboard.press("Enter")
    page.locator(".hit").first.wait_for()
    page.locator("#go").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    focused = page.evaluate("() => document.activeElement.querySelector('.id').textContent")
    page.keyboard.press("r")
    page.locator(".hit.right").wait_for()
    page.keyboard.press("w")
    page.locator(".why .bars").first.wait_for()
    assert judged(server) == [("grey", "make it red", focused, "accept")]
    page.keyboard.press("r")
    page.locator(".hit.right").wait_for(state="detached")
    assert judged(server) == []
    page.keyboard.press("x")
    page.locator(".hit.wrong").wait_for()
    page.keyboard.press("f")
    assert page.evaluate("() => document.activeElement.id") == "text"
    assert page.locator("#reference video, #reference .none").count() == 1
    page.locator("#go").focus()
    page.keyboard.press("?")
    assert page.locator("#help").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#help").is_visible()


def test_a_clip_is_brought_by_file_and_by_drop(visit, sources):
    page = visit()
    media = sources.videos.parent / "media"
    page.locator("#file").set_input_files(media / "blue.mp4")
    page.locator("#reference video").wait_for()
    page.locator("#reference video").evaluate(
        "(video) => new Promise((done) => video.videoWidth ? done() : video.onloadeddata = done)"
    )
    assert page.locator("#reference-caption").text_content() == "blue.mp4"
    ask(page, "")
    assert {*page.locator(".hit .id").all_text_contents()[:2]} == {"blue", "part"}  # the end of `both` is blue, too
    page.locator("#drop-reference").click()
    transfer = page.evaluate_handle(
        "() => { const made = new DataTransfer(); made.items.add(new File(['no clip'], 'fake.mp4')); return made; }"
    )
    page.dispatch_event("body", "drop", {"dataTransfer": transfer})
    page.locator("#banner", has_text="fake.mp4").wait_for()
    large = {"name": "large.mp4", "mimeType": "video/mp4", "buffer": bytes(400_000)}
    page.locator("#file").set_input_files(large)
    page.locator("#banner", has_text="large.mp4 has 1 MB").wait_for()
    assert page.locator("#choose").is_visible()


def test_only_the_part_of_a_file_that_is_the_clip_plays(visit):
    page = visit(end="#like=grey&text=blue")
    hit(page, "part").wait_for()
    times = page.evaluate("""() => new Promise((resolve) => {
      const part = [...document.querySelectorAll(".hit")].find((one) => one.hit.video === "part");
      const video = part.querySelector("video");
      video.scrollIntoView();
      const seen = [];
      let rounds = 0;
      const look = setInterval(() => {
        rounds += seen.length && video.currentTime < seen.at(-1) - 0.3 ? 1 : 0;
        if (video.readyState > 1) seen.push(video.currentTime);
        if (rounds === 2) resolve(clearInterval(look) || seen);
      }, 20);
    })""")
    assert min(times) >= 1.95 and 2.7 < max(times) < 3.2
    assert page.locator("#reference-caption").text_content() == "a grey ball"
    lost = hit(page, "lost")
    assert lost.locator(".none").text_content() == "no clip on disk"
    page.locator("#motion").click()
    assert page.evaluate("() => [...document.querySelectorAll('video')].every((video) => video.paused)")


def test_without_the_token_the_page_says_so(browser, server):
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{server.port}/?token=wrong")
    page.locator("#banner:not(:empty)").wait_for()
    assert "lacks the right token" in page.locator("#banner").inner_text()
    context.close()
