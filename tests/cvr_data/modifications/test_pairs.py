"""pairs: the change a style describes, and the variables of a prompt."""

from cvr_data.modifications.pairs import prompt_variables_of_pair, prompted_change

STATIC = {"kind": "static", "slot": "object", "before": "ball", "after": "cube"}
ACTION = {"kind": "action", "slot": "action", "before": "bounces", "after": "spins"}


def pair(*changes, reference="A red ball bounces.", target="a red cube spins"):
    return {"pair_id": "p", "reference_caption": reference, "target_caption": target, "changes": list(changes)}


def test_a_style_is_given_its_own_kind_of_change():
    assert prompted_change(pair(STATIC, ACTION), "action").after == "spins"
    assert prompted_change(pair(STATIC), "action") is None


def test_several_changes_are_told_together():
    change = prompted_change(pair(STATIC, ACTION), "any")
    assert (change.before, change.after, change.slot) == ("ball and bounces", "cube and spins", "several")


def test_untyped_pairs_are_read_as_covr_reads_them():
    change = prompted_change(pair(), "any")
    assert (change.before, change.after) == ("ball", "cube")
    assert prompted_change(pair(), "static") is None


def test_equal_captions_have_no_change():
    assert prompted_change(pair(reference="a cat", target="A cat."), "any") is None


def test_variables_name_what_stays():
    variables = prompt_variables_of_pair(
        {**pair(STATIC), "scene": "beach", "number": 3}, prompted_change(pair(STATIC), "any")
    )
    assert variables["retained"] == "a red"
    assert (variables["excluded"], variables["injected"], variables["scene"]) == ("ball", "cube", "beach")
    assert "number" not in variables


def phrased(change, before, after):
    names = ("start", "end", "head", "number", "determiner")
    phrases = (dict(zip(names, phrase, strict=True)) for phrase in (before, after))
    return {**change, **dict(zip(("before_phrase", "after_phrase"), phrases, strict=True))}


def test_a_prompt_is_told_what_changes_with_the_noun_it_is_said_of():
    colour = {"kind": "static", "slot": "attribute", "before": "red", "after": "blue"}
    captions = {"reference": "a red car drives at dusk", "target": "a blue car stops at dawn"}
    red = phrased(colour, (2, 5, "car", "singular", "a"), (2, 6, "car", "singular", "a"))
    time = phrased({"kind": "static", "slot": "scene", "before": "dusk", "after": "dawn"},
                   (20, 24, "dusk", "singular", ""), (20, 24, "dawn", "singular", ""))  # fmt: skip
    drives = phrased({"kind": "action", "slot": "action", "before": "drives", "after": "stops"},
                     (10, 16, "", "", ""), (11, 16, "", "", ""))  # fmt: skip
    both = pair(red, time, drives, **captions)
    variables = prompt_variables_of_pair(both, prompted_change(both, "static"), "static")
    assert (variables["before"], variables["after"]) == ("the red car and dusk", "the blue car and dawn")
    assert prompt_variables_of_pair(both, prompted_change(both, "action"), "action")["injected"] == "stops"
    bare = pair(colour, **captions)
    assert prompt_variables_of_pair(bare, prompted_change(bare, "any"))["before"] == "red"
