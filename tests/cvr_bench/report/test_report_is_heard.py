"""The pages of `cvr report` and `cvr stats` as a screen reader has them: names, roles, headings, where Tab leads."""

import pytest

from tests.accessibility import faults, read_aloud, stops
from tests.cvr_bench.report.test_page import page, report, results, triplets, world  # noqa: F401

pytestmark = [pytest.mark.engine, pytest.mark.slow]


@pytest.fixture
def pages(page, triplets, cvr, tmp_path):  # noqa: F811
    (tmp_path / "report.html").write_text(page, encoding="utf-8")
    assert cvr("stats", triplets, "--html", tmp_path / "stats.html").code == 0
    return tmp_path


@pytest.mark.parametrize("name", ["report", "stats"])
def test_everything_has_a_name_and_tab_goes_as_the_page_is_read(browser, pages, name):
    opened = browser.new_page(viewport={"width": 390, "height": 800}, reduced_motion="reduce")
    opened.goto(f"file://{pages}/{name}.html")
    opened.evaluate("() => document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    said = read_aloud(opened)
    assert faults(said) == []
    clip = next(each for each in said if each.name.startswith("Pause reference clip: "))
    assert (clip.role, clip.states) == ("button", {"pressed": "true"})
    order = stops(opened, 80)
    assert len(order) == 80 and not [stop for stop in order if stop["isBack"] or stop["isAbove"]]


def test_a_number_leads_to_its_list_which_is_read_and_back(browser, pages):
    opened = browser.new_page(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    opened.goto(f"file://{pages}/report.html")
    number = opened.locator("#metrics-1 a.number").first
    number.focus()
    opened.keyboard.press("Enter")
    opened.locator(".behind:target").wait_for()
    title = opened.locator(".behind:target h2").text_content()
    said = [str(each) for each in read_aloud(opened)]
    start = said.index(f"region, {title}")
    assert said[start + 1] == f"heading, {title}, 2"
    opened.keyboard.press("Tab")
    assert opened.evaluate("() => document.activeElement.textContent") == "Back to the number"
