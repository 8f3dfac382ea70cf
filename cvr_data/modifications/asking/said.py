"""What a model meant to say: an answer without thoughts, special tokens, fences, preambles, list marks and quotes."""

import re
from typing import Any

from cvr_data.language.words import clean_text

_RUN = re.compile(r"(\s)\s{15,}")
"""More white space than any answer needs."""
_UNSTORABLE = re.compile(r"[\ud800-\udfff\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
"""Halves of surrogate pairs, NUL and its like: no table can hold the first, no reader shows the rest."""
_THOUGHT = r"think(?:ing)?|thoughts?|reason(?:ing)?|reflection|analysis|scratchpad"
_OPEN = rf"(?:<(?:{_THOUGHT})\b[^<>]*>|\[THINK\]|\u25c1think\u25b7)"
_CLOSE = rf"(?:</(?:{_THOUGHT})\s*>|\[/THINK\]|\u25c1/think\u25b7)"
_THOUGHTS = re.compile(rf"{_OPEN}.*?{_CLOSE}", re.S | re.I)
_ENDS = re.compile(_CLOSE, re.I)
_UP_TO_CLOSE, _FROM_OPEN = re.compile(rf"\A.*{_CLOSE}", re.S | re.I), re.compile(rf"{_OPEN}.*", re.S | re.I)
_FINAL = re.compile(r"\A.*<\|channel\|>\s*final\b.*?<\|message\|>", re.S)
_OTHER_CHANNEL = re.compile(r"<\|channel\|>\s*(?:analysis|commentary)\b.*?(?:<\|end\|>|\Z)", re.S)
_ANSWER = re.compile(r"<(answer|output|final|response|result)>(.*?)(?:</\1>|\Z)", re.S | re.I)
_BAR = r"[|\uff5c]"
_TURN = re.compile(
    rf"<{_BAR}(?:im_end|eot_id|eom_id|end|return|endoftext|end_of_text|end[_\u2581]of[_\u2581]sentence)[^<>]*{_BAR}>"
    r"|</s>|<end_of_turn>|<eos>|<\|im_start\|>(?=user)|\[INST\]"
)
_SPECIAL = re.compile(rf"<{_BAR}[^<>\n]{{1,40}}?{_BAR}>|</?(?:s|bos|eos|pad|unk)>|<(?:start|end)_of_turn>|\[/?INST\]")

_FENCE = re.compile(r"^\s*(?:```|~~~)[\w-]*\s*$|^\s*```(?:text|plaintext|markdown)?\s+|\s*```\s*$", re.M)
_MARK = re.compile(
    r"^(?:[-+*#>\u2022\u2023\u25aa\u25cf\u25e6\u2219\u00b7\u2013\u2014\u2192]+\s+|[>\u2022\u25cf]+|#+\s"
    r"|[(\[]?\d{1,2}(?:[.)\]:]|\uff0e|\u3001)\s*(?=[^\W\d]|[\"'*`_\u201c\u2018\u00ab])|\(?[a-h]\)\s+)",
    re.I,
)
_THING = (
    r"(?:edit(?:ing)?|modif\w+|answer|output|text|result|instruction|response|caption|description|sentence|change)s?"
)
_LABEL = re.compile(
    rf"^(?:(?:(?:the|my|your|final|possible|suggested|short|edited|new|target)\s+){{0,3}}{_THING}(?:\s+text)?"
    rf"(?:\s+\d)?\s*[:\uff1a]|(?:the|my|your)\s+(?:\w+\s+){{0,3}}?{_THING}\b[^:\n]{{0,60}}?:)\s*",
    re.I,
)
_POLITE = re.compile(
    r"^(?:sure(?: thing)?|certainly|of course|okay|ok|absolutely|alright|all right|great|yes|got it|no problem"
    r"|happy to help|understood|gladly)\s*(?:[!,.:]+\s*|[-\u2013\u2014]+\s+|$)",
    re.I,
)
_HERE = re.compile(r"^(?:here(?:['\u2019]s|\s+is|\s+are|\s+you\s+go)|below\s+is|this\s+is)\b[^:\n]{0,120}:\s*", re.I)
_DOUBLES = re.compile(
    '["`*\u201c\u201d\u201e\u201f\u00ab\u00bb\u2039\u203a\u300c-\u300f\u301d-\u301f\uff02\uff62\uff63]'
)
_SINGLES = "'\u2018\u2019\u201a\u201b"
_AT_EDGE = re.compile(rf"(?<!\w)[{_SINGLES}]|[{_SINGLES}](?!\w)")

_REFUSAL = re.compile(
    r"^\W*(?:i(?:['\u2019]m| am)?,?\s+(?:\w+\s+)?(?:sorry|unable|apologi[sz]e)\b|(?:my\s+)?apologies\b|sorry\b"
    r"|i(?:['\u2019]m| am)\s+(?:just |only )?(?:not able|an ai|a (?:large )?language model)\b"
    r"|i\s+(?:can(?:no|['\u2019])?t|can not|could(?:n['\u2019]t| not)|won['\u2019]?t|will not|must decline"
    r"|do(?:n['\u2019]t| not)\s+(?:have|see|know))\b|unfortunately,?\s+(?:i|there|no|the|it)\b"
    r"|as an? (?:ai|\w*\s?language model)\b"
    r"|it(?:['\u2019]s| is)\s+(?:not possible|impossible)\b|there (?:is|are) no (?:image|frame|video|picture)s?\b"
    r"|no (?:image|frame|video|picture)s? (?:was|were|is|are|has|have)\b"
    r"|\u62b1\u6b49|\u5f88\u62b1\u6b49|\u5bf9\u4e0d\u8d77|\u7533\u3057\u8a33|lo siento"
    r"|je suis d\u00e9sol|d\u00e9sol\u00e9"
    r"|(?:es )?tut mir leid|desculpe|mi dispiace|\u0438\u0437\u0432\u0438\u043d\u0438\u0442\u0435)"
    r"|\bas an ai\b|\bi (?:can(?:no|['\u2019])t|am unable to|can not) (?:see|watch|view|access|help|assist|provide"
    r"|describe"
    r"|comply|fulfil|generate|process|create|analy[sz]e)\b",
    re.I,
)
_DANGLING = frozenset(
    "a an the of with and or but to from into onto for at by as than that which who whose while their its".split()
)
"""Few sentences end in these; `on`, `in` and `off` end many: turn the light on."""


def storable_answer(value: Any) -> Any:
    """Return a JSON value whose texts hold nothing that a table cannot."""
    if isinstance(value, str):
        return _UNSTORABLE.sub("", value)
    if isinstance(value, dict):
        return {storable_answer(name): storable_answer(inner) for name, inner in value.items()}
    return [storable_answer(inner) for inner in value] if isinstance(value, list) else value


def said_in_model_answer(raw: str) -> str | None:
    """Return a raw answer without thoughts and special tokens; None where it ends amid the thoughts."""
    text = _OTHER_CHANNEL.sub("", _FINAL.sub("", _RUN.sub(r"\1", storable_answer(raw)), count=1))
    ends = [found.end() for found in _ENDS.finditer(text)]
    last = ends[-1] if ends else 0  # behind it each opening tag would look through all that follows
    text = _THOUGHTS.sub("", text[:last]) + text[last:]
    closed = _UP_TO_CLOSE.sub("", text, count=1)
    opened = _FROM_OPEN.sub("", closed, count=1)
    parts = [part for part in _TURN.split(opened) if _SPECIAL.sub("", part).strip()]
    text = _SPECIAL.sub("", parts[0]) if parts else ""
    if not text.strip() and (opened != closed or "<|channel|>" in raw):
        return None
    answers = [found[2] for found in _ANSWER.finditer(text) if found[2].strip()]
    return answers[-1] if answers else text


def first_answer_line(text: str, lead: str = "") -> str:
    """Return the first line that says something, tidied; empty if none does."""
    lines = [line for line in _FENCE.sub("", text).splitlines() if line.strip()]
    for number, line in enumerate(lines):
        is_followed = number + 1 < len(lines)
        found = tidy_answer_line(line, lead)
        if found and not (is_followed and found.endswith((":", "\uff1a"))):
            return found
    return ""


def tidy_answer_line(line: str, lead: str = "") -> str:
    """Return a line without list marks, labels, preambles, the lead, quotes and a final full stop."""
    text, before = clean_text(" ".join(line[:20_000].split())), None
    while text != before:
        before = text
        text = _unquoted_answer(_MARK.sub("", text.strip()))
        if lead and text.lower().startswith(lead.lower()):
            text = text[len(lead) :].strip()
        for opening in (_POLITE, _HERE, _LABEL):
            text = opening.sub("", text).strip()
        text = re.sub(r"(?:\s|\.|\u3002)+$", "", text)
    return text


def answer_as_one_line(text: str) -> str:
    """Return a text of several lines as one, tidied."""
    lines = [line for line in _FENCE.sub("", text).splitlines() if line.strip()]
    if len(lines) > 1 and lines[0].rstrip().endswith(":"):
        lines = lines[1:]
    return clean_text(" ".join(" ".join(lines).split()))


def is_refusal(text: str) -> bool:
    """Tell whether a model says that it will not, or cannot, do what was asked."""
    return bool(_REFUSAL.search(" ".join(text[:2000].split())))


def is_answer_cut(text: str) -> bool:
    """Tell whether a text ends where no sentence does: in a preposition, an article, `that is`."""
    words = re.findall(r"[\w'\u2019]+|[,;:(-](?=\s*$)", text.lower())
    if not words:
        return False
    if words[-1] in ("is", "are", "was", "were"):
        return words[-2:-1] in (["that"], ["which"], ["who"])
    # something to play with, a place to go to
    return words[-1] in _DANGLING | set(",;(-") and not (words[-3:-2] == ["to"] and words[-1] in ("with", "at", "for"))


def _unquoted_answer(text: str) -> str:
    text = _DOUBLES.sub("", text).strip()
    text = re.sub(r"^(_{1,2})(.*)\1$", r"\2", text)
    edges = [found.start() for found in _AT_EDGE.finditer(text)]
    # 'make it a cat', or half of it; not: change 'dog' to 'cat'
    if edges in ([0, len(text) - 1], [0], [len(text) - 1]):
        return text.strip(_SINGLES).strip()
    return text
