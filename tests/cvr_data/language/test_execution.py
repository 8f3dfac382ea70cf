"""Texts done to the reference: what they assert, take back, go back to, or change by mistake."""

import pytest

from cvr_data.language.execution import Change, phrase_change_outcome
from cvr_data.language.requests import parsed_sentence_operations

CAR = (Change("attribute", "red", "blue"), "a red car drives down a road", "a blue car drives down a road")
DRESS = (Change("attribute", "red", "blue"), "a woman in a red dress", "a woman in a blue dress")
GUITAR = (Change("object", "guitar", "piano"), "a man plays a guitar on stage", "a man plays a piano on stage")
DOGS = (Change("action", "run", "sleep"), "two dogs run on the beach", "two dogs sleep on the beach")
UNDER = (Change("other", "on", "under"), "a red ball on a table", "a red ball under a table")
DOWN = (Change("action", "up", "down"), "a man walks up the stairs", "a man walks down the stairs")
GONE = (Change("object", "hat", ""), "a man with a hat dances", "a man dances")

ADDED = (Change("object", "", "dog"), "a man dances", "a man dances with a dog")
SITS = (Change("action", "sits", "plays the cello"), "a woman sits on stage", "a woman plays the cello on stage")
PARK = (Change("scene", "city", "park"), "a woman in a hat runs in the city", "a woman in a hat runs in the park")
TRAY = (Change("object", "in cutlery tray", "on drying rack"), "put it in cutlery tray", "put it on drying rack")
PAN = (Change("object", "onions", "garlic"), "put the onions into the pan", "put the garlic into the pan")
GIRLS = (Change("attribute", "three", "two"), "three girls laugh on a pier", "two girls laugh on a pier")


def said(text, *nouns):
    return [
        (one.act, " ".join(one.thing), " ".join(one.new), " ".join(one.gone))
        for one in parsed_sentence_operations(text, nouns)
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("make the red car blue", [("set", "the red car", "blue", "")]),
        ("make the car blue and the road red", [("set", "the car", "blue", ""), ("set", "the road", "red", "")]),
        ("Instead of a dog show a cat", [("show", "", "a cat", ""), ("exclude", "", "", "a dog")]),
        ("from three to two men", [("replace", "", "two men", "three")]),
        ("substitute tea for coffee", [("replace", "coffee", "tea", "coffee")]),
        ("have the birds replace the crow", [("replace", "the crow", "the birds", "the crow")]),
        ("put it beneath the table", [("move", "it", "beneath the table", "")]),
        ("remove the night and keep the sunset", [("remove", "", "", "the night"), ("keep", "the sunset", "", "")]),
        ("take the piano off the stage", [("remove", "", "", "the piano the stage")]),
        ("the sword turns into a knife", [("replace", "the sword", "a knife", "the sword")]),
        ("everything else stays as it is", [("keep", "everything else", "", "")]),
        ("the barking should stop", [("exclude", "", "stop", "the barking")]),
        ("take her from the city to a park", [("move", "her", "to a park", "the city")]),
        ("they're not running, they are asleep", [("show", "", "they're", ""), ("exclude", "", "", "running"),
                                                  ("set", "they", "asleep", "")]),
    ],
)  # fmt: skip
def test_a_text_is_read_as_operations(text, expected):
    assert said(text, "car", "road", "crow", "birds") == expected


@pytest.mark.parametrize(
    ("pair", "text", "reason"),
    [
        (CAR, "turn the vehicle blue", None),
        (CAR, "paint the car blue", None),
        (CAR, "stop it from being blue", "misses_change"),
        (CAR, "never blue", "misses_change"),
        (CAR, "anything but blue", "misses_change"),
        (CAR, "make the car blue and the road red", "wrong_direction"),
        (CAR, "turn the car into a blue elephant", "changes_something_else"),
        (CAR, "make it a blue elephant", "changes_something_else"),
        (CAR, "add a blue elephant", "changes_something_else"),
        (CAR, "turn the car into a blue vehicle", None),
        (CAR, "make it a blue one", None),
        (GUITAR, "turn the stage into an elephant and the guitar into a piano", "changes_something_else"),
        (DRESS, "make the woman blue", "changes_something_else"),
        (DRESS, "make her dress blue", None),
        (DRESS, "woman blue dress", "changes_something_else"),
        (DRESS, "add blue", "changes_something_else"),
        (GUITAR, "make him a pianist", None),
        (GUITAR, "remove the piano", "misses_change"),
        (GUITAR, "no piano", "misses_change"),
        (GUITAR, "add a piano next to the guitar", "changes_something_else"),
        (GUITAR, "the man plays guitar and piano", "changes_something_else"),
        (GUITAR, "change the guitar to a piano. change the guitar to a piano.", "no_op"),
        (DOGS, "have both of them sleeping", None),
        (DOGS, "the dogs never sleep", "misses_change"),
        (UNDER, "put it beneath the table", None),
        (DOWN, "have him descend", None),
        (GONE, "take the hat away", None),
        (ADDED, "add a dog", None),
        (ADDED, "take the dog away", "misses_change"),
        (ADDED, "replace the man with a dog", "changes_something_else"),
        (GUITAR, "the man's guitar becomes a piano", None),
        (GUITAR, "the man's piano becomes a guitar", "wrong_direction"),
        (GUITAR, "replace the stage with a piano", "changes_something_else"),
        (GUITAR, "make the stage a piano", "changes_something_else"),
        (SITS, "take the cello away from her", "misses_change"),
        (SITS, "her sitting should stop, have her play the cello", None),
        (PARK, "take her from the city to a park", None),
        (PARK, "take her from the park to the city", "wrong_direction"),
        (PARK, "make her hat a park", "changes_something_else"),
        (GIRLS, "one girl less", None),
        (GIRLS, "one less girl", None),
        (GIRLS, "one girl more", "wrong_direction"),
        (GIRLS, "two fewer girls", "wrong_direction"),
        (GIRLS, "send one of the girls away", None),
        (GIRLS, "remove the other two", "wrong_direction"),
        (GIRLS, "leave just two of them", None),
        (DOGS, "stop running and sleep", None),
        (DOGS, "stop sleeping and run", "wrong_direction"),
        (DOGS, "rather than running the dogs should sleep", None),
        (GUITAR, "never mind the guitar, give him a piano", None),
        (GUITAR, "skip the piano, show the guitar", "wrong_direction"),
        (TRAY, "the rack instead of the tray", None),
        (TRAY, "put the rack in the tray", "wrong_direction"),
        (TRAY, "put an elephant on the drying rack", "changes_something_else"),
        (PAN, "put the pan into the garlic", "changes_something_else"),
        (PAN, "put the garlic into the pan", None),
    ],
)
def test_a_text_done_to_the_reference_gives_the_target_or_not(pair, text, reason):
    change, reference, target = pair
    outcome = phrase_change_outcome(text, (change,), reference, target)
    assert outcome.reason == reason and not (reason is None and outcome.missed)


def test_what_a_text_leaves_unsaid_is_told_and_so_is_what_it_makes_up():
    change, *captions = CAR
    assert phrase_change_outcome("change the colour", (change,), *captions).missed == (change,)
    assert phrase_change_outcome("make it blue and add a dog", (change,), *captions).foreign == ("dog",)
    assert not phrase_change_outcome("make the shiny car blue", (change,), *captions).foreign
    assert phrase_change_outcome("make it sleep", (GONE[0],), *GONE[1:]).missed == (GONE[0],)


def test_captions_that_say_the_same_leave_nothing_to_ask_for():
    outcome = phrase_change_outcome(
        "change it to talks", (Change("action", "is", "talks"),), "a man is talking", "a man talks"
    )
    assert outcome.reason == "no_op"
