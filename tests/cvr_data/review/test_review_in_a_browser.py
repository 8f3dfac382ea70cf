"""The review page in headless Chromium: whatever happens to page and server, nothing is lost or stands twice."""

import signal
from collections import Counter

import numpy as np
import pytest

from cvr_data.media.video import write_mp4
from cvr_data.review.store import ReviewStore
from cvr_data.tables import TRIPLETS, VIDEOS
from tests.dataset_folders import write_artifact, write_texts
from tests.report_world import make_world
from tests.review_world import Review
from tests.triplet_tables import triplet

pytestmark = pytest.mark.engine

WAIT_MS = 60_000
NEXT = """([item, done]) => {
  const shown = document.querySelector("#main").dataset.item, now = document.querySelector("#count").textContent;
  return shown && now && (shown !== item || now !== done);
}"""


PLAYED_TWICE = """() => new Promise((resolve) => {
  const video = document.querySelector("video"), seen = [];
  let rounds = 0;
  const look = setInterval(() => {
    rounds += seen.length && video.currentTime < seen.at(-1) - 0.3 ? 1 : 0;
    seen.push(video.currentTime);
    if (rounds === 2) resolve(clearInterval(look) || seen);
  }, 20);
})"""


@pytest.fixture(scope="module")
def triplets(tmp_path_factory):
    return make_world(tmp_path_factory.mktemp("review-world"), train=2, val=12, test=24)


@pytest.fixture
def review(triplets, tmp_path):
    started = []

    def start(*words, split="test", reviewed=triplets):
        started.append(Review(reviewed, tmp_path / "review.sqlite", "--split", split, *words).start())
        return started[-1]

    yield start
    for one in started:
        one.stop()


@pytest.fixture
def visit(browser):
    """Open a link in a window of its own; whatever the page complains of ends the test."""
    contexts, complaints = [], []

    def open_page(link, **options):
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        page.set_default_timeout(WAIT_MS)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: complaints.append(request.url) if "//127.0.0.1" not in request.url else None)
        page.goto(link)
        page.locator("#texts li").first.wait_for()
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [line for line in complaints if not line.startswith(("data:", "blob:"))] == []


def here(page):
    return page.locator("#main").get_attribute("data-item"), page.locator("#count").text_content()


def judge(page, how):
    """Judge the item on the page by keyboard, without waiting for the answer; return its id and the decision."""
    item, _ = here(page)
    keys = {"accept": ["a"], "second": ["2", "a"], "reject": ["r", "3"], "skip": ["s"]}
    if how == "edit":
        page.keyboard.press("e")
        page.keyboard.type(" please")
        page.keyboard.press("Enter")
    else:
        for key in keys[how]:
            page.keyboard.press(key)
    return item, {"second": "accept"}.get(how, how)


def judge_and_see(page, how):
    before = here(page)
    made = judge(page, how)
    page.wait_for_function(NEXT, arg=list(before))
    return made


def stored(review):
    with ReviewStore(review.out) as store:
        return store.judgments()


def test_fifty_judged_by_keyboard_outlive_reloads_and_kills(review, visit):
    server = review("--annotator", "ann", "--annotator", "ben", "--overlap", "1")
    page = visit(server.links["ann"], reduced_motion="reduce")
    made = []
    hows = ["accept", "second", "reject", "edit", "accept", "skip", "accept", "reject", "second", "accept"] * 5
    for number, how in enumerate(hows):
        if number == 20:  # a reload while a judgment is on its way
            before = here(page)
            made.append(judge(page, how))
            page.reload()
            page.wait_for_function(NEXT, arg=list(before))
        elif number == 30:  # the server is gone before the judgment
            before = here(page)
            server.stop(signal.SIGKILL)
            made.append(judge(page, how))
            page.locator("#banner", has_text="Nothing is lost").wait_for()
            server.start()
            page.wait_for_function(NEXT, arg=list(before))
        elif number == 40:  # the server dies while the judgment arrives
            before = here(page)
            made.append(judge(page, how))
            server.stop(signal.SIGKILL)
            server.start()
            page.wait_for_function(NEXT, arg=list(before))
        elif number == 45:  # the page is closed too, before the server is back
            before = here(page)
            server.stop(signal.SIGKILL)
            made.append(judge(page, how))
            page.locator("#banner", has_text="Nothing is lost").wait_for()
            page.goto("about:blank")
            page.goto(server.start().links["ann"])
            page.wait_for_function(NEXT, arg=list(before))
        else:
            made.append(judge_and_see(page, how))
    assert here(page)[1] == "50 of 80"
    found = stored(server)
    assert [(one.item_id, one.decision) for one in found] == made
    assert len({one.item_id for one in found}) == 50
    for one in found:
        assert (one.reason == "too_different") == (one.decision == "reject")
        assert (one.decision == "edit") == (one.modification == f"{one.chosen} please" and one.chosen is not None)


def test_undo_brings_an_item_back_as_it_was_judged(review, visit):
    server = review("--annotator", "ann")
    page = visit(server.links["ann"])
    judge_and_see(page, "accept")
    item, _ = here(page)
    judge_and_see(page, "second")
    page.keyboard.press("u")
    page.locator(f'#main[data-item="{item}"]').wait_for()
    assert page.locator("#texts li").nth(1).get_attribute("aria-checked") == "true"
    page.keyboard.press("1")
    judge_and_see(page, "accept")
    found = stored(server)
    assert [one.item_id for one in found].count(item) == 1
    assert found[-1].chosen == found[-1].modification
    with ReviewStore(server.out) as store:
        assert [one.item_id for one in store.judgments(undone=True)] == [item]


def test_two_annotators_at_once_share_the_overlap_and_nothing_else(review, visit):
    server = review("--annotator", "ann", "--annotator", "ben", "--overlap", "0.2", "--token", split="val")
    assert all("&token=" in link for link in server.links.values())
    pages = {name: visit(server.links[name], reduced_motion="reduce") for name in ("ann", "ben")}
    while any(page.locator("#main").is_visible() for page in pages.values()):
        at_once = [(page, here(page)) for page in pages.values() if page.locator("#main").is_visible()]
        for page, _ in at_once:
            judge(page, "accept")
        for page, before in at_once:
            page.wait_for_function(NEXT, arg=list(before))
    found = stored(server)
    assert len({(one.annotator, one.item_id) for one in found}) == len(found)
    counts = Counter(one.item_id for one in found)
    assert len(counts) == 26
    assert Counter(counts.values()) == {1: 20, 2: 6}
    assert all(one.is_shared == (counts[one.item_id] == 2) for one in found)


def test_clips_play_together_and_nothing_overflows(review, visit):
    server = review("--annotator", "ann")
    page = visit(server.links["ann"], viewport={"width": 1280, "height": 800})
    page.wait_for_function("() => [...document.querySelectorAll('video')].filter(v => !v.paused).length === 2")
    for key in ("c", "d", "r", "f"):
        page.keyboard.press(key)
    page.wait_for_function("() => document.querySelector('#reference .strip').naturalWidth > 300")
    assert page.locator("#reference .caption").text_content().startswith("a ")
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0
        left, right = (page.locator(f"#{end}").bounding_box() for end in ("reference", "target"))
        assert left["y"] == right["y"] and left["x"] + left["width"] <= right["x"]


def test_by_pointer_on_a_phone_and_hostile_words_stay_words(review, visit, tmp_path):
    server = review(split="train", reviewed=write_texts(tmp_path, verb="<img src=x onerror=alert(1)>"))
    page = visit(server.links["me"], viewport={"width": 390, "height": 800}, has_touch=True)
    assert "<img src=x onerror=alert(1)>" in page.locator("#texts li").text_content()
    assert page.locator("#texts img").count() == 0
    page.locator('[data-key="r"]').tap()
    page.locator("#reasons button", has_text="something else").tap()
    page.locator("#words").fill("<b>odd</b>")
    before = here(page)
    page.locator("#editor .good").tap()
    page.wait_for_function(NEXT, arg=list(before))
    page.locator('[data-key="s"]').tap()
    page.locator("#end").wait_for()
    found = [(one.decision, one.reason, one.note) for one in stored(server)]
    assert found == [("reject", "other", "<b>odd</b>"), ("skip", None, None)]


def test_a_clip_of_a_longer_file_plays_within_its_times_again_and_again(review, visit, tmp_path):
    write_mp4(tmp_path / "film.mp4", np.zeros((240, 64, 64, 3), np.uint8), fps=12)
    rows = [{"video_id": name, "captions": ["c"], "source": "s", "path": str(tmp_path / "film.mp4"), "start_s": start_s,
             "end_s": start_s + 1.0} for name, start_s in (("a", 5.0), ("b", 8.5))]  # fmt: skip
    videos = write_artifact(tmp_path / "videos", "import-tiny", rows, VIDEOS)
    asked = [triplet("a", "make it blue", "b", split="test")]
    folder = write_artifact(tmp_path / "triplets", "build-triplets", asked, TRIPLETS, videos=videos)
    page = visit(review("--annotator", "ann", reviewed=folder).links["ann"])
    assert page.locator("video").first.get_attribute("src").endswith("#t=5,6")
    page.wait_for_function("() => document.querySelector('video').currentTime > 5")
    seen = page.evaluate(PLAYED_TWICE)
    assert min(seen) >= 4.9  # neither the start of the file
    assert max(seen) < 12  # nor all that follows
