"""English words that carry little of their own, by kind: one list for mining, lint, prompts and statistics.

`FUNCTION_WORDS` show nothing. Words of place and direction can be seen ("under", "up"), but say nothing without the
thing they are about; both together are `SMALL_WORDS`.
"""

ARTICLES = tuple("a an the this that these those some any his her its their my your our".split())
"""And the pronouns that stand as one."""
AUXILIARIES = tuple(
    "am are be been being can could did do does had has have is may might must shall should was were will would".split()
)
_PRONOUNS = tuple("he how i it she that there they this we what where who you".split())
_CONTRACTIONS = (
    *(f"{word}'{ending}" for word in _PRONOUNS for ending in ("s", "re", "ve", "ll", "d", "m")),
    *(f"{word}n't" for word in AUXILIARIES if word not in ("am", "be", "been", "being", "can", "shall", "will")),
    *"ain't can't won't shan't let's".split(),
)
FUNCTION_WORDS = tuple(
    sorted(
        {
            *ARTICLES, *AUXILIARIES, *_PRONOUNS, *_CONTRACTIONS,
            *"about also although and another as at because but by doing each every for from having here hers herself "
            "him himself if in itself just me mine myself no nor not of on only or other ours ourselves own same since "
            "so such than theirs them themselves then though to too until upon us very when whether which while whom "
            "whose why with yet yours yourself".split(),
        }
    )
)  # fmt: skip
"""Words that show nothing; "two", "under" and "without" can be seen and are not among them."""

PLACE_WORDS = frozenset("across along down during into near off onto out over through under up".split())
SMALL_WORDS = frozenset(FUNCTION_WORDS) | PLACE_WORDS
"""Words that carry no content of their own; directions count as content only where a change names them."""

PREPOSITIONS_OF_PLACE = frozenset(
    "in on at near by over under above below behind beside inside outside around across along through against "
    "beneath between before towards toward into onto from".split()
)

EDIT_WORDS = frozenset(
    "make change replace turn put move show add remove use swap switch set give let take bring keep start stop become "
    "becomes appear appears transform convert instead rather not no longer without more less now only just one ones "
    "same different new different video clip scene shot background foreground setting place time day season weather "
    "color colour size shape kind type way person someone something thing things action object subject camera go goes "
    "look like what should must can will would let lets everything rest again seen shows any anymore else fewer extra "
    "additional stay stays remain remains unchanged".split()
)
"""Words a modification may use although neither caption has them."""
