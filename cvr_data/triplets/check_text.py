"""What lint says of one text and two captions, for whoever writes texts by hand."""

import pyarrow as pa

from cvr_data.language.words import clean_text, words_of
from cvr_data.modifications.generator import draft_lint_reasons
from cvr_data.modifications.prompts import load_prompt
from cvr_data.pairs.changes import type_changes
from cvr_data.pairs.search.differences import pair_differences
from cvr_data.tables import PAIRS


def check_triplet_text(text: str, reference_caption: str, target_caption: str, style: str = "short") -> list[str]:
    """Return the reasons against a text by the lint of a style's prompt; none if it asks for what differs.

    Every span of words in which the captions differ is a change that the text has to say.

    Raises:
        CvrError: there is no such style.
    """
    prompt = load_prompt(style)
    reference, target = map(clean_text, (reference_caption, target_caption))
    changes = pair_differences(words_of(reference), words_of(target))
    columns = {
        name: pa.array([value]) for name, value in (("reference_caption", reference), ("target_caption", target))
    }
    pairs = pa.table({**columns, "changes": pa.array([changes], PAIRS.field("changes").type)})
    typed = type_changes(pairs).select([*columns, "changes"])
    for name, value in {"modification": text, "style": prompt.name}.items():
        typed = typed.append_column(name, pa.array([value], pa.string()))
    for side in ("reference", "target"):
        typed = typed.append_column(f"{side}_description", pa.nulls(1, pa.string()))
    return draft_lint_reasons(typed, prompt.lint)[0]
