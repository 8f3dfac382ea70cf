"""The search page as a screen reader has it: what is read of one search, what is announced, where the focus goes."""

import re

import pytest

from tests.accessibility import faults, read_aloud, stops
from tests.cvr_bench.search.test_search_in_a_browser import ask, hit, server, sources, visit  # noqa: F401

pytestmark = pytest.mark.engine


def lines(page):
    """What is read, with each score as `0.0` and each time as `T`."""
    said = [re.sub(r"-?\d\.\d{3}", "0.0", str(each)) for each in read_aloud(page)]
    return [re.sub(r"in [\d.]+ ms", "in T ms", re.sub(r"of /\S+/", "of ", line)) for line in said]


def of_hit(place, name, video, mark="not pressed"):
    return [
        f"listitem, {place}: {name}", f"Video, {name}", f"heading, {name}, 2", video,
        "term, score", "0.0", "term, by text", "0.0", "term, by video", "0.0",
        f"button, Search on from this: {name}", f"button, Why?: {name}, not expanded",
        f"button, Right: {name}, {mark}", f"button, Wrong: {name}, not pressed",
    ]  # fmt: skip


def test_one_search_is_read_in_this_order(visit):  # noqa: F811
    page = visit(end="#like=grey&text=make+it+green")
    hit(page, "green").get_by_role("button", name="Right: a green ball").click()
    page.locator(".hit.right").wait_for()
    read = lines(page)
    assert read[: read.index("list, Videos that were found") + 1] == [
        "link, Skip to what was found",
        "banner", "heading, Search, 1", "6 videos of videos, sum, exact", "1 right, 0 wrong",
        "button, Pause clips, not pressed", "button, Keys ?",
        "main", "search, Videos", "group, Start from a clip", "Video, The clip to start from: a grey ball",
        "a grey ball", "button, Remove this clip",
        "textbox, What should be different, make it green", "textbox, What should not be there", "button, Search",
        "status", "Marked right: a green ball", "list, Videos that were found",
    ]  # fmt: skip
    start = next(place for place, line in enumerate(read) if re.fullmatch(r"listitem, \d: a green ball", line))
    expected = of_hit(read[start].split()[1].rstrip(":"), "a green ball", "green", "pressed")
    assert read[start : start + len(expected)] == expected


def test_what_happens_is_announced(visit):  # noqa: F811
    page = visit()
    announced = """() => {
      window.heard = [];
      const look = (changes) => changes.forEach(({ target }) => {
        const region = (target.closest ? target : target.parentElement)?.closest("[role=status], [role=alert]");
        if (region?.checkVisibility() && region.textContent) window.heard.push(region.textContent);
      });
      new MutationObserver(look).observe(document.body, { childList: true, characterData: true, subtree: true });
    }"""
    page.evaluate(announced)
    page.locator("#go").click()
    ask(page, "something blue")
    hit(page, "grey").get_by_role("button", name="Search on from this").click()
    ask(page, "make it green")
    hit(page, "green").get_by_role("button", name="Right").click()
    page.locator(".hit.right").wait_for()
    heard = [re.sub(r"in [\d.]+ ms", "in T ms", words) for words in page.evaluate("() => window.heard")]
    assert list(dict.fromkeys(heard)) == [
        "Type a text, or choose a clip to start from.", "Searching …", "6 found in T ms.",
        "Say what should be different from this clip.", "5 found in T ms.", "Marked right: a green ball",
    ]  # fmt: skip


@pytest.mark.parametrize("width", [1280, 390])
def test_everything_has_a_name_and_the_focus_goes_as_the_page_is_read(visit, width):  # noqa: F811
    page = visit(width, end="#like=grey&text=make+it+green")
    hit(page, "green").get_by_role("button", name="Why?").click()
    page.locator(".why .bars").first.wait_for()
    assert faults(read_aloud(page)) == []
    order = stops(page)
    assert len(order) > 15 and not [stop for stop in order if stop["isBack"] or stop["isAbove"]]
    page.locator("#drop-reference").click()
    for button, dialog in (("#pick", "Pick a clip of the library"), ("#help-button", "Keys")):
        page.locator(button).click()
        said = read_aloud(page)
        assert (said[0].role, said[0].name) == ("dialog", dialog) and faults(said) == []
        page.keyboard.press("Escape")
        assert page.evaluate("() => document.activeElement.id") == button[1:]  # back where it was opened
