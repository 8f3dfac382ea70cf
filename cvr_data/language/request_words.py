"""The words with which texts ask for a change, by what they ask for."""

from cvr_data.language.stop_words import ARTICLES

REPLACING = frozenset("replace swap exchange substitute trade".split())
CHANGING = frozenset("change turn transform convert switch morph alter modify make rotate".split())
ADDING = frozenset("add include insert introduce adding".split())
REMOVING = frozenset("remove delete erase eliminate removing skip omit forget ditch discard".split())
TAKING = frozenset("take send throw put get leave".split())
"""Verbs that remove with a word of `AWAY`."""
KEEPING = frozenset("keep retain leave".split())
MOVING = frozenset("move put place set send bring take relocate".split())
LETTING = frozenset("have let get show make turn paint color colour dye give see".split())
REQUESTS = REPLACING | CHANGING | ADDING | REMOVING | KEEPING | MOVING | LETTING | {"use", "display", "feature"}
SUBJECTS = frozenset("it he she they this that there".split())
PRONOUNS = SUBJECTS | frozenset("him her them everyone everybody all both something someone".split())
AWAY = frozenset("out away off".split())
LINKS = frozenset("with by for into to in".split())
PASSIVE = {
    "replaced": ("by", "with"), "changed": ("to", "into"), "turned": ("to", "into"), "turns": ("into",), "becomes": (),
    "become": (),
}  # fmt: skip
"""Verb -> what follows it where a text says of a thing what comes in its place."""
ARRIVING = frozenset("to into onto in on inside under near at by".split())
BETWEEN = {"replace": ("with", "by", "for", "to", "into"), "make": ("into",), "": ("into", "to")}
"""Verb -> what stands between the old and the new."""
STAYING = frozenset("stay stays remain remains".split())
ENDING = frozenset("stop end cease".split())
UNTOUCHED = frozenset("the same as is it they are there put unchanged untouched like this that".split())
"""After a word of `STAYING`: "the rest stays as it is"."""
BE = frozenset("is are be been was were becomes become gets get".split())
"""After a thing: "it is blue", "the door gets closed"."""
_NEGATIONS = (
    "instead of", "rather than", "in place of", "in the place of", "as opposed to", "anything but", "no longer",
    "get rid of", "do away with", "never mind", "not", "no", "never", "without", "less", "avoid",
)  # fmt: skip
NEGATIONS = tuple(tuple(phrase.split()) for phrase in _NEGATIONS)
LEADING = NEGATIONS[:5]
"""Negations after which the request itself may follow without a comma: "instead of a dog show a cat"."""
JOINING = frozenset("and but then while".split())
MODAL = frozenset("should must shall will can would".split())
SKIPPED = frozenset("please now instead just then also and but so".split())
DETERMINERS = frozenset(ARTICLES) | {"all", "each", "both", "every"}
