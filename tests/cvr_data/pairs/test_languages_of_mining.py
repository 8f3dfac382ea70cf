"""mine-pairs and texts of captions in other languages: refused with the share, or read by a spaCy model of theirs."""

from itertools import product

import pytest
import spacy

from cvr_data.core.artifacts import open_artifact

pytestmark = pytest.mark.slow

NOUNS, VERBS, PLACES = (
    ("Hund", "Ball", "Mann"),
    ("rennt", "schwimmt"),
    ("am Strand", "im Wald", "auf der Wiese", "im Garten"),
)
CAPTIONS = [f"ein {noun} {verb} mit uns {place}" for noun, verb, place in product(NOUNS, VERBS, PLACES)]


@pytest.fixture
def videos(tmp_path, cvr):
    """The folder of an import of 24 German captions."""
    path = tmp_path / "de.csv"
    rows = (f"d{number},{caption},train\n" for number, caption in enumerate(CAPTIONS))
    path.write_text("video_id,caption,split\n" + "".join(rows), encoding="utf-8")
    outcome = cvr("import", "table", path, "--out", tmp_path / "videos")
    assert "  100.0% of 24 captions looked at seem not to be English" in outcome.out
    return tmp_path / "videos"


@pytest.fixture
def german(tmp_path):
    """The folder of a small spaCy model that knows the words of the captions."""
    model = spacy.blank("de")
    ruler = model.add_pipe("attribute_ruler")
    ruler.add([[{"LOWER": {"IN": [noun.lower() for noun in NOUNS]}}]], {"POS": "NOUN"})
    ruler.add([[{"LOWER": {"IN": list(VERBS)}}]], {"POS": "VERB"})
    model.to_disk(tmp_path / "german")
    return tmp_path / "german"


def test_captions_that_are_not_english_are_refused_with_their_share_and_what_goes_on(videos, one_line_error, cvr):
    line = one_line_error("mine-pairs", videos, "-O", videos.parent / "pairs")
    assert "100.0% of 24 captions" in line
    assert "mining reads en alone: --language fr" in line
    assert not (videos.parent / "pairs").exists()
    cvr.done("mine-pairs", videos, "-O", videos.parent / "pairs", "--language", "en", "-f", "min-words")


def test_a_handful_of_captions_is_refused_where_most_are_of_another_language(tmp_path, cvr, one_line_error):
    rows = "".join(
        f"v{number},{caption}\n"
        for number, caption in enumerate(("一只狗在跑", "一只猫在跑", "一只鸟在飞", "他们在跑"))
    )
    (tmp_path / "zh.csv").write_text(f"video_id,caption\n{rows}e,a dog runs\n", encoding="utf-8")
    cvr.done("import", "table", tmp_path / "zh.csv", "-O", tmp_path / "videos")
    line = one_line_error("mine-pairs", tmp_path / "videos", "--strategy", "concept", "-O", tmp_path / "pairs")
    assert "80.0% of 5 captions" in line


def test_a_model_of_the_language_tells_the_slots_and_default_filters_that_know_english_are_left_out(
    videos, german, cvr, one_line_error
):
    folder = videos.parent / "pairs"
    words = ["-f", "part-of-speech:allowed=NOUN,VERB", "-f", "min-words"]
    cvr.done("mine-pairs", videos, "-O", folder, "--language", german, *words)
    pairs = open_artifact(folder)
    assert pairs.manifest["config"]["language"] == "de_pipeline-0.0.0"
    slots = {(change["before"], change["slot"]) for row in pairs.read().column("changes").to_pylist() for change in row}
    assert {("hund", "object"), ("rennt", "action")} <= slots
    assert {before for before, _ in slots} == {word.lower() for word in (*NOUNS, *VERBS)}
    cvr.done("mine-pairs", videos, "-O", videos.parent / "default", "--language", german)
    names = [step["step"] for step in open_artifact(videos.parent / "default").manifest["funnel"]]
    assert names == ["one-word", "straddling", "min-words", "max-words", "digits", "templates", "caption-pair-cap"]


@pytest.mark.parametrize("chosen", ["invisible-change", "grammatical-change", "text-similarity", "stop-words"])
def test_a_filter_that_knows_english_alone_refuses_another_language(chosen, videos, german, one_line_error):
    line = one_line_error("mine-pairs", videos, "-O", videos.parent / "p", "--language", german, "-f", chosen)
    assert f"{chosen} reads en alone" in line


def test_stop_words_are_read_in_any_language_where_they_are_named(videos, german, cvr):
    words = ("--language", german, "-f", "stop-words:words=hund,ball,mann")
    cvr.done("mine-pairs", videos, "-O", videos.parent / "p", *words)
    dropped = open_artifact(videos.parent / "p").dropped()
    stopped = [row["changes"] for row in dropped.to_pylist() if row["drop_reason"] == "stop_word"]
    assert len(stopped) == 2 * 3 * 8  # ordered pairs of three nouns, in eight frames
    assert {change["before"] for row in stopped for change in row} == {"hund", "ball", "mann"}


def test_one_phrase_takes_phrases_by_english_tags_alone_and_any_words_in_any_language(
    videos, german, cvr, one_line_error
):
    mine = ("mine-pairs", videos, "-O", videos.parent / "p", "--language", german, "--strategy", "one-phrase")
    line = one_line_error(*mine)
    assert "one-phrase reads en alone" in line
    assert "its phrases are by English tags" in line
    cvr.done(*mine, "-o", "phrases=any")
    changes = open_artifact(videos.parent / "p").read().column("changes").to_pylist()
    assert "am strand" in {change["before"] for row in changes for change in row}


def test_a_language_without_a_model_says_how_to_install_one(videos, one_line_error):
    line = one_line_error("mine-pairs", videos, "-O", videos.parent / "p", "--language", "xx")
    assert "`python -m spacy download xx_core_news_sm`" in line
    assert not (videos.parent / "p").exists()


def test_a_prompt_refuses_captions_and_lint_that_are_not_in_its_languages(videos, german, cvr, one_line_error):
    folder = videos.parent
    cvr("mine-pairs", videos, "-O", folder / "pairs", "--language", german)
    ask = ("generate-modifications", folder / "pairs", "--llm", "rules", "-O", folder / "texts", "--limit", "4")
    assert "the prompt 'short' reads en alone" in one_line_error(*ask)
    assert not (folder / "texts").exists()
    prompt = folder / "kurz.yaml"
    text = "summary: kurz\nsource: eigene\nlanguages: de\nstyle: short\nchanges: any\nuser: '{before} -> {after}'\n"
    prompt.write_text(text + "lint: {lint-change: {}}\n")
    assert "lint-change reads en alone" in one_line_error(*ask, "--prompt", prompt)
    prompt.write_text(text + "lint: {lint-empty: {}}\n")
    assert "reads de alone, not 'en'" in one_line_error(*ask, "--prompt", prompt, "--language", "en")
    cvr.done(*ask, "--prompt", prompt)
    assert open_artifact(folder / "texts").manifest["rows"] == 4
