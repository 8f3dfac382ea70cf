"""Captions as they were parsed, kept on this machine, so that no stage or command parses what another has.

    for sentence in parsed(["A dog runs on sand.", "rain"]):      # in order; only what is new goes through spaCy
        ...

What is kept is `core.kept_rows`, some 450 bytes a caption; the name of the folder says what parses: the released model,
spaCy's version, the lexicon, and what `parse` imports of this folder.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from cvr_data.core.kept_rows import KeptRows
from cvr_data.core.model_packages import MODEL_PACKAGES
from cvr_data.language.parse import PARSED, Sentence, parse_sentences, sentences

AT_ONCE = 8192
"""Texts that are parsed before they are written: what a run that is killed may lose."""
_IMPORTED = re.compile(r"^from cvr_data\.language\.(\w+) import", re.MULTILINE)


def parsed(texts: Sequence[str]) -> Iterator[Sentence]:
    """Yield each text parsed, in order; each distinct one is parsed once, in whatever process and stage that was."""
    for start in range(0, len(texts), AT_ONCE):
        some = pa.array(texts[start : start + AT_ONCE], pa.string())
        distinct = pc.unique(some).sort()
        kept = _kept()
        found = kept.found(distinct)
        new = distinct.filter(pc.invert(pc.is_in(distinct, found.column("text").combine_chunks())))
        if len(new):
            made = parse_sentences(new.to_pylist())
            kept.keep(made)
            found = pa.concat_tables([found, made])
        yield from sentences(found.take(pc.index_in(some, found.column("text").combine_chunks())))


def _kept() -> KeptRows:
    return KeptRows("parsed", _parser(), PARSED, _check, "Parsed captions")


@cache
def _parser() -> str:
    """Name what parses: whatever changes how a text is parsed gives another name."""
    model, home = MODEL_PACKAGES["spacy"], Path(__file__).parent
    about = hashlib.sha256(f"spacy {version('spacy')} {model.content_sha256}".encode())
    code, waiting = {}, ["parse"]
    while waiting:
        name = waiting.pop()
        code[name] = (home / f"{name}.py").read_text("utf-8")
        waiting += {*_IMPORTED.findall(code[name])} - code.keys()
    for name in sorted(code):
        about.update(code[name].encode())
    for path in sorted(home.glob("wordnet/*.parquet")):
        about.update(path.read_bytes())
    return f"{model.distribution}-{model.version}-{about.hexdigest()[:16]}"


def _check(table: pa.Table) -> None:
    words = pc.list_value_length(table.column("words"))
    lists = [table.column(name) for name in PARSED.names[2:]]
    is_whole = all(pc.list_value_length(column).equals(words) for column in lists)
    heads = table.column("heads").combine_chunks()
    most = words.take(pc.list_parent_indices(heads)).to_numpy()
    if not is_whole or ((heads.flatten().to_numpy() < 0) | (heads.flatten().to_numpy() >= most)).any():
        raise pa.ArrowInvalid("words and heads do not agree")
