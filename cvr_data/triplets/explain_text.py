"""Why a text was rejected: a line for each of its reasons, with the values that decided; only files are read.

What lint says is found again on the stored row and its pair, with the options in the manifest; lint that has changed
since may say something else, and then that is told. Of what an engine answered, the raw answer is all that is stored.
A prompt of one's own is not stored: lint runs as for one that asks for any change and shows no descriptions.
"""

from cvr_data.core.artifacts import Artifact, open_artifact
from cvr_data.core.errors import CvrError
from cvr_data.core.found_rows import KEPT, Row, check_written, row_named, rows_with
from cvr_data.core.lineage import input_names
from cvr_data.filters import FILTERS, ExplainsDrops
from cvr_data.modifications.asked import wants_descriptions
from cvr_data.modifications.draft import Draft, draft_lint_table
from cvr_data.modifications.generator import draft_lint_columns
from cvr_data.modifications.prompts import load_prompt, prompt_names
from cvr_data.pairs.why_not import why_not_pair_lines
from cvr_data.tables import MODIFICATIONS, PAIRS, VIDEOS

_SCHEMAS = {"pairs": PAIRS, "modifications": MODIFICATIONS, "videos": VIDEOS}
_ANSWERS = {
    "refusal": "the model would not write one",
    "truncated": "the answer ended before its text did",
    "no_sentence": "the answer is a note with an arrow, no sentence",
    "unparsable": "the answer holds no JSON object of the prompt's schema",
    "pair_not_mined": "the way back of this pair was not mined, so that no triplet could be built",
    "no_change": "the pair names no change to ask for",
    "no_true_change": "both clips show the same",
}
"""What reasons mean that come with no value, but for the answer that the row holds as `raw`."""
_SCORES = {
    "low_cycle_gain": ("cycle_gain", "at least", "min_gain"),
    "low_cycle_score": ("cycle_score", "at least", "min_score"),
    "text_finds_target": ("text_score", "at most", "max_text_score"),
}


def triplet_text_story(artifact: Artifact, modification_id: str) -> list[str]:
    """Return the lines that tell how a text, accepted or not, came to be; its id may be cut while it is unique.

    Raises:
        CvrError: no such text, or several ids begin so.
    """
    row = row_named(artifact, "modification_id", modification_id)
    check_written(artifact, MODIFICATIONS)
    title = f"text {row['modification_id']}: {', '.join([row['status'], *row['reasons']])}"
    return [title, f"  modification  {row['modification'] or ''}".rstrip(), *triplet_text_lines(artifact, row)]


def triplet_text_lines(artifact: Artifact, row: Row) -> list[str]:
    """Return what is stored of a text, a line for each reason that it was rejected for, and its pair."""
    attempts = f", {row['attempts']} attempts" if row.get("attempts") else ""
    made = f"{row['style']} by {row['backend']} ({row['model']}), seed {row['seed']}{attempts}"
    lines = [f"  text          {made}: {', '.join([row['status'], *row['reasons']])}"]
    lines += [f"  prompt        {line}" for line in (row["prompt"] or "").splitlines() if line.strip()]
    lines += [f"  raw           {row['raw']!r}"] if row["raw"] else []
    found = triplet_input_row(artifact, "pairs", "pair_id", row["pair_id"])
    lines += [f"  why           {said}" for said in _reasons(artifact, row, found)]
    return [*lines, f"  from          {artifact.path}: {artifact.manifest['command']}", *triplet_pair_lines(row, found)]


def triplet_pair_lines(row: Row, found: tuple[Artifact, Row] | None) -> list[str]:
    """Return what is stored of the pair of a text or triplet, and the filters that it passed."""
    if found is None:
        return [f"  pair          {row['pair_id']}; no table of pairs that is here has it"]
    source, pair = found
    passed = ", ".join(step["step"] for step in source.manifest.get("funnel", [])[1:]) or "none recorded"
    return [
        f"  pair          {pair['pair_id']} by {pair['strategy']}: {why_not_pair_lines(pair)}",
        f"  videos        {pair['reference_id']} -> {pair['target_id']}",
        f"  passed        {passed}",
        f"  from          {source.path}: {source.manifest['command']}",
    ]


def triplet_input_row(artifact: Artifact, kind: str, column: str, value: str | None) -> tuple[Artifact, Row] | None:
    """Return the row in the inputs of that kind and where it lies; None if they are not on this machine.

    Raises:
        CvrError: a table lacks the column.
    """
    for name in input_names(artifact, kind) if value is not None else ():
        try:
            source = open_artifact(artifact.input_path(name))
        except CvrError:  # moved or made again since: what the row itself says is still true
            continue
        check_written(source, _SCHEMAS[kind])
        if rows := rows_with(source, KEPT, {column: [str(value)]}):
            return source, rows[0]
    return None


def _reasons(artifact: Artifact, row: Row, found: tuple[Artifact, Row] | None) -> list[str]:
    """Return a line for each reason of a text."""
    if row["status"] == "error":
        return [f"the engine gave no answer ({', '.join(row['reasons'])}): the same command asks for it again"]
    pair = found[1] if found else None
    wrote = _writer(artifact)
    linted = _linted(wrote, row, *found) if found and row["reasons"] and row["modification"] is not None else {}
    return [f"{reason}: {linted.get(reason) or _said(artifact, row, pair, reason)}" for reason in row["reasons"]]


def _writer(artifact: Artifact) -> Artifact:
    """Return what wrote the texts: lint ran there, and not where they were scored."""
    for name in input_names(artifact, "modifications"):
        try:
            return _writer(open_artifact(artifact.input_path(name)))
        except CvrError:
            break
    return artifact


def _linted(artifact: Artifact, row: Row, pairs: Artifact, pair: Row) -> dict[str, str]:
    """Return reason -> what its lint says of the text today."""
    config = artifact.manifest["config"]
    prompt = load_prompt(config["prompt"]) if config.get("prompt") in prompt_names() else None
    if prompt is not None and wants_descriptions(prompt):
        pair = _with_descriptions(artifact, pairs, pair)
    draft = Draft(pair=pair, change=None, style=row["style"], text=row["modification"])
    checks = config.get("lint") or {}
    table = draft_lint_columns(draft_lint_table([draft], prompt.changes if prompt else "any"), checks)
    told: dict[str, str] = {}
    for name, options in checks.items():
        module, chosen = FILTERS.get(name), FILTERS.config(name, options or {})
        reason = module.run(chosen, table).column("drop_reason")[0].as_py()
        if reason is not None and isinstance(module, ExplainsDrops):
            told.setdefault(reason, f"{module.explain(chosen, table.to_pylist()[0])} ({name})")
    return told


def _with_descriptions(artifact: Artifact, pairs: Artifact, pair: Row) -> Row:
    """Return the pair with the descriptions of its videos, where they have some."""
    described = {}
    for side in ("reference", "target"):
        found = triplet_input_row(artifact, "videos", "video_id", pair[f"{side}_id"])
        found = found or triplet_input_row(pairs, "videos", "video_id", pair[f"{side}_id"])
        described[f"{side}_description"] = found[1].get("description") if found else None
    return {**pair, **described}


def _said(artifact: Artifact, row: Row, pair: Row | None, reason: str) -> str:
    """Return what a reason means that lint does not give."""
    if reason in _SCORES:
        score, least, option = _SCORES[reason]
        return f"{score} {row[score]:.3f}, {least} {artifact.manifest['config'][option]}"
    if reason.startswith("judged_"):
        return f"the judge says {row.get('judge_verdict')} ({row.get('judge_reason') or 'without a word'})"
    if reason.startswith("unsayable_"):
        return f"the rules have no sentence for such a change ({reason.removeprefix('unsayable_').replace('_', ' ')})"
    if reason == "duplicate":
        return _same_words(artifact, row)
    if reason in ("no_static_change", "no_action_change") and pair is not None:
        changes = ", ".join(f"{change['before']} -> {change['after']} ({change['kind']})" for change in pair["changes"])
        return f"the changes of the pair are {changes or 'none'}"
    if reason in _ANSWERS:
        return _ANSWERS[reason]
    return "its pair is not here" if pair is None else "lint as it is now does not say so on what is stored"


def _same_words(artifact: Artifact, row: Row) -> str:
    others = rows_with(artifact, KEPT, {"pair_id": [row["pair_id"]]})
    accepted = [other["modification_id"] for other in others if other["status"] == "ok"]
    if not accepted:
        return "it has the words of the text that it was asked about"
    return f"another text of the pair has these words ({', '.join(accepted[:3])})"
