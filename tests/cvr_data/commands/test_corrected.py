"""A command that fails before it made anything leaves nothing, so that the corrected one takes the same --out."""

from contextlib import chdir

import pytest

pytestmark = pytest.mark.slow

GONE = "-o base_url=http://127.0.0.1:9/v1 -o retries=0"
COMMANDS = {
    "a server that is gone describes": (
        f"describe-videos videos --replace --llm openai -o model=x {GONE}", "describe-videos videos --llm echo",
    ),
    "a model that is gone describes": (
        "describe-videos videos --replace --llm transformers -o model=./nowhere", "describe-videos videos --llm echo",
    ),
    "a server that is gone writes": (
        f"generate-modifications pairs --llm openai -o model=x {GONE}", "generate-modifications pairs --llm rules",
    ),
    "a model that is gone writes": (
        "generate-modifications pairs --llm transformers -o model=./nowhere",
        "generate-modifications pairs --llm rules",
    ),
    "a server that is gone judges": (
        f"score-modifications texts --judge-backend openai {GONE.replace('-o', '--judge-option')} "
        "--judge-option model=x",
        "score-modifications texts --judge-backend echo --judge-option text=correct",
    ),
    "a server that is gone embeds": (
        "embed videos --encoder embedder -o api=openai -o model=x -o base_url=http://127.0.0.1:9/v1 -o retries=0",
        "embed videos --encoder hash",
    ),
    "a model that is gone embeds": (
        "embed videos --encoder clip -o model=./nowhere", "embed videos --encoder hash",
    ),
    "an option that is none": ("mine-pairs videos --filter none -o mni=3", "mine-pairs videos --filter none"),
    "a column that is none": ("embed pairs --column nope --encoder hash", "embed pairs --column reference_caption "
                              "--encoder hash"),
    "videos that have no features": ("split pairs", "split videos"),
    "a checkpoint that is gone": (
        "bench --model combiner --checkpoint nowhere --data triplets -e embeddings --no-audit",
        "bench --model sum --data triplets -e embeddings --no-audit",
    ),
}  # fmt: skip
"""What is wrong -> a command, and what it should have been."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Videos, features, pairs, texts and triplets."""
    import cli

    home = tmp_path_factory.mktemp("corrected")
    with chdir(home):
        for line in (
            "import synthetic --out videos -o train=0 -o val=0 -o test=8 -o size=32 -o workers=1",
            "embed videos --encoder hash -o dim=4 -o frames=1 --out embeddings",
            "mine-pairs videos --filter none --out pairs",
            "generate-modifications pairs --llm rules --cache c.sqlite --out texts",
            "build-triplets texts --out triplets",
        ):
            assert cli.run(line.split()) == 0, line
    return home


@pytest.mark.parametrize("fault", COMMANDS)
def test_the_corrected_command_takes_the_same_folder(fault, folder, cvr, one_line_error, tmp_path, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.setenv("OPENAI_API_KEY", "x")
    wrong, right = (line.split() for line in COMMANDS[fault])
    out = ("--out", tmp_path / "new")
    one_line_error(*wrong, *out)
    left = [path.relative_to(tmp_path / "new") for path in (tmp_path / "new").rglob("*") if path.is_file()]
    assert not left or {path.parts[0] for path in left} == {"running.json", ".work"}  # passes that it can go on from
    made = cvr(*right, *out)
    assert made.code == 0, made.err
