"""The review page as a screen reader has it: what is read of one item, what is announced, where the focus goes."""

import re

import pytest

from tests.accessibility import faults, read_aloud, stops
from tests.cvr_data.review.test_review_in_a_browser import here, review, triplets, visit  # noqa: F401

pytestmark = pytest.mark.engine


@pytest.fixture
def page(review, visit):  # noqa: F811
    return visit(review("--annotator", "ann").links["ann"], reduced_motion="reduce")


def test_one_item_is_read_in_this_order(page):
    texts = page.locator("#texts li").all_text_contents()
    assert [str(each) for each in read_aloud(page)] == [
        "banner", "heading, Review, 1", "ann", "progressbar, Progress, 0", "0 of 80", "button, Keys ?",
        "status", f"0 of 80 judged. {'; '.join(f'{n}: {text}' for n, text in enumerate(texts, 1))}.",
        "main", "figure", "Reference", "Video, Reference clip", "figure", "Target",
        "Video, Target clip", "Which text leads from the reference to the target?",
        "radiogroup, Which text leads from the reference to the target?",
        *(f"radio, {text}, {'checked' if not place else 'not checked'}" for place, text in enumerate(texts)),
        "button, A Accept", "button, R Reject, not expanded", "button, E Edit", "button, S Skip",
        "button, U Undo, disabled", "button, C Captions, not pressed", "button, D Scores, not pressed",
    ]  # fmt: skip


def test_the_next_item_is_announced_and_what_is_open_has_the_focus(page):
    item, _ = here(page)
    page.locator('[data-key="r"]').focus()
    page.keyboard.press("Enter")
    assert page.evaluate("() => document.activeElement.closest('#reasons') !== null")
    assert "button, R Reject, expanded" in map(str, read_aloud(page))
    assert faults(read_aloud(page)) == []
    page.keyboard.press("Escape")
    assert page.evaluate("() => document.activeElement.dataset.key") == "r"
    page.locator("#texts li").first.focus()
    page.keyboard.press("ArrowDown")
    assert page.evaluate("() => document.activeElement.getAttribute('aria-checked')") == "true"
    assert page.locator("#texts li").nth(1).get_attribute("aria-checked") == "true"
    page.locator('[data-key="a"]').focus()
    page.keyboard.press("Enter")
    page.wait_for_function("(item) => document.querySelector('#main').dataset.item !== item", arg=item)
    assert re.match(r"1 of 80 judged\. 1: .+; 2: .+\.$", page.locator("#said").text_content())
    assert page.evaluate("() => document.activeElement.dataset.key") == "a"  # the next one is judged from there


@pytest.mark.parametrize("width", [1280, 390])
def test_everything_has_a_name_and_the_focus_goes_as_the_page_is_read(page, width):
    page.set_viewport_size({"width": width, "height": 800})
    for key in ("c", "d", "e"):
        page.keyboard.press(key)
        page.keyboard.press("Escape")
    assert faults(read_aloud(page)) == []
    order = stops(page)
    assert len(order) == 8 and not [stop for stop in order if stop["isBack"] or stop["isAbove"]]
    page.keyboard.press("?")
    said = read_aloud(page)
    assert (said[0].role, said[0].name) == ("dialog", "Keys") and faults(said) == []
