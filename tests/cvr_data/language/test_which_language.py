"""which_language: other scripts by their letters, other languages by words, and nothing of English captions."""

import pytest

from cvr_data.language.which_language import languages_of_words, script_of_language

pytestmark = pytest.mark.slow


def test_a_caption_in_another_script_is_told_by_most_of_its_letters():
    captions = [
        "\u4e00\u53ea\u72d7",
        "\u05db\u05dc\u05d1",
        "\u043a\u043e\u0442 \u0441\u043f\u0438\u0442",
        "an \u03b1 particle",
        "\U0001f436 ...",
    ]
    assert [script_of_language(caption) for caption in captions] == ["cjk", "hebrew", "cyrillic", "latin", ""]
    assert languages_of_words(captions) == {"cjk": 1, "hebrew": 1, "cyrillic": 1, "en": 1}


def test_english_captions_are_english_long_and_short():
    captions = ["a man rides a bike down a hill", "a dog", "sunset", "the caf\u00e9 at night", "a cliche in la plaza"]
    assert languages_of_words(captions) == {"en": len(captions)}


@pytest.mark.slow
def test_words_of_other_languages_that_are_english_nouns_too_say_nothing():
    captions = ["a door stands on a hill", "a van drives by the den", "a pan is put on the stove", "they met a con man"]
    assert [languages_of_words([caption]) for caption in captions] == [{"en": 1}] * 4
    assert "en" not in languages_of_words(["de man loopt met een hond door het bos"])


def test_function_words_tell_that_a_caption_is_not_english():
    german = ["ein Hund l\u00e4uft mit dem Ball und springt", "die Katze ist auf dem Dach und schl\u00e4ft"]
    found = languages_of_words([*german, "a man rides a bike down a hill"])
    assert found.pop("en") == 1
    assert sum(found.values()) == 2


def test_short_captions_are_looked_at_together():
    found = languages_of_words(["ein Hund", "das Auto", "mit dem Ball", "und im Wald", "auf dem Dach", "nicht mit ihm"])
    assert "en" not in found
    assert sum(found.values()) == 6


def test_lingua_names_the_language():
    captions = {
        "es": "un perro corre a la playa con su pelota",
        "de": "ein Mann mit Hut spielt Gitarre auf einer B\u00fchne",
        "fr": "une femme en robe rouge danse sur la plage",
    }
    assert {name: languages_of_words([caption]) for name, caption in captions.items()} == {
        name: {name: 1} for name in captions
    }


def test_an_import_says_it_once_and_english_ones_say_nothing(tmp_path, cvr):
    path = tmp_path / "t.csv"
    path.write_text("video_id,caption\na,\u4e00\u53ea\u72d7\u5728\u8dd1\nb,a dog runs on the beach\n", encoding="utf-8")
    outcome = cvr("import", "table", path, "--out", tmp_path / "out")
    assert "  50.0% of 2 captions looked at seem not to be English (cjk 50.0%); " in outcome.out
    path.write_text("video_id,caption\nb,a dog runs on the beach\n")
    assert "English" not in cvr("import", "table", path, "--out", tmp_path / "other").out
