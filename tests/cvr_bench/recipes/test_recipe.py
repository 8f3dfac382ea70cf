"""recipe: command lines in YAML, checked before anything runs, timed, and stopped by a failing step."""

import json

import pytest

from cvr_bench.recipes import RECIPE_FOLDERS
from cvr_bench.recipes.recipe import SHARED, built_in_recipes, load_recipe, recipe_files, recipe_totals, run_recipe
from cvr_data.core.errors import CvrError

GOOD = """
name: tiny
summary: Two steps.
variables: {clips: 3}
steps:
  - cvr import table clips.csv -o limit=$clips
  - cvr verify "my videos"
"""


@pytest.fixture
def recipe_file(tmp_path):
    def write(text: str):
        (tmp_path / "r.yaml").write_text(text)
        return tmp_path / "r.yaml"

    return write


def test_variables_are_filled_in_and_quotes_respected(recipe_file):
    recipe = load_recipe(recipe_file(GOOD), {"clips": "7"})
    assert recipe.steps == (("import", "table", "clips.csv", "-o", "limit=7"), ("verify", "my videos"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("steps: []", "a recipe needs a list of `steps`"),
        ("steps: [a, ", "not valid YAML"),
        ("steps: [make x]", "step 1 should begin with `cvr COMMAND`, got 'make x'"),
        ("variables: {a: $b, b: x}\nsteps: [cvr list]", "variable a: no variable 'b' above it"),
        ("steps: [cvr run $nothing]", "step 1: no variable 'nothing'"),
        ("stepps: [cvr list]\nsteps: [cvr list]", r"unknown key 'stepps'\. Did you mean: steps\?"),
    ],
)
def test_a_bad_recipe_is_one_line(recipe_file, text, message):
    with pytest.raises(CvrError, match=message):
        load_recipe(recipe_file(text))


def test_a_recipe_says_what_was_published_and_what_it_needs(recipe_file, cvr):
    text = GOOD + "published: |\n  R@1 59.82,\n  in table 2\nverified: parity only\n"
    assert load_recipe(recipe_file(text)).about == {"published": "R@1 59.82, in table 2", "verified": "parity only"}
    printed = cvr("run", recipe_file(text), "--dry-run").out.splitlines()
    assert printed[:3] == ["# published: R@1 59.82, in table 2", "# verified: parity only", printed[2]]
    assert printed[2].startswith("cvr import table")


def test_built_in_recipes_and_prompts_are_listed_and_shown(cvr, one_line_error):
    assert "quickstart " in cvr("list", "recipes").out
    assert "short " in cvr("list", "prompts").out
    assert "steps:" in cvr("show", "quickstart").out
    assert "Did you mean: recipes, " in one_line_error("list", "recipe")


def test_an_unknown_variable_is_refused(recipe_file):
    with pytest.raises(CvrError, match=r"unknown variable 'clip'\. Did you mean: clips\?"):
        load_recipe(recipe_file(GOOD), {"clip": "7"})


def test_a_default_moves_with_the_variable_it_is_made_of(recipe_file):
    path = recipe_file(
        "variables: {folder: FineCVR, features: $folder/embeddings}\nsteps: [cvr embed $folder --out $features]"
    )
    assert load_recipe(path).steps == (("embed", "FineCVR", "--out", "FineCVR/embeddings"),)
    moved = load_recipe(path, {"folder": "my $5 data"}).steps
    assert moved == (("embed", "my $5 data", "--out", "my $5 data/embeddings"),)
    assert load_recipe(path, {"features": "x"}).steps == (("embed", "FineCVR", "--out", "x"),)


def test_a_step_that_is_a_variable_may_be_left_out(recipe_file):
    path = recipe_file("variables: {heads: cvr fit-heads e}\nsteps: [cvr list, $heads]")
    assert load_recipe(path).steps == (("list",), ("fit-heads", "e"))
    assert load_recipe(path, {"heads": ""}).steps == (("list",),)


def test_a_base_gives_variables_and_first_steps_and_the_recipes_own_words_count(recipe_file, one_line_error):
    path = recipe_file(
        "base: [webvid-covr-test]\nneeds: my own\nvariables: {videos: mine}\nsteps: ['cvr embed $videos --out f']"
    )
    loaded = load_recipe(path)
    table = "data/webvid-covr/webvid8m-covr_test.csv"
    assert loaded.steps == (
        ("download", "annotations", "webvid-covr", "--split", "test"),
        ("download", "videos", "webvid-covr", "--split", "test", "--only-ids", table),
        ("import", "webvid-covr", table, "-o", "media=data/webvid-covr/videos", "--out", "mine"),
        ("embed", "mine", "--out", "f"),
    )
    assert loaded.about == {"needs": "my own"}
    line = one_line_error("run", recipe_file("base: [webvid]\nsteps: [cvr list]"), "--dry-run")
    assert "base should be a list of" in line and "webvid-covr" in line


def test_every_base_is_used_and_shown_with_its_recipe(cvr):
    used = {file for path in built_in_recipes(RECIPE_FOLDERS).values() for file in recipe_files(path)[:-1]}
    assert used == {*built_in_recipes([SHARED]).values()}
    shown = cvr("show", "drl-vatex").out
    assert shown.startswith("# cvr run drl-vatex") and "cvr download annotations $data" in shown


def test_data_sets_lie_where_this_machine_has_them(recipe_file, cvr, tmp_path, monkeypatch):
    path = recipe_file("variables: {folder: $root_tf_covr}\nsteps: ['cvr embed $folder/x $root_cirr']")
    assert load_recipe(path).steps == (("embed", "data/tf-covr/x", "data/cirr"),)
    monkeypatch.setenv("CVR_DATA", "/scratch")
    assert cvr("run", path, "--dry-run").out == "cvr embed /scratch/tf-covr/x /scratch/cirr\n"


def test_a_step_that_may_get_more_another_time_stops_the_rest(recipe_file, cvr, tmp_path):
    (tmp_path / "urls.csv").write_text("id,url\na,http://127.0.0.1:9/a.mp4\n")
    text = "steps: ['cvr download videos mine --urls ../urls.csv --out mine --attempts 1', 'cvr list models']"
    out = cvr("run", recipe_file(text), "--in", tmp_path / "run")
    assert out.code == 2 and "That step ended with 1" in out.err and "[2/2]" not in out.err


def test_every_step_runs_in_the_folder_and_is_timed(recipe_file, tmp_path):
    from pathlib import Path

    seen = []
    lines = []
    run_recipe(
        load_recipe(recipe_file(GOOD)), lambda step: seen.append((Path.cwd(), step)), tmp_path / "w", lines.append
    )
    assert [folder for folder, _ in seen] == [tmp_path / "w"] * 2
    timings = json.loads((tmp_path / "w" / "timings.json").read_text())
    assert [entry["command"] for entry in timings] == [
        "cvr import table clips.csv -o limit=3",
        "cvr verify 'my videos'",
    ]
    assert lines[0] == "[1/2] $ cvr import table clips.csv -o limit=3"


def test_a_second_run_tells_its_own_seconds_beside_those_of_the_work(recipe_file, tmp_path):
    recipe, file = load_recipe(recipe_file(GOOD)), tmp_path / "timings.json"
    first, second = run_recipe(recipe, lambda step: None, tmp_path, str)
    assert recipe_totals([first, second]) == [(first.seconds + second.seconds, "in all")]
    work = [{"command": first.command, "seconds": 25.0}, {"command": second.command, "seconds": 50.5}]
    file.write_text(json.dumps(work))
    again = run_recipe(recipe, lambda step: None, tmp_path, str)
    made = (75.5, "when the work was done; 2 of 2 steps took less now")
    assert recipe_totals(again) == [(again[0].seconds + again[1].seconds, "in all"), made]
    assert json.loads(file.read_text()) == work


def test_a_failing_step_stops_the_rest(recipe_file, tmp_path):
    ran = []

    def run(step):
        ran.append(step)
        raise CvrError("broken")

    with pytest.raises(CvrError, match="broken"):
        run_recipe(load_recipe(recipe_file(GOOD)), run, tmp_path / "w", ran.append)
    assert len([step for step in ran if isinstance(step, list)]) == 1


def test_run_prints_the_steps_of_a_dry_run(cvr, one_line_error, recipe_file):
    assert cvr("run", recipe_file(GOOD), "--dry-run").out.splitlines()[0] == "cvr import table clips.csv -o limit=3"
    assert "Unknown recipe 'quickstrat'. Did you mean: quickstart?" in one_line_error("run", "quickstrat")


def test_a_folder_of_the_same_name_does_not_hide_a_built_in_recipe(tmp_path, monkeypatch):
    from cvr_bench.recipes.recipe import find_recipe

    monkeypatch.chdir(tmp_path)
    (tmp_path / "quickstart").mkdir()
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "quickstart.yaml").write_text(GOOD)
    assert find_recipe("quickstart", [tmp_path / "recipes"]) == tmp_path / "recipes" / "quickstart.yaml"


def test_a_value_stays_in_its_word_and_a_variable_of_options_is_as_many_as_it_says(recipe_file):
    path = recipe_file(
        "variables: {folder: videos, options: '-o a=1', none: ''}\n"
        "steps: ['cvr embed $folder -o path=$folder/x $options $none --out out']"
    )
    blanks = {"folder": "my 'best' videos; rm", "options": "-o b='2 3'"}
    (step,) = load_recipe(path, blanks).steps
    folder = blanks["folder"]
    assert step == ("embed", folder, "-o", f"path={folder}/x", "-o", "b=2 3", "--out", "out")
    assert load_recipe(path).steps == (("embed", "videos", "-o", "path=videos/x", "-o", "a=1", "--out", "out"),)
