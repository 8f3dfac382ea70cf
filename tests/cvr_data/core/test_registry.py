"""registry: a file is a component, and its Config checks what a user types."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

import pytest

from cvr_bench.families import PACKAGES, families
from cvr_data.core.config_source import field_docs
from cvr_data.core.errors import CvrError
from cvr_data.core.registry import Family, config_dict, parse_config
from cvr_data.core.trust import naming
from cvr_data.filters import FILTERS


@dataclass(frozen=True, kw_only=True)
class Config:
    count: int = 3
    share: float = 0.5
    name: str | None = None
    mode: Literal["fast", "exact"] = "fast"
    words: tuple[str, ...] = ()
    path: Path | None = None
    loud: bool = False

    def __post_init__(self):
        if self.count < 1:
            raise ValueError(f"count must be at least 1, got {self.count}.")


def test_text_options_become_the_types_of_their_fields():
    options = ["count=5", "share=0.25", "name=x=y", "mode=exact", "words=a, b", "path=c/d", "loud=yes"]
    assert parse_config(Config, options, where="me") == Config(
        count=5, share=0.25, name="x=y", mode="exact", words=("a", "b"), path=Path("c/d"), loud=True
    )


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("cuont=1", r"me: unknown option 'cuont'\. Did you mean: count\?"),
        ("count=many", r"me: option count should be of type int, got 'many'"),
        ("count=0", r"me: count must be at least 1, got 0"),
        ("mode=exakt", r"me: option mode: 'exakt' is not allowed\. Did you mean: exact\?"),
        ("loud=perhaps", r"me: option loud should be true or false"),
        ("count", r"me: option 'count' should look like key=value"),
    ],
)
def test_a_wrong_option_is_one_line_that_says_what_is_allowed(option, message):
    with pytest.raises(CvrError, match=message):
        parse_config(Config, [option], where="me")


def test_an_unknown_component_is_answered_with_the_nearest():
    with pytest.raises(CvrError, match=r"Unknown name 'one-wrod' in strategies\. Did you mean: one-word"):
        Family("cvr_data.pairs.strategies").get("one-wrod")


def test_a_module_that_lacks_what_its_family_asks_for_is_one_line():
    with (
        naming(["cvr_data.tables"]),
        pytest.raises(CvrError, match=r"cvr_data\.tables is none of the filters: it has no Config, run\."),
    ):
        FILTERS.get("cvr_data.tables")


def test_config_dict_is_plain_json():
    expected = {
        "count": 3, "share": 0.5, "name": None, "mode": "fast", "words": ["a"], "path": "b", "loud": False,
    }  # fmt: skip
    assert config_dict(Config(words=("a",), path=Path("b"))) == expected


@pytest.mark.parametrize("kind", sorted(PACKAGES))
def test_every_component_has_a_summary_and_documented_options(kind):
    family = families()[kind]
    assert family.names(), f"{kind} has no component"
    for name in family.names():
        assert family.summary(name), f"{kind}/{name} has no docstring"
        module = family.get(name)
        documented = field_docs(Path(module.__file__).read_text())
        undocumented = {field.name for field in fields(module.Config)} - set(documented)
        assert not undocumented, f"{kind}/{name}: no docstring under {undocumented}"


@pytest.fixture
def half_written(tmp_path, monkeypatch):
    """A family of one good component and of some that are being written."""
    folder = tmp_path / "half_written"
    folder.mkdir()
    sources = {
        "__init__": "", "good": '"""Does it."""\n\nclass Config:\n    size: int = 3\n', "broken": "import (\n",
        "documented": '"""Is begun."""\nimport (\n', "below": '"""\nBegins below.\n"""\n',
    }  # fmt: skip
    for name, source in sources.items():
        (folder / f"{name}.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    return Family("half_written")


def test_a_broken_component_does_not_hide_the_others(half_written):
    summaries = {name: half_written.summary(name) for name in half_written.names()}
    assert summaries.pop("broken").startswith("(cannot be read: invalid syntax")
    assert summaries == {"good": "Does it.", "documented": "Is begun.", "below": "Begins below."}
    assert "size = 3" in half_written.describe("good")


@pytest.mark.parametrize(
    ("name", "message"),
    [("broken", "cannot be read: invalid syntax"), ("documented", "cannot be read"), ("below", "it has no Config")],
)
def test_a_broken_component_is_described_by_one_line_that_says_what_is_wrong(half_written, name, message):
    with pytest.raises(CvrError, match=message):
        half_written.describe(name)
    if name != "below":
        with pytest.raises(CvrError, match=rf"Cannot import half_written\.{name}: invalid syntax"):
            half_written.get(name)


def test_a_reader_that_never_met_the_published_files_is_marked():
    benchmarks = Family("cvr_bench.benchmarks")
    marked = [name for name in benchmarks.names() if benchmarks.summary(name).endswith("[unseen]")]
    unseen = ["cc-coir", "covr-r", "edir", "finecvr", "insave", "momentseeker", "omnicvr", "tf-covr"]
    assert marked == unseen
    assert "Unseen: the published files were not at hand" in benchmarks.describe("tf-covr")
