"""How well real captions are understood: changes, concepts, filters, lint and answers, on sets that people labelled.

    python speed/real_captions.py                  # ../shared/gold, answers from ../shared/cases; what is wrong, too
    python speed/real_captions.py FOLDER --json    # files of the same names; one object of shares
    python speed/real_captions.py --frames-by vllm -o model=FOLDER -o form=chat       # a model's frames, beside rules

Of items that two readers labelled, those count on which both agree. Every share stands with how many items it is of, a
95 % interval (Wilson) and its target; `today` is what the version before frames had. The texts of WebVid-CoVR's people
are read from $CVR_DATA (../shared/data) where FOLDER has no file of their name.
"""

import argparse
import csv
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import sqrt
from pathlib import Path
from typing import Any

import pyarrow as pa

from cvr_data.core.model_packages import cache_folder
from cvr_data.features.similarities import text_similarities
from cvr_data.filters import FILTERS
from cvr_data.language.changes import Change, word_changes_between
from cvr_data.language.frames import Frame
from cvr_data.language.normalise import normalised
from cvr_data.modifications import framing
from cvr_data.modifications.asking.parse import parse_answer
from cvr_data.modifications.framing import FrameWriter
from cvr_data.modifications.generator import draft_lint_reasons
from cvr_data.modifications.prompts import load_prompt
from cvr_data.pairs.frames_by import read_mining_frames
from cvr_data.tables import CHANGE
from tests.caption_concepts import Concepts, concepts_of

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
DATA = Path(os.environ.get("CVR_DATA", SHARED / "data"))
HUMAN = "webvid8m-covr_test.half.csv"
WORST = 20
FILTERS_OF_ONE = ("min-words", "max-words", "digits", "invisible-change", "text-similarity")
"""The default filters that judge a pair by itself."""
ANSWER_SCHEMA = {
    "type": "object",
    "properties": {"modification": {"type": "string", "minLength": 1}},
    "required": ["modification"],
}

Row = Mapping[str, Any]


@dataclass
class Share:
    """How many of some items are as they should be, and those that are not."""

    hits: int = 0
    of: int = 0
    wrong: list[str] = field(default_factory=list)

    def add(self, is_hit: bool, said: str, *, shows: bool | None = None) -> None:
        """Count one item; it is shown where it was no hit, or where `shows` says so."""
        self.hits += is_hit
        self.of += 1
        if not is_hit if shows is None else shows:
            self.wrong.append(said)

    @property
    def value(self) -> float | None:
        return self.hits / self.of if self.of else None

    def interval(self) -> tuple[float, float]:
        """Return Wilson's 95 % interval of the share."""
        z, n = 1.959964, self.of
        middle = (self.hits + z * z / 2) / (n + z * z)
        half = z * sqrt(self.hits * (n - self.hits) / n + z * z / 4) / (n + z * z)
        return middle - half, middle + half


TARGETS = {
    "slot_webvid": (">=", 0.93, 0.81), "kind_webvid": (">=", 0.97, 0.94), "slot_mined": (">=", 0.88, 0.78),
    "kind_mined": (">=", 0.95, 0.90), "objects_recall": (">=", 0.90, 0.74), "objects_precision": (">=", 0.88, 0.72),
    "scenes_recall": (">=", 0.85, 0.66), "scenes_precision": (">=", 0.75, 0.30),
    "actions_recall": (">=", 0.85, 0.74), "actions_precision": (">=", 0.85, 0.76),
    "attributes_recall": (">=", 0.85, 0.93), "attributes_precision": (">=", 0.80, 0.42),
    "webvid_good_kept": (">=", 0.95, None), "mined_good_kept": (">=", 0.90, None),
    "mined_bad_dropped": (">=", 0.75, None), "right_texts_rejected": ("<=", 0.10, 0.39),
    "wrong_texts_accepted": ("<=", 0.10, 0.61), "answers_right": (">=", 1.0, None),
    "human_texts_pass": (">=", 0.90, 0.72), "shuffled_pass": ("<=", 0.03, None), "way_back_pass": ("<=", 0.05, None),
}  # fmt: skip
"""Key -> how the share should stand to its target, the target, and the share before frames where it is known."""


def rows_of(path: Path) -> list[Row]:
    """Return the rows of a file of JSON lines; none of an absent one."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def lines_of(path: Path) -> list[Row]:
    """Return the rows of a CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def frames_of(texts: Iterable[str], by: FrameWriter | None = None) -> dict[str, Frame]:
    """Return the frame of each distinct text: by rules, or those that a model wrote."""
    return {text: frame for text, frame in read_mining_frames(texts, by) if frame is not None}


def measure_pairs(rows: Sequence[Row], name: str, by: FrameWriter | None = None) -> dict[str, Share]:
    """Return how many changes have the slot and kind that both readers say, and what the filters keep of the pairs."""
    frames = frames_of((row[side] for row in rows for side in ("reference", "target")), by)
    sides = [[frames.get(row[side]) for side in ("reference", "target")] for row in rows]
    found = [word_changes_between(*pair) if None not in pair else [] for pair in sides]  # type: ignore[arg-type]
    shares = {f"slot_{name}": Share(), f"kind_{name}": Share()}
    for row, changes in zip(rows, found, strict=True):
        slot, other = row["slot"]
        if slot == other:
            change = change_over(changes, row)
            ours = change.slot if change else "nothing"
            said = f"{slot}, not {ours}: {said_of(row)}"
            shares[f"slot_{name}"].add(ours == slot, said)
            shares[f"kind_{name}"].add(change is not None and (ours == "action") == (slot == "action"), said)
    return shares | measure_filters(rows, found, name)


def change_over(changes: Sequence[Change], row: Row) -> Change | None:
    """Return the change that shares most words with those that the readers saw; None if none does."""
    sides = [set(side.split()) for side in normalised(pa.array([row["before"], row["after"]])).to_pylist()]

    def shared(change: Change) -> int:
        return sum(
            len(side & set(words.split())) for side, words in zip(sides, (change.before, change.after), strict=True)
        )

    best = max(changes, key=shared, default=None)
    return best if best is not None and shared(best) else None


def measure_filters(rows: Sequence[Row], found: Sequence[Sequence[Change]], name: str) -> dict[str, Share]:
    """Return what the default filters do to the pairs that both readers call good, and to those both call bad."""
    shares = {f"{name}_good_kept": Share()} | ({} if name == "webvid" else {f"{name}_bad_dropped": Share()})
    for row, reason in zip(rows, reasons_of(rows, found), strict=True):
        if row["good"] == [2, 2]:
            shares[f"{name}_good_kept"].add(reason is None, f"{reason}: {said_of(row)}")
        elif row["good"] == [0, 0] and name != "webvid":
            shares[f"{name}_bad_dropped"].add(reason is not None, said_of(row))
    return shares


def reasons_of(rows: Sequence[Row], found: Sequence[Sequence[Change]]) -> list[str | None]:
    """Return why the default filters that judge a pair by itself drop each pair; None where they do not."""
    if not rows:
        return []
    changes = [[{"kind": None, "slot": None, "before": row["before"], "after": row["after"]}] for row in rows]
    columns = {f"{side}_caption": pa.array([row[side] for row in rows]) for side in ("reference", "target")}
    why = [[None if change.verdict == "change" else change.reason for change in one] for one in found]
    columns["change_reasons"] = pa.array(why, pa.list_(pa.string()))
    table = pa.table({**columns, "changes": pa.array(changes, pa.list_(CHANGE))})
    table = table.append_column("text_similarity", text_similarities(table, None))
    for name in FILTERS_OF_ONE:
        table = FILTERS.get(name).run(FILTERS.config(name, {}), table)
    return table.column("drop_reason").to_pylist()


def said_of(row: Row) -> str:
    return f"{row['before']!r} -> {row['after']!r} | {row['reference']} | {row['target']}"


NOTHING = Concepts((), (), (), ())
"""Of a caption of which a model told no frame."""
HEAD: dict[str, Callable[[Any], str]] = {
    "objects": lambda name: name.split()[-1], "scenes": lambda name: name.split()[-1],
    "actions": lambda name: name.split()[0], "attributes": lambda pair: pair[0],
}  # fmt: skip


def measure_concepts(rows: Sequence[Row], by: FrameWriter | None = None) -> dict[str, Share]:
    """Return recall of the concepts that both readers name, and precision against those that either names, by head."""
    frames = frames_of((row["caption"] for row in rows), by)
    shares = {f"{kind}_{what}": Share() for kind in HEAD for what in ("recall", "precision")}
    for row in rows:
        ours = concepts_of(frames[row["caption"]]) if row["caption"] in frames else NOTHING
        for kind, head in HEAD.items():
            found = {head(concept) for concept in getattr(ours, kind)}
            one, other = ({head(concept) for concept in reading[kind]} for reading in row["readings"])
            for concept in sorted(one & other):
                shares[f"{kind}_recall"].add(concept in found, f"{concept}: {row['caption']}")
            for concept in sorted(found):
                shares[f"{kind}_precision"].add(concept in one | other, f"{concept}: {row['caption']}")
    return shares


def lint_reasons_of(rows: Sequence[Row]) -> list[str]:
    """Return the reasons of lint against each text, joined; empty of one that passes."""
    columns = {
        "modification": pa.array([row["text"] for row in rows], pa.string()),
        "style": pa.array([row["style"] for row in rows], pa.string()),
        "changes": pa.array([[{name: row[name] for name in CHANGE.names}] for row in rows], pa.list_(CHANGE)),
        **{f"{side}_caption": pa.array([row[side] for row in rows], pa.string()) for side in ("reference", "target")},
        **{f"{side}_description": pa.nulls(len(rows), pa.string()) for side in ("reference", "target")},
    }
    table = pa.table(columns)
    reasons = [""] * len(rows)
    for style in sorted({row["style"] for row in rows}):
        places = [place for place, row in enumerate(rows) if row["style"] == style]
        for place, found in zip(places, draft_lint_reasons(table.take(places), load_prompt(style).lint), strict=True):
            reasons[place] = ", ".join(found)
    return reasons


def measure_texts(rows: Sequence[Row]) -> dict[str, Share]:
    """Return how many right texts lint rejects, and how many wrong ones it accepts."""
    shares = {"right_texts_rejected": Share(), "wrong_texts_accepted": Share()}
    for row, reasons in zip(rows, lint_reasons_of(rows) if rows else [], strict=True):
        said = f"{row['text']!r}, {row['before']!r} -> {row['after']!r} | {row['reference']} {reasons}"
        is_hit = bool(reasons) if row["right"] else not reasons
        shares["right_texts_rejected" if row["right"] else "wrong_texts_accepted"].add(is_hit, said, shows=is_hit)
    return shares


def measure_human(path: Path) -> dict[str, Share]:
    """Return how many texts that people wrote pass lint, and how many for another pair, or the way back, do."""
    names = ("human_texts_pass", "shuffled_pass", "way_back_pass")
    shares = {name: Share() for name in names}
    if not path.exists():
        return shares
    pairs = [(line["txt1"], line["txt2"], line["edit"]) for line in lines_of(path)]
    texts = [text for *_, text in pairs]
    moved = texts[len(texts) // 2 :] + texts[: len(texts) // 2]
    cases = (
        pairs,
        [(reference, target, text) for (reference, target, _), text in zip(pairs, moved, strict=True)],
        [(target, reference, text) for reference, target, text in pairs],
    )
    for name, triples in zip(names, cases, strict=True):
        rows = human_rows(triples)
        for row, reasons in zip(rows, lint_reasons_of(rows), strict=True):
            is_shown = bool(reasons) if name == names[0] else not reasons
            shares[name].add(
                not reasons, f"{row['text']!r} | {row['reference']} | {row['target']} {reasons}", shows=is_shown
            )
    return shares


def human_rows(triples: Sequence[tuple[str, str, str]]) -> list[Row]:
    """Return what lint reads of texts for pairs of captions: the change that counts most is the one to be said."""
    frames = frames_of(caption for reference, target, _ in triples for caption in (reference, target))
    rows: list[Row] = []
    for reference, target, text in triples:
        found = word_changes_between(frames[reference], frames[target])
        change = next((one for one in found if one.verdict == "change"), found[0] if found else None)
        said = {name: getattr(change, name) if change else "" for name in CHANGE.names}
        rows.append({"style": "short", "reference": reference, "target": target, "text": text, **said})
    return rows


def storable(text: str) -> str:
    """Return a text without halves of surrogate pairs, which no table can hold."""
    return text.encode("utf-8", "replace").decode()


def measure_answers(rows: Sequence[Row]) -> dict[str, Share]:
    """Return how many raw answers of models become the text they hold, or nothing where they hold none."""
    share = Share()
    texts = [parse_answer(row["raw"], schema=ANSWER_SCHEMA if row["form"] == "json" else None) for row in rows]
    asked = [
        {**row, "style": "short", "kind": "static", "slot": "object", "text": storable(text or "")}
        for row, text in zip(rows, texts, strict=True)
    ]
    for row, text, reasons in zip(rows, texts, lint_reasons_of(asked) if rows else [], strict=True):
        is_right = bool(reasons) or text is None if row["text"] is None else text == row["text"]
        share.add(is_right, f"{row['text']!r}, not {text!r} ({row['reason']}): {row['raw']!r}"[:300])
    return {"answers_right": share}


def measure_frames(folder: Path, by: FrameWriter | None = None) -> dict[str, Share]:
    """Return the figures that frames decide."""
    shares: dict[str, Share] = {}
    for name in ("webvid", "mined"):
        shares |= measure_pairs(rows_of(folder / f"{name}_pairs.jsonl"), name, by)
    return shares | measure_concepts(rows_of(folder / "captions.jsonl"), by)


def measure(folder: Path) -> dict[str, Share]:
    """Return every figure of a folder; of an absent file those of no item."""
    answers, human = folder / "llm_answers.jsonl", folder / HUMAN
    shares = measure_frames(folder)
    shares |= measure_texts(rows_of(folder / "edit_texts.jsonl"))
    shares |= measure_answers(rows_of(answers if answers.exists() else SHARED / "cases" / answers.name))
    return shares | measure_human(human if human.exists() else DATA / "webvid_covr" / HUMAN)


def print_share(name: str, share: Share) -> None:
    sign, target, before = TARGETS[name]
    today = f"{before:.2f}" if before is not None else "   -"
    if share.value is None:
        print(f"{name:<22} {'-':>6}   no items{'':23} target {sign} {target:.2f}   before {today}")
        return
    low, high = share.interval()
    is_met = share.value >= target if sign == ">=" else share.value <= target
    mark = "" if is_met else "   MISSED"
    print(f"{name:<22} {share.value:6.3f}   {share.hits:5d} of {share.of:5d} [{low:.3f}, {high:.3f}]   "
          f"target {sign} {target:.2f}   before {today}{mark}")  # fmt: skip


def compare(options: argparse.Namespace) -> None:
    """Print the figures that frames decide: of the rules, and of a model's frames."""
    config = framing.Config(backend=options.frames_by, options=tuple(options.options))
    chosen = framing.FramesBy.of(config, options.cache or cache_folder() / "requests.sqlite")
    writer = framing.FrameWriter(config, chosen.engine.asker())
    found = {"rules": measure_frames(options.folder), options.frames_by: measure_frames(options.folder, writer)}
    if options.json:
        values = {by: {name: share.value for name, share in shares.items()} for by, shares in found.items()}
        print(json.dumps(values, indent=2, sort_keys=True))
        return
    for name in found["rules"]:
        for by, shares in found.items():
            print(f"{by:<14}", end="")
            print_share(name, shares[name])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=SHARED / "gold")
    parser.add_argument("--json", action="store_true", help="print one object of shares, null where a file is absent")
    parser.add_argument("--frames-by", metavar="LLM", help="a backend that reads the captions, beside the rules")
    parser.add_argument("-o", dest="options", action="append", default=[], metavar="KEY=VALUE", help="an option of it")
    parser.add_argument("--cache", type=Path, help="request cache  [default: cvr's]")
    options = parser.parse_args()
    if options.frames_by:
        compare(options)
        return
    shares = measure(options.folder)
    if options.json:
        print(json.dumps({name: shares[name].value for name in TARGETS}, indent=2, sort_keys=True))
        return
    for name in TARGETS:
        print_share(name, shares[name])
    for name in TARGETS:
        if shares[name].wrong:
            print(f"\n{name}: {len(shares[name].wrong)} wrong")
        for said in shares[name].wrong[:WORST]:
            print(f"  {said}")


if __name__ == "__main__":
    main()
