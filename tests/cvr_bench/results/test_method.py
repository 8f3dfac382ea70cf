"""method: seeds are kept apart, summed up, and count in comparisons; results have names, so that nothing collides."""

import json
from contextlib import redirect_stdout
from io import StringIO

import numpy as np
import pytest

from cvr_bench.results.compare import compare_methods, compare_results
from cvr_bench.results.method import method_result_rows, read_method_results, result_folders
from cvr_bench.results.result import read_result
from cvr_bench.scoring.intervals import Clusters, mean_recall_difference, recall_difference_interval

SMALL = ("-o", "projection=4", "-o", "hidden=4", "-t", "epochs=1", "-t", "batch_size=8")


@pytest.fixture(scope="module")
def trained(world, tmp_path_factory):
    """A model with three seeds, one without any, and what was printed of the first."""
    import cli

    out = tmp_path_factory.mktemp("seeds")
    words = ["bench", "--data", str(world.triplets), "--no-audit", "--out", str(out), "--seeds", "3"]
    with redirect_stdout(StringIO()) as told:
        for more in (["combiner", *SMALL], ["sum"], ["random"]):
            assert cli.run([*words, "-m", *more]) == 0
    return out, told.getvalue()


def test_each_seed_has_a_folder_and_a_model_without_seeds_has_one(trained):
    out, told = trained
    seeds = {
        name: [path.name for path in result_folders(out / f"{name}-tiny")] for name in ("combiner", "sum", "random")
    }
    assert seeds == {
        "combiner": ["seed-0", "seed-1", "seed-2"],
        "sum": ["seed-0"],
        "random": ["seed-0", "seed-1", "seed-2"],
    }
    results = read_method_results(out / "combiner-tiny").results
    assert [result.record["train"]["seed"] for result in results] == [0, 1, 2]
    assert "combiner (3 seeds)" in told and "combiner-tiny/seed-1" in told


def test_the_table_has_mean_and_spread(trained):
    method = read_method_results(trained[0] / "random-tiny")
    values = [read_result(path).interval("mean").value for path in result_folders(trained[0] / "random-tiny")]
    assert f"{np.mean(values):.2f} ± {np.std(values, ddof=1):.2f}" in method_result_rows([method])[1]


def test_a_comparison_of_methods_speaks_of_seeds(trained):
    methods = [read_method_results(trained[0] / f"{name}-tiny") for name in ("random", "sum")]
    found = compare_methods(*methods)
    assert found.first == "random (3 seeds)" and found.notes == ["over queries and seeds"]
    assert found.whole.first["R@1"] == pytest.approx(methods[0].values("R@1").mean())
    single = compare_results(methods[0].results[0], methods[1].results[0])
    assert single.notes == []


def test_the_command_takes_folders_of_seeds(trained, cvr, one_line_error, world):
    out, _ = trained
    found = json.loads(cvr("compare", out / "random-tiny", out / "combiner-tiny", "--json").out)
    assert found["second"] == "combiner (3 seeds)"
    cvr.done("report", out / "random-tiny", out / "sum-tiny", "-O", out / "page.md")
    page = (out / "page.md").read_text()
    assert "random-tiny/seed-2" in page and "| random (3 seeds) |" in page
    again = ["bench", "-m", "random", "--data", world.triplets, "--no-audit", "--out", out / "one"]
    cvr.done(*again)
    assert "holds the result of one seed; pass --name" in one_line_error(*again, "--seeds", "2")
    cvr.done(*again, "--seeds", "2", "--name", "dice")
    assert sorted(path.name for path in (out / "one").iterdir()) == ["dice-tiny", "random-tiny"]
    assert read_method_results(out / "one" / "dice-tiny").label == "dice (2 seeds)"


@pytest.mark.parametrize("name", ["a b", "../up", ".hidden", ""])
def test_a_name_that_cannot_be_a_folder_is_refused(name, one_line_error, world):
    assert "--name" in one_line_error("bench", "-m", "random", "--data", world.triplets, "--name", name)


def test_a_refusal_says_the_few_options_that_differ(trained, one_line_error, world):
    words = ["bench", "-m", "combiner", "--data", world.triplets, "--out", trained[0], "--seeds", "3", "--no-audit"]
    line = one_line_error(*words, *SMALL, "-t", "epochs=2", "-t", "lr=0.5", "-o", "hidden=8")
    assert "(options.hidden = 4, not 8; train.epochs = 1, not 2; train.lr = " in line
    assert "{" not in line


def drawn(generator, count, spread):
    """Values of two methods of four seeds on shared queries, in clusters, and the difference that is true of both."""
    clusters = Clusters.of([[str(n % 40)] for n in range(count)], [str(n % 35) for n in range(count)])
    shared = generator.normal(0, 30, 40)[np.arange(count) % 40]
    methods = [
        [shared + generator.normal(0, spread) + generator.normal(0, 20, count) for _ in range(4)] for _ in range(2)
    ]
    return methods, clusters


@pytest.mark.parametrize("spread", [0, 3, 10])
def test_intervals_of_methods_cover_what_is_true_of_all_seeds(spread):
    generator, covered, alone = np.random.default_rng(1), [], []
    for _ in range(400):
        methods, clusters = drawn(generator, 120, spread)
        interval, p = mean_recall_difference(*methods, clusters)
        covered.append(interval.low <= 0 <= interval.high)
        assert covered[-1] == (p >= 0.05)
        one = recall_difference_interval(methods[0][0], methods[1][0], clusters)
        alone.append(one.low <= 0 <= one.high)
    assert np.mean(covered) >= 0.93
    if spread == 10:
        assert np.mean(alone) < 0.6  # of one seed each, the queries alone tell of those seeds
