"""machine: what each setting is, and where it was given."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cvr_data.core.errors import CvrError
from cvr_data.core.machine import Machine, component_options, config_path, load_machine

SETTINGS = """
data = "sets"
device = "cpu"
batch_size = 16
[roots]
cirr = "/mnt/cirr"
fashion_iq = "fiq"
[media]
webvid-covr = "/mnt/webvid"
[machines.cluster]
device = "cuda"
workers = 32
[machines.cluster.roots]
cirr = "/scratch/cirr"
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text(SETTINGS)
    return path


def load(config, name=None, **environment):
    return load_machine(name, {"CVR_CONFIG": str(config), **environment})


def test_without_a_file_there_are_defaults(tmp_path):
    machine = load_machine(environment={"CVR_CONFIG": ""})
    assert machine.data == Path("data")
    assert (machine.device, machine.batch_size, machine.workers) == (None, None, None)
    assert machine.root("cirr") == Path("data/cirr")
    assert machine.root_origin("cirr") == "default"


def test_the_file_lies_in_the_users_configuration_unless_told():
    assert config_path({}) == Path.home() / ".config" / "cvr" / "config.toml"
    assert config_path({"CVR_CONFIG": "/a/b.toml"}) == Path("/a/b.toml")


def test_settings_are_read_with_paths_relative_to_the_file(config):
    machine = load(config)
    assert machine.data == config.parent / "sets"
    assert (machine.device, machine.batch_size, machine.workers) == ("cpu", 16, None)
    assert machine.root("fashion-iq") == config.parent / "fiq"
    assert machine.root("circo") == config.parent / "sets" / "circo"
    assert machine.media_folders("webvid-covr") == [Path("/mnt/webvid")]
    assert machine.root_origin("cirr") == machine.origins["device"] == str(config)


def test_a_section_replaces_what_it_names(config):
    machine = load(config, "cluster")
    assert (machine.device, machine.batch_size, machine.workers) == ("cuda", 16, 32)
    assert machine.root("cirr") == Path("/scratch/cirr")
    assert machine.origins["device"] == f"{config} [machines.cluster]"
    assert machine.origins["batch_size"] == str(config)


def test_the_environment_goes_before_the_file(config, tmp_path):
    machine = load(config, "cluster", CVR_DATA="/elsewhere")
    assert machine.root("circo") == Path("/elsewhere/circo")
    assert machine.root("cirr") == Path("/scratch/cirr")
    assert machine.root_origin("circo") == "$CVR_DATA"


def test_finecvr_lies_where_its_authors_code_has_it(config, tmp_path):
    given = load(config, FINECVR_DATASET_ROOT=str(tmp_path / "x"))
    assert given.root("finecvr") == tmp_path / "x"
    (tmp_path / "x" / "FineCVR").mkdir(parents=True)
    assert load(config, FINECVR_DATASET_ROOT=str(tmp_path / "x")).root("finecvr") == tmp_path / "x" / "FineCVR"
    assert given.root_origin("finecvr") == "$FINECVR_DATASET_ROOT"


def test_a_folder_with_underscores_is_found(tmp_path):
    (tmp_path / "webvid_covr").mkdir()
    machine = Machine(data=tmp_path)
    assert machine.root("webvid-covr") == tmp_path / "webvid_covr"
    (tmp_path / "webvid-covr").mkdir()
    assert machine.root("webvid-covr") == tmp_path / "webvid-covr"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("devise = 'cpu'", "unknown setting 'devise'. Did you mean: device"),
        ("workers = '8'", "workers should be of type int of at least 1, got '8'"),
        ("workers = true", "workers should be of type int of at least 1, got True"),
        ("batch_size = 0", "batch_size should be of type int of at least 1, got 0"),
        ("batch_size = -4", "batch_size should be of type int of at least 1, got -4"),
        ("device = ''", "device should be of type str, got ''"),
        ("roots = 3", r"\[roots\] should give a folder to each name, got 3"),
        ("[roots]\ncirr = 3", "roots.cirr should be the path of a folder, got 3"),
        ("machines = 3", r"\[machines\] should hold a section for each name"),
        ("data = ", "cannot be read as TOML"),
    ],
)
def test_a_wrong_setting_is_told(tmp_path, text, message):
    (tmp_path / "config.toml").write_text(text)
    with pytest.raises(CvrError, match=message):
        load(tmp_path / "config.toml")


def test_an_unknown_section_is_told(config):
    with pytest.raises(CvrError, match=r"has no \[machines.clster\]. Did you mean: cluster"):
        load(config, "clster")


def test_a_named_file_has_to_be_there(tmp_path):
    with pytest.raises(CvrError, match="is not there"):
        load(tmp_path / "none.toml")


@dataclass(frozen=True, kw_only=True)
class Config:
    device: str = field(default="auto", metadata={"output": False})
    workers: int = field(default=1, metadata={"output": False})
    batch_size: int = 128


def test_a_component_takes_what_cannot_change_its_output_and_the_command_line_goes_first():
    machine = Machine(device="cuda", batch_size=4, workers=None)
    assert component_options(Config, ("frames=8",), machine) == ("device=cuda", "frames=8")
    assert component_options(Config, ("device=cpu",), machine)[-1] == "device=cpu"
    assert component_options(Config, (), Machine()) == ()


def test_the_machine_is_an_option_of_the_whole_command(cvr, config, monkeypatch):
    monkeypatch.setenv("CVR_CONFIG", str(config))
    monkeypatch.delenv("CVR_DATA", raising=False)
    printed = cvr("--machine", "cluster", "data-status", "cirr").out
    assert f"device      cuda  ({config} [machines.cluster])" in printed
    assert f"cirr  /scratch/cirr is not there  ({config} [machines.cluster])" in printed


def test_the_steps_of_a_recipe_take_the_machines_settings(cvr, tmp_path, monkeypatch):
    (tmp_path / "config.toml").write_text("[machines.odd]\ndevice = 'tpu'\n")
    (tmp_path / "clips.csv").write_text("id,text\na,a dog runs\n")
    recipe = tmp_path / "mine.yaml"
    steps = [
        f"cvr import table {tmp_path / 'clips.csv'} -o id=id -o caption=text --out videos",
        "cvr embed videos --encoder minilm",
    ]
    recipe.write_text("name: mine\nsummary: two steps\nsteps:\n" + "".join(f"  - {step}\n" for step in steps))
    monkeypatch.setenv("CVR_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.chdir(tmp_path)
    error = cvr("--machine", "odd", "run", recipe).err
    assert "minilm: option device: 'tpu' is not allowed" in error, error
