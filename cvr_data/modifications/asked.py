"""The pairs that texts are written for, in parts of a fixed size, with what a prompt needs beside them.

Paraphrases and ways back are asked about texts that are there: then there is one row per accepted text, with the
columns `given` (the text), `given_id`, `given_style` and `place` (which of the pair's texts it is). For the way back,
each pair is swapped; where the swapped pair was not mined, `is_mined` is false and no triplet could be built.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.artifacts import open_artifact
from cvr_data.core.columns import check_columns, with_column
from cvr_data.core.errors import CvrError, first_few
from cvr_data.core.parts import artifact_parts_of, column_names, read_part
from cvr_data.core.runner import Flow, StageRun
from cvr_data.core.stages import ByColumn, KeyedStep, Step
from cvr_data.language.told_languages import check_languages
from cvr_data.modifications.asking.request import SEEDS_PER_TEXT
from cvr_data.modifications.generator import SEEDS, Config, prompt_of
from cvr_data.modifications.lookup import Lookup, generator_looked_up_rows
from cvr_data.modifications.pairs import prompted_videos
from cvr_data.modifications.prompts import Prompt
from cvr_data.tables import PAIRS, pair_id

ROWS = 4096
"""Pairs of one part: what engines are asked together."""
TEXTS = "generate-modifications"
"""How the stages begin that write texts."""
_GIVEN = {"modification": "given", "modification_id": "given_id", "style": "given_style"}
_SIDES = ("reference", "target")
_OTHERWISE = "take a prompt file of your own with `languages` (--prompt), or go on with --language en"
_ENDS = ("before", "after")


def pairs_to_modify(run: StageRun, pairs: Path, config: Config) -> Flow:
    """Return the pairs that the config asks for, in order, with what its prompt needs beside them.

    Raises:
        CvrError: a split that no pair has, or texts or videos that do not fit.
    """
    artifact, prompt = open_artifact(pairs), prompt_of(config)
    chosen = _pairs_to_ask(run, pairs, config)
    if wants_descriptions(prompt) and (videos := prompted_videos(artifact, config.videos)) is not None:
        chosen = with_descriptions(chosen, videos)
    if config.given is None:
        return chosen
    rows = _with_given(run, pairs, chosen, config)
    if not rows.rows and artifact.manifest["rows"]:
        raise CvrError(f"{config.given}: no accepted text is of the pairs asked for.")
    return rows


def check_modifications_asked(pairs: Path, config: Config) -> None:
    """Raise if no pair is of a split that is asked for, or captions of another language, before anything is written.

    Raises:
        CvrError: so.
    """
    prompt = prompt_of(config)
    reads = prompt.languages.split()
    if config.language is None:
        check_languages(pairs, f"the prompt {prompt.name!r}", reads, _OTHERWISE)
    elif config.language not in reads:
        raise CvrError(
            f"The prompt {prompt.name!r} reads {', '.join(reads)} alone, not {config.language!r}; {_OTHERWISE}."
        )
    found: set[str | None] = set()
    for table in _tables_of_pairs(pairs, ["split"]) if config.splits else ():
        found.update(table.column("split").to_pylist())
    for split in config.splits:
        if split not in found:
            listed = ", ".join(sorted(str(name) for name in found)) or "none"
            raise CvrError(f"{pairs}: no pair is of split {split!r} (splits: {listed}).")


def read_asked(pairs: Path, config: Config) -> Iterator[pa.Table]:
    """Yield the same rows part by part, writing nothing that stays.

    Raises:
        CvrError: as `pairs_to_modify` does.
    """
    with TemporaryDirectory() as folder:
        inputs = {"pairs": pairs}
        with StageRun(Path(folder), stage="ask", version=1, config={}, inputs=inputs, overwrite=False) as run:
            for part in run.rested(pairs_to_modify(run, pairs, config)).parts:
                yield read_part(part)


def wants_descriptions(prompt: Prompt) -> bool:
    """Return whether a prompt shows dense descriptions."""
    return "_description" in prompt.user


def with_descriptions(pairs: Flow, videos: Path, *, beside: str = "") -> Flow:
    """Return the pairs with the dense descriptions of their videos; null where a video has none.

    The columns of ids and those of descriptions begin with `beside`.
    """
    if "description" not in column_names(open_artifact(videos).part_paths[0]):
        return pairs
    ids = tuple(f"{beside}{side}_id" for side in _SIDES)
    names = tuple((f"{beside}{side}_description",) for side in _SIDES)
    lookup = Lookup(ids=ids, key="video_id", columns=("description",), names=names)
    return generator_looked_up_rows(pairs, pairs.run.read(videos, ["video_id", "description"]), lookup)


def pairs_of_modifications(modifications: Path) -> Path:
    """Return the pairs that the texts were made from.

    Raises:
        CvrError: the texts' manifest does not lead to them.
    """
    return open_artifact(modifications, stage=TEXTS).input_path("pairs")


def _pairs_to_ask(run: StageRun, pairs: Path, config: Config) -> Flow:
    flow = run.read(pairs, None, [field.name for field in PAIRS if not field.nullable], part_rows=ROWS)
    if config.splits or config.limit is not None:
        flow = run.made("chosen", lambda: _tables_of_asked_rows(_pairs_of_splits(pairs, config)))
    return flow.then(Step(name="pairs", run=_checked_pairs, config=str(pairs), is_counted=False))


def _checked_pairs(where: str, part: pa.Table) -> pa.Table:
    return check_columns(part, PAIRS, where)


def _pairs_of_splits(pairs: Path, config: Config) -> Iterator[pa.Table]:
    """Yield the pairs of the splits, and of these those with the lowest ids."""
    highest = _highest_id(pairs, config)
    for table in _tables_of_pairs(pairs):
        table = _of_splits(table, config)
        yield table if highest is None else table.filter(pc.less_equal(table.column("pair_id"), highest))


def _highest_id(pairs: Path, config: Config) -> str | None:
    """Return the last of the lowest ids that the limit allows; None where it allows all."""
    if config.limit is None:
        return None
    lowest = pa.array([], pa.string())
    is_full = False
    for table in _tables_of_pairs(pairs, ["pair_id", "split"]):
        ids = [lowest, *_of_splits(table, config).column("pair_id").chunks]
        lowest = pc.take(together := pa.concat_arrays(ids), pc.sort_indices(together))
        is_full = is_full or len(lowest) > config.limit
        lowest = lowest[: config.limit]
    return lowest[-1].as_py() if is_full and len(lowest) else None


def _of_splits(table: pa.Table, config: Config) -> pa.Table:
    return table.filter(pc.is_in(table.column("split"), pa.array(config.splits))) if config.splits else table


def _tables_of_pairs(pairs: Path, columns: list[str] | None = None) -> Iterator[pa.Table]:
    paths = open_artifact(pairs).part_paths
    schema = pa.schema([PAIRS.field(name) for name in columns or PAIRS.names])
    for part in artifact_parts_of(paths, columns or column_names(paths[0])).parts:
        yield check_columns(read_part(part, columns), schema, str(pairs))


def _tables_of_asked_rows(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Yield the rows of tables in tables of `ROWS` rows; the last has less, and is there if it has none."""
    waiting: list[pa.Table] = []
    for table in tables:
        waiting = [pa.concat_tables([*waiting, table], promote_options="permissive")]
        while waiting[0].num_rows > ROWS:
            yield waiting[0].slice(0, ROWS)
            waiting = [waiting[0].slice(ROWS)]
    yield from waiting


def _with_given(run: StageRun, pairs: Path, chosen: Flow, config: Config) -> Flow:
    """Return the accepted texts of the pairs, each beside its pair or the way back; those of a pair come together."""
    assert config.given is not None
    open_artifact(config.given, stage=TEXTS)
    texts = run.read(config.given, [*_GIVEN, "pair_id", "status"])
    texts = texts.then(Step(name="accepted", run=_accepted_texts, is_counted=False, makes_rows=True))
    about: Any = {"key": ByColumn("pair_id"), "is_counted": False, "makes_rows": True}
    rows = run.meet([texts, chosen], KeyedStep(name="given", run=_beside_pairs, **about))
    if prompt_of(config).task == "reverse":
        mined = run.read(pairs, ["pair_id"])
        rows = rows.then(Step(name="swapped", run=_swapped_sides, is_counted=False))
        rows = run.meet([rows, mined], KeyedStep(name="mined", run=_with_mined, **about))
    most = SEEDS // (SEEDS_PER_TEXT * config.num_texts)
    placed = KeyedStep(name="placed", run=_placed_texts, config=(most, str(config.given)), key=ByColumn("pair_id"),
                       is_counted=False, bucket_values=ROWS)  # fmt: skip
    return run.rested(rows.then(placed))


def _accepted_texts(config: None, texts: pa.Table) -> pa.Table:
    is_accepted = pc.and_(pc.equal(texts.column("status"), "ok"), pc.is_valid(texts.column("modification")))
    texts = texts.filter(is_accepted).drop_columns(["status"])
    return texts.rename_columns([_GIVEN.get(name, name) for name in texts.column_names])


def _beside_pairs(config: None, bucket: pa.Table) -> pa.Table:
    """Return each text with its pair; texts of pairs that are not asked for go."""
    is_text = pc.is_valid(bucket.column("given_id"))
    texts, pairs = bucket.filter(is_text), bucket.filter(pc.invert(is_text))
    place = pc.index_in(texts.column("pair_id"), pairs.column("pair_id").combine_chunks())
    rows, texts = pairs.take(place.drop_null()), texts.filter(pc.is_valid(place))
    for name in _GIVEN.values():
        rows = with_column(rows, name, texts.column(name))
    return with_column(rows, "is_mined", pa.array([True] * rows.num_rows, pa.bool_()))


def _with_mined(config: None, bucket: pa.Table) -> pa.Table:
    is_row = pc.is_valid(bucket.column("given_id"))
    rows, mined = bucket.filter(is_row), bucket.filter(pc.invert(is_row))
    is_mined = pc.is_in(rows.column("pair_id"), mined.column("pair_id").combine_chunks())
    return with_column(rows, "is_mined", is_mined)


def _placed_texts(config: tuple[int, str], rows: pa.Table) -> pa.Table:
    most, where = config
    seen: Counter[str] = Counter()
    places = []
    for each in rows.column("pair_id").to_pylist():
        places.append(seen[each])
        seen[each] += 1
    if over := sorted(each for each, count in seen.items() if count > most):
        raise CvrError(f"{where}: more than {most} texts per pair, of pairs {first_few(over)}.")
    return with_column(rows, "place", pa.array(places, pa.int32()))


def _swapped_sides(config: None, rows: pa.Table) -> pa.Table:
    names = {
        name: _other_side_column(name) for name in rows.column_names if _other_side_column(name) in rows.column_names
    }
    swapped = pa.table({name: rows.column(names.get(name, name)) for name in rows.column_names})
    changes = [
        [{_other_side_column(name, _ENDS): value for name, value in change.items()} for change in row or ()]
        for row in rows.column("changes").to_pylist()
    ]
    columns = [swapped.column(f"{side}_{part}").to_pylist() for part in ("id", "caption") for side in _SIDES]
    ids = [pair_id(*row) for row in zip(*columns, strict=True)]
    swapped = with_column(swapped, rows.schema.field("changes"), changes)
    return with_column(swapped, PAIRS.field("pair_id"), ids)


def _other_side_column(name: str, sides: tuple[str, str] = _SIDES) -> str:
    for one, other in (sides, sides[::-1]):
        if name == one or name.startswith(f"{one}_"):
            return other + name[len(one) :]
    return name
