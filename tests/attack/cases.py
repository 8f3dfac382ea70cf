"""Bad inputs of all commands by seed: `all_cases(world)`; every one names its family, its damage and its command."""

import dataclasses
import json
import random
import typing
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click
import pyarrow.parquet as pq

import cli
from cvr_bench.benchmarks import BENCHMARKS
from cvr_bench.families import families
from cvr_data.commands.options import PlainPath
from cvr_data.videos.corpora import CORPORA
from tests.attack import damage
from tests.attack.damage import Damage
from tests.attack.running import Case
from tests.attack.world import COMMANDS, WORDS

MOST = 150
"""Cases of a family: enough for each kind of damage to meet most commands."""
OUTPUTS = ("--out", "-O", "--html", "--measures", "--staging", "--drop-missing", "--cache", "--in")
"""Options that name what need not be there."""
STAYS = ("stage", "version", "config", "inputs", "rows", "dropped", "files", "key", "seconds", "command", "versions")
"""Keys of every manifest."""
SHOWING = ("trace", "data-status")
"""Commands that show what a folder says of itself, whatever became of its files."""
PATHS = (
    "a\0b", "x" * 5000, "y" * 300, "\udcff.csv", "", "corpora/captions.csv/below", "loop", "/dev/null", "corpora",
    "corpora/captions.csv", "nowhere/at/all", "new\nline",
)  # fmt: skip
NUMBERS = ("x", "1.5e", "", "99999999999999999999999", "-1", "nan", "inf", "0", "\u00b2")
TEXTS = ("\udcff", "", "\x1b[31mred", "nowhere/x.yaml", "a.b", "a" * 70_000)
OPTIONS = ("nope", "=", "nope=1", "=x", "a=b=c", "")


def all_cases(world: Path) -> list[Case]:
    """Return the cases for the files of a world, the same ones for the same world."""
    made = [*_artifacts(world), *_files(world), *_samples(world), *_paths(world), *_values(world), *_components(),
            *_unfinished(), *_settings(world)]  # fmt: skip
    return sampled(made, MOST, seed=0)


def sampled(cases: Sequence[Case], most: int, seed: int) -> list[Case]:
    """Return at most so many cases of each family, by seed."""
    of_family: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        of_family[case.family].append(case)
    return [
        case
        for name, some in of_family.items()
        for case in random.Random(f"{name} {seed}").sample(some, min(most, len(some)))
    ]


def command_lines(world: Path) -> list[tuple[str, ...]]:
    """Return every command of the world, with ids that are in it."""
    ids = {
        "QUERY": pq.read_table(world / "results/sum-triplets/ranks.parquet").column("query_id")[0].as_py(),
        "TRIPLET": pq.read_table(world / "triplets/part-00000.parquet").column("triplet_id")[0].as_py(),
    }
    return [
        tuple(ids.get(word, word) for word in line.split()) for line in COMMANDS.format(**WORDS).strip().splitlines()
    ]


def _paths_in(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return the words that may be paths: `import triplets` and `download videos` name a format and a kind."""
    return words[2:] if words[0] in ("import", "download") else words[1:]


def _some(damages: typing.Sequence[Damage], count: int, *seed: object) -> list[Damage]:
    """Return some of them, by seed."""
    return random.Random(repr(seed)).sample(list(damages), min(count, len(damages)))


def _in(path: str, way: Damage, seal: str | None) -> typing.Callable[[Path], None]:
    def do(folder: Path) -> None:
        way.do(folder / path)
        if seal is not None:
            damage.sealed(folder / seal)

    return do


def _case(
    family: str, words: tuple[str, ...], path: str, way: Damage, *, seal: str | None = None, may: bool = False
) -> Case:
    """Return the case of a damaged file; `seal` is the artifact whose manifest then says that this is its file."""
    name = f"{path} {way.name}{', sealed' if seal else ''}"
    return Case(family, name, words, _in(path, way, seal), may or way.harmless)


def _artifacts(world: Path) -> Iterator[Case]:
    """Manifests and files of the artifacts that commands are given, and of what those were made from."""
    for words in command_lines(world):
        given = [word for word in _paths_in(words) if (world / word / "manifest.json").is_file()]
        above = {path for word in given for path in _above(world, word)} - set(given)
        for folder in [*given, *_one(sorted(above), words)]:
            known = json.loads((world / folder / "manifest.json").read_bytes())
            keyed = [*damage.in_json(STAYS, partial(_is_alike, known))]
            is_above = folder not in given or words[0] in SHOWING
            for way in [*_some(damage.WHOLE_JSON, 2, words, folder), *_some(keyed, 5 - 2 * is_above, words, folder)]:
                yield _case("manifests", words, f"{folder}/manifest.json", way, may=is_above)
            parts = [name for name in known["files"] if name.startswith("part-") and name.endswith("parquet")]
            for name in parts[:1]:
                for way in _some(damage.PARQUET, 3 - is_above, words, folder, name):
                    yield _case("parts", words, f"{folder}/{name}", way, may=is_above)
                for way in _some(damage.PARQUET, 3, words, folder, name, "sealed"):
                    yield _case("parts", words, f"{folder}/{name}", way, seal=folder, may=True)
            for name in sorted(known["files"].keys() - parts):
                family = "results" if known["stage"] == "bench" else "other files"
                for seal in (None, folder):
                    may = (
                        bool(seal) or is_above or name.startswith("media/")
                    )  # a clip costs its row where it is decoded
                    for way in _some(damage.of(Path(name)), 1, words, folder, name, seal):
                        yield _case(family, words, f"{folder}/{name}", way, seal=seal, may=may)


def _one(values: list[str], *seed: object) -> list[str]:
    return random.Random(repr(seed)).sample(values, min(1, len(values)))


def _above(world: Path, folder: str) -> Iterator[str]:
    """Yield the artifacts of the world that one was made from."""
    for entry in json.loads((world / folder / "manifest.json").read_bytes())["inputs"].values():
        path = (world / folder / entry["path"]).resolve()
        if (path / "manifest.json").is_file():
            yield path.relative_to(world.resolve()).as_posix()
            yield from _above(world, path.relative_to(world.resolve()).as_posix())


def _is_alike(manifest: dict[str, Any], key: str, _: object, value: object) -> bool:
    """Whether a value is of the kind that stands there, so that nothing is wrong with its kind."""
    known = manifest[key]
    if isinstance(known, bool) or isinstance(value, bool):
        return False
    if isinstance(known, float):
        return isinstance(value, int | float)
    return type(known) is type(value)


def _files(world: Path) -> Iterator[Case]:
    """Files of the user, and files in folders that are no artifacts."""
    for words in command_lines(world):
        for word in _paths_in(words):
            word = word.partition("=")[2] if "=" in word else word
            found = [word] if (world / word).is_file() else []
            if (world / word).is_dir() and not (world / word / "manifest.json").exists():
                files = [file for file in sorted((world / word).rglob("*")) if file.is_file()]
                files = [
                    file for file in files if file.suffix != ".mp4" and file.name != "report.json"
                ]  # nobody reads it
                found = [file.relative_to(world).as_posix() for file in files]
            for path in found:
                kind = Path(path).suffix[1:]
                family = {"sqlite": "sqlite", "yaml": "yaml", "json": "json"}.get(kind, "tables")
                family = "tensors" if kind in ("npy", "npz", "pth", "pt", "h5") else family
                count = 20 if len(found) == 1 else 3
                for way in _some(damage.of(Path(path)), count, words, path):
                    if words[0] == "quickstart" and way.name in ("gone", "folder"):
                        continue  # then it is where a quickstart may be, and takes minutes
                    may = len(found) > 1 or (way.name in ("gone", "empty") and word == "requests.sqlite")
                    may |= (kind, way.name) == ("yaml", "cut")  # half of a recipe may be one
                    may |= way.name == "is []"  # no entries are no fault
                    may |= kind in ("csv", "jsonl", "txt") and way.name not in ("gone", "folder", "loop", "pipe")
                    yield _case(family, words, path, way, may=may)
                if kind == "yaml":
                    yield from _in_yaml(world, words, path)


def _in_yaml(world: Path, words: tuple[str, ...], path: str) -> Iterator[Case]:
    import yaml

    content = yaml.safe_load((world / path).read_text())
    for key in content:
        for value in (None, 3, "x", [3], {"a": 1}, [[]], [{}], {"a": [{}]}):
            text = yaml.safe_dump({**content, key: value}).encode()
            way = Damage(f"{key} = {value!r}", lambda file, text=text: damage.replaced(file, text), harmless=True)
            yield _case("yaml", words, path, way)


def _samples(world: Path) -> Iterator[Case]:
    """The published files of every corpus and benchmark."""
    lines = [("corpora", name, ("import", name, f"samples/{name}", "--out", "new")) for name in CORPORA.names()]
    for name in BENCHMARKS.names():
        where, *others = (field.name for field in dataclasses.fields(BENCHMARKS.get(name).Config))
        counts = ("-D", "counts=any") if "counts" in others else ()
        option = next(iter(BENCHMARKS.get(name).EXAMPLE)).split()
        words = ("bench", "--model", "random", "--data", name, "-D", f"{where}=samples/{name}", *counts)
        words = (*words, *(word for each in option for word in ("-D", each)), "--no-audit", "--out", "new")
        lines.append(("benchmarks", name, words))
    for family, name, words in lines:
        files = [file for file in sorted((world / "samples" / name).rglob("*")) if file.is_file()]
        for file in files:
            path = file.relative_to(world).as_posix()
            for way in _some(damage.of(file), max(4, 16 // len(files)), words, path):
                yield _case(family, words, path, way, may=True)
            if file.suffix == ".json":
                for number, way in enumerate(_json_ways(file)):
                    yield _case(family, words, path, Damage(f"{way.name} {number}", way.do, True))


def _json_ways(file: Path) -> list[Damage]:
    content = json.loads(file.read_bytes())
    keys = list(content)[:4] if isinstance(content, dict) else list(range(min(2, len(content))))
    ways = _some([*damage.in_json(keys, lambda *_: True)], 4, file.name)
    if isinstance(content, list) and content and isinstance(content[0], dict):
        for key, value in content[0].items():
            for other in (None, 3, "x", [], [[]], {"a": 1}):
                if type(other) is not type(value):
                    changed = json.dumps([{**content[0], key: other}, *content[1:]]).encode()
                    ways.append(Damage(f"{key} = {other!r}", lambda path, new=changed: damage.replaced(path, new)))
    return _some(ways, 8, file.name)


def _options_of(words: tuple[str, ...]) -> list[click.Option]:
    command = cli.group.get_command(click.Context(cli.group), words[0])
    return [each for each in command.params if isinstance(each, click.Option)] if command else []


def _with_option(words: tuple[str, ...], option: click.Option, value: str) -> tuple[str, ...]:
    """Return the command with another value of an option."""
    kept, skip = [], False
    for word in words:
        if not skip and word not in option.opts:
            kept.append(word)
        skip = not skip and word in option.opts and not option.is_flag
    return (*kept, option.opts[0], value)


def _one_line_each(world: Path) -> list[tuple[str, ...]]:
    """Return the first line of each command."""
    return list({words[0]: words for words in reversed(command_lines(world))}.values())


def _paths(world: Path) -> Iterator[Case]:
    for words in _one_line_each(world):
        for option in _options_of(words):
            if isinstance(option.type, PlainPath):
                is_output = bool(set(option.opts) & set(OUTPUTS))
                for value in random.Random(repr((words, option.name))).sample(PATHS, 5):
                    may = is_output or value in ("", "corpora", "corpora/captions.csv")
                    if not (is_output and words[0] == "quickstart"):
                        yield Case(
                            "paths", f"{option.name} {value[:20]!r}", _with_option(words, option, value), may_work=may
                        )
        for place, word in enumerate(words):
            if word in _paths_in(words) and (world / word).exists() and words[place - 1] not in OUTPUTS:
                for value in random.Random(repr((words, place))).sample(PATHS, 6):
                    given = (*words[:place], value, *words[place + 1 :])
                    yield Case("paths", f"argument {value[:20]!r}", given, may_work=value in ("", "corpora", word))


def _values(world: Path) -> Iterator[Case]:
    for words in _one_line_each(world):
        for option in _options_of(words):
            if option.is_flag or isinstance(option.type, PlainPath):
                continue
            is_pairs = option.metavar == "KEY=VALUE"
            numeric = isinstance(option.type, click.types.IntParamType | click.types.FloatParamType)
            values = OPTIONS if is_pairs else NUMBERS if numeric else TEXTS
            for value in random.Random(repr((words, option.name))).sample(values, 2):
                if words[0] in ("quickstart", "review") and not (is_pairs or value == "x"):
                    continue
                may = option.name == "train_options"  # of no effect on a model that does not train
                may |= not (is_pairs and value != "a=b=c") and value not in ("x", "1.5e", "\u00b2")
                yield Case("values", f"{option.name} {value[:20]!r}", _with_option(words, option, value), may_work=may)


LINES = {
    "strategies": "mine-pairs videos --embeddings embeddings --strategy {name} -o {option} --filter none --out new",
    "filters": "mine-pairs videos --embeddings embeddings --filter {name}:{option} --out new",
    "encoders": "embed videos --encoder {name} -o {option} --out new",
    "backends": "generate-modifications pairs --llm {name} -o {option} --cache requests.sqlite --out new",
    "formats": "export triplets --format {name} -o {option} --out new",
    "layouts": "import-embeddings features/{name} --layout {name} -o {option} --out new",
    "models": "bench --model {name} --data triplets --embeddings embeddings -o {option} -t epochs=1 --no-audit -O new",
    "benchmarks": "bench --model random --data {name} -D {option} --no-audit --out new",
    "video-filters": "filter-videos videos -f {name}:{option} --measures new-2 --out new",
    "corpora": "import {name} samples/{name} -o {option} --out new",
}  # fmt: skip


def _components() -> Iterator[Case]:
    """Options of every component that are of another type than its Config says."""
    for kind, line in LINES.items():
        family = families()[kind]
        for name in family.names():
            config = family.get(name).Config
            hints = typing.get_type_hints(config)
            fields = [field for field in dataclasses.fields(config) if hints[field.name] is not str]
            for field in random.Random(name).sample(fields, min(4, len(fields))):
                is_number = hints[field.name] in (int, float)
                value = random.Random(f"{name} {field.name}").choice(
                    ["x", "nope", "1.5e", ""] if is_number else ["nope"]
                )
                words = line.format(name=name, option=f"{field.name}={value}").split()
                may = not is_number and "Literal" not in str(hints[field.name]) and hints[field.name] is not bool
                yield Case("components", f"{name} {field.name}={value}", tuple(words), may_work=may)


def _unfinished() -> Iterator[Case]:
    """What a run left in its folder that another one finds there."""
    out = ("split", "videos", "--out", "new")

    def left(name: str, content: bytes) -> typing.Callable[[Path], None]:
        def do(folder: Path) -> None:
            (folder / "new" / name).parent.mkdir(parents=True)
            (folder / "new" / name).write_bytes(content)

        return do

    contents = (b"", b"{}", b"[]", b"null", b"nonsense", b'{"stage": 3}', b"[" * damage.DEEP, damage.LATIN_1,
                b'{"stage": "split", "version": 1, "config": 3, "inputs": {}}',
                b'{"stage": "split", "version": 1, "config": {}, "inputs": [1]}',
                b'{"stage": "split", "version": 1, "config": {}, "inputs": {}, "foreign": 3}')  # fmt: skip
    for name in ("running.json", "manifest.json", ".lock", ".work/01-read/00000.json"):
        for content in contents:
            may = name.startswith(".") or (name == "running.json" and b"foreign" in content)  # nothing of it is lost
            for more in ((), ("--overwrite",)):
                words = (*out, *more)
                yield Case(
                    "unfinished", f"{name} {content[:24]!r}", words, left(name, content), may_work=may or bool(more)
                )


def _settings(world: Path) -> Iterator[Case]:
    """The settings file of the machine, the timings of a recipe, and variables that lead nowhere."""
    contents = (b"x = ", b"[machine]\nroots = 3\n", b"[default]\nbatch_size = 'x'\n", damage.LATIN_1, b"\0",
                b"a = " + b"[" * 5000, b"[default]\ndata = 3\n", b"[default]\nworkers = -1\n", b"x = 3\n")  # fmt: skip
    for content in contents:
        for words in (("data-status",), ("bench", "--model", "random", "--data", "cirr", "--out", "new")):

            def put(folder: Path, content: bytes = content) -> None:
                (folder / "settings.toml").write_bytes(content)

            yield Case("settings", repr(content[:24]), words, put, True, (("CVR_CONFIG", "settings.toml"),))
    for value in ("corpora/captions.csv", "nowhere", "loop", "y" * 300, "/dev/null"):
        for variable in ("CVR_DATA", "CVR_CACHE"):
            for words in command_lines(world)[::9]:
                yield Case(
                    "settings", f"{variable}={value[:20]}", words, may_work=True, environment=((variable, value),)
                )
