"""The commands `generate-modifications` and `sample`, as the shell runs them."""

import json

import pytest

from cvr_data.tables import PAIRS
from tests.dataset_folders import mined_pair, write_artifact


@pytest.fixture
def pairs(tmp_path):
    rows = [mined_pair((f"r{number}", f"t{number}"), ("a red ball bounces", f"a {after} ball bounces"))
            for number, after in enumerate(["blue", "green", "black"])]  # fmt: skip
    return write_artifact(tmp_path / "pairs", "mine-pairs", rows, PAIRS)


def test_the_default_folder_tells_style_and_backend(cvr, pairs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome = cvr.done("generate-modifications", "pairs", "--llm", "rules")
    assert outcome.out.startswith("modifications/short-rules: 3 texts by rules")
    assert (tmp_path / "modifications" / "short-rules" / "manifest.json").exists()


def test_a_prompt_of_your_own(cvr, pairs, tmp_path):
    prompt = tmp_path / "mine.yaml"
    prompt.write_text("{summary: s, source: s, style: mine, changes: any, user: '$before $after'}", encoding="utf-8")
    outcome = cvr("generate-modifications", pairs, "--prompt", prompt, "--llm", "echo", "-o", "text=to $after",
                  "-O", tmp_path / "mods", "--json")  # fmt: skip
    assert json.loads(outcome.out)["status"] == {"ok": 3}


def test_a_dry_run_shows_prompts_and_writes_nothing(cvr, pairs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome = cvr.done("generate-modifications", "pairs", "--dry-run", "--cache", tmp_path / "none.sqlite")
    assert "Instead of red, show blue." in outcome.out
    assert "3 pairs, 3 texts: 0 cannot be asked for, 0 answered by the cache, 3 requests to ask" in outcome.out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pairs"]


def test_a_sample_shows_captions_text_and_reasons(cvr, pairs, tmp_path):
    cvr("generate-modifications", pairs, "--llm", "echo", "-o", "text=the ball is $after", "--limit", "2",
        "-O", tmp_path / "mods")  # fmt: skip
    outcome = cvr("sample", tmp_path / "mods", "-n", "20")
    assert outcome.out.count("reference  a red ball bounces") == 2
    assert "target     a green ball bounces" in outcome.out and "the ball is green   ok" in outcome.out
    assert len(json.loads(cvr("sample", tmp_path / "mods", "-n", "1", "--json").out)) == 1


def test_a_sample_is_of_the_status_asked_for(cvr, one_line_error, pairs, tmp_path):
    cvr("generate-modifications", pairs, "--llm", "echo", "-o", "fail=green", "-O", tmp_path / "mods")
    assert "error (echo was told to fail)" in cvr("sample", tmp_path / "mods", "--status", "error").out
    assert "has no text of status rejected" in cvr("sample", tmp_path / "mods", "--status", "rejected").out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--llm", "ruls"), "Did you mean: rules"),
        (("--style", "shrt", "--llm", "rules"), "Unknown prompt 'shrt'"),
        (("--prompt", "none.yaml", "--llm", "rules"), "none.yaml: no such prompt file"),
        (("--llm", "rules", "-o", "x=1"), "unknown option 'x'"),
        (("--llm", "rules", "--split", "val"), "no pair is of split 'val'"),
    ],
)
def test_mistakes_end_in_one_line(one_line_error, pairs, tmp_path, words, message):
    assert message in one_line_error("generate-modifications", pairs, "-O", tmp_path / "mods", *words)
    assert not (tmp_path / "mods").exists()


def test_pairs_that_are_not_there_end_in_one_line(one_line_error, tmp_path):
    assert "does not exist" in one_line_error("generate-modifications", tmp_path / "none", "--llm", "rules")
