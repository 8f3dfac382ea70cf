"""Audits as plain text: a table of what composing gains, one of what time gains, and a line on leaks."""

from collections.abc import Mapping, Sequence
from typing import Any

from cvr_bench.audit.composition import LABELS, USUAL_K
from cvr_bench.audit.temporal import ALL
from cvr_bench.report.scores import BASELINES
from cvr_bench.results.text_table import result_text_table
from cvr_bench.scoring.intervals import Interval
from cvr_bench.scoring.measures import MEAN
from cvr_data.pages.stats_numbers import Linked

Audit = Mapping[str, Any]
"""What audit.json holds."""


def report_audits_table(audits: Sequence[Audit]) -> str:
    """Return the tables of the audited models; of baselines only where nothing else was audited, and none of none."""
    if not audits:
        return ""
    shown = [audit for audit in audits if audit["model"] not in BASELINES] or list(audits)
    return "\n\n".join(
        part for part in (_composition(shown), _temporal(shown), "\n".join(report_leak_lines(shown))) if part
    )


def report_leak_lines(audits: Sequence[Audit]) -> list[str]:
    """Return what train and scored split share, one line for all models that learned from the same."""
    found: dict[str, list[str]] = {}
    for audit in audits:
        if audit.get("leaks"):
            found.setdefault(report_leak_table(audit["leaks"]), []).append(audit["model"] or audit["data"])
    lines = [f"Leaks, train to test ({', '.join(models)}): {line}" for line, models in found.items()]
    generators = {seen["generator"]: seen for audit in audits for seen in audit.get("generators", ())}
    return lines + [
        f"Leak: the generator {name}, which wrote the texts, was trained on {seen['videos']} of the scored videos and "
        f"{seen['queries']} of the queries."
        for name, seen in generators.items()
    ]


def report_leak_table(leaks: Mapping[str, Any]) -> str:
    """Return how many videos and texts are shared."""
    return "".join(words for words, _ in linked_leak_table(leaks, {}))


def linked_leak_table(leaks: Mapping[str, Any], links: Mapping[str, str]) -> Linked:
    """Return the same in pieces, numbers with the anchors behind them: `videos`, `about`, `queries`, `captions`, ..."""
    videos, captions, modifications = (leaks[name] for name in ("videos", "captions", "modifications"))
    verdict: Linked = [(f"none of {videos['test']} videos has a near-duplicate in train", "")]
    if leaks["leaking"]:
        about, queries = leaks["queries"]["about_leaked_videos"], leaks["queries"]["all"]
        verdict = [
            (f"{videos['leaked']}", links.get("videos", "")),
            (f" of {videos['test']} videos have a near-duplicate in train, and ", ""),
            (f"{about}", links.get("about", "")), (" of ", ""), (f"{queries}", links.get("queries", "")),
            (" queries are about these", ""),
        ]  # fmt: skip
    others = {
        "val": "are like one of val, which chose the checkpoint",
        "gallery": "of the gallery are like one of train",
    }
    for name, said in others.items():
        if (found := leaks.get(name)) and found["leaked"] and (name == "val" or not leaks["leaking"]):
            verdict.append((f"; {found['leaked']} of {found['test']} {said}", ""))
    return [
        *verdict, ("; ", ""), (f"{captions['leaked']}", links.get("captions", "")),
        (f" of {captions['test']} captions and ", ""), (f"{modifications['leaked']}", links.get("modifications", "")),
        (f" of {modifications['test']} modification texts are like one of train.", ""),
    ]  # fmt: skip


def reported_interval(found: Mapping[str, Any]) -> Interval:
    """Return the interval of a gap."""
    return Interval(found["value"], found["low"], found["high"])


def report_best_audit(composition: Audit, modality: str) -> tuple[str, float]:
    """Return how the better one of a modality was made and its mean recall; an empty name where there is none."""
    found = [
        (name.partition("(")[2].rstrip(")"), recalls[MEAN])
        for name, recalls in composition["recalls"].items()
        if name.startswith(modality)
    ]
    return max(found, key=lambda pair: pair[1], default=("", 0.0))


def reported_common_k(audits: Sequence[Audit]) -> int:
    """Return the K that the labels of several audits go by: their own where it is one, else the usual one."""
    found = {audit["composition"]["k"] for audit in audits}
    return found.pop() if len(found) == 1 else USUAL_K


def _composition(audits: Sequence[Audit]) -> str:
    audits = [audit for audit in audits if "gap" in audit["composition"]]
    if not audits:
        return ""
    k = reported_common_k(audits)
    metric, kinds = f"R@{audits[0]['ks'][0]}", reported_modalities(audits)
    at = [(label, one) for one in sorted({1, k}) for label in LABELS]
    rows = [["composition", "mean", *(kind.replace("-", " ") for kind in kinds), f"gap {metric}", "gap mean"]]
    rows[0] += [f"{label.replace('_', ' ')} @{one}" for label, one in at]
    for audit in audits:
        part = audit["composition"]
        best = [report_best_audit(part, kind) for kind in kinds]
        unimodal = [f"{value:.2f} {how}" if how else "-" for how, value in best]
        gaps = [reported_interval(part["gap"][name]).text("+.2f") for name in (metric, MEAN)]
        counts = [_label_shares(part["labels_at"].get(str(one)), label, audit["queries"]) for label, one in at]
        rows.append(
            [audit.get("name", audit["model"]), f"{part['recalls']['composed'][MEAN]:.2f}", *unimodal, *gaps, *counts]
        )
    chance = next((audit for audit in audits if "chance_at" in audit["composition"]), None)
    if chance is not None:
        found = chance["composition"]["chance_at"]
        counts = [_label_shares(found.get(str(one)), label, chance["queries"]) for label, one in at]
        rows.append(["(by chance)", "", *[""] * len(kinds), "", "", *counts])
    pool = next((audit["composition"]["pool"] for audit in audits if "pool" in audit["composition"]), None)
    told = [f"Shortcut: found by one of {', '.join(pool)}, for every model the same."] if pool else []
    return "\n".join([result_text_table(rows), *told])


def reported_modalities(audits: Sequence[Audit]) -> list[str]:
    """Return the single inputs that a table has columns for; descriptions only where there are any."""
    names = {name.partition(" ")[0] for audit in audits for name in audit["composition"]["recalls"]}
    return [name for name in ("text-only", "visual-only", "description-only") if name in names or "desc" not in name]


def _label_shares(counts: Mapping[str, float] | None, label: str, whole: int) -> str:
    return "-" if counts is None else f"{counts[label]:.0f} ({100 * counts[label] / whole:.0f} %)"


def _temporal(audits: Sequence[Audit]) -> str:
    names = list(audits[0]["temporal"]["recalls"])
    rows = [["time", *(f"mean, {name}" if name == ALL else name for name in names), "temporal gap", "frames"]]
    for audit in audits:
        part = audit["temporal"]
        recalls = [f"{part['recalls'][name][MEAN]:.2f}" for name in names]
        frames = " to ".join(map(str, sorted(set(part["frames"].values())))) or "-"
        rows.append(
            [audit.get("name", audit["model"]), *recalls, reported_interval(part["gap"][MEAN]).text("+.2f"), frames]
        )
    return result_text_table(rows)
