"""What people say now and then.

Every other of the texts that the counts of `constructions` come of is said in no way that comes twice, and a third
has no article at all. Each form here stands for a few of those; together they are about as frequent as the common ones.
"""

from collections.abc import Iterator

from cvr_data.modifications.realising.text import Text

BECOMING = (
    "become {new}",
    "as {new}",
    "convert it to {new}",
    "switch to {new}",
    "transform it into {new}",
    "make this {new}",
    "let it be {new}",
    "turn into {new}",
    "now it is {new}",
)
"""Of the one thing that a caption is about."""
COMING = (
    "{new} instead",
    "{new} this time",
    "now {new}",
    "with {new} instead",
    "show {new} instead",
    "have {new} instead",
    "with {new}",
    "try {new}",
    "how about {new}",
    "I want {new}",
    "let's see {new}",
)
"""Of a thing that comes, whatever it is that goes."""
USING = ("use {new} instead", "use {new} and not {gone}", "use {new}")
"""Of what can be used, where nothing else is done with it."""
SHOWING = (
    "{new} {seen}",
    "{new} {seen} instead",
    "with {new} {seen}",
    "find {new} {seen}",
    "let's see {new} {seen}",
    "get {new} {seen}",
    "now {new} {seen}",
)
"""Of a thing that comes, and what it does or where it is."""
NAMING = (
    "swap {old} for {new}",
    "swap {old} with {new}",
    "switch {old} to {new}",
    "exchange {old} for {new}",
    "substitute {new} for {old}",
    "put {new} in place of {old}",
    "{new} in place of {old}",
    "{new}, not {gone}",
    "{new} instead of {gone}",
    "{new} rather than {gone}",
    "from {gone} to {new}",
    "instead of {gone} show {new}",
)
"""Of a thing that goes and is named."""
TERSE = (
    "change {old} to {new}",
    "replace {old} with {new}",
    "swap {old} for {new}",
    "switch {old} to {new}",
    "from {old} to {new}",
    "{new} instead of {old}",
    "change to {new}",
    "replace with {new}",
    "switch to {new}",
)
"""Without articles."""
CHANGING = ("convert {old} into {new}", "transform {old} into {new}", "{old} {becomes} {new}", "let {old} become {new}")
"""Of a thing that goes and is named, where it may be the thing itself that becomes another."""
DOING = ("get {who} to {base}", "let's see {who} {base}", "let {who} {base}", "have {who} {base} instead")
"""Of who does something else, with a name or a pronoun."""
NAMED_DOING = ("with {who} {ing}", "{who} {ing}", "{who} {ing} instead")
"""Of the same, by name alone."""
BEING = ("{who} should be {what}", "let {who} be {what}", "have {who} be {what}", "show {who} {what}")
"""Of how something is."""
BEING_SO = (
    "let it be {what}",
    "it should be {what}",
    "now {what}",
    "{what} instead",
    "{what} this time",
    "change it to {what}",
)
"""Of the same, where nothing is named."""
PLACING = (
    "set it {at}",
    "show {who} {at}",
    "with {who} {at}",
    "{who} {at}",
    "place {who} {at}",
    "{who} should be {at}",
    "let {who} be {at}",
    "{at} instead",
)
"""Of where somebody or something is."""


def fill_modification_forms(
    forms: tuple[str, ...], weight: float, gone: str = "", plain: str = "", **words: str
) -> Iterator[Text]:
    """Yield forms with their words, all of them together as frequent as `weight`."""
    for form in forms:
        is_told = "{old}" in form or "{gone}" in form or "instead" in form
        if gone or "{gone}" not in form:
            yield Text(weight / len(forms), form.format(gone=gone, **words), "" if is_told else gone, plain)
