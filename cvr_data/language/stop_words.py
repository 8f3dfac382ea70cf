"""English function words, which show nothing; "two", "under" and "without" can be seen and are not among them."""

WORDS = tuple(
    "a about also although am an and any are as at be because been being but by can could did do does doing every for "
    "from had has have having he her here hers herself him himself his how i if in is it its itself just may me might "
    "mine must my myself no nor not of on only or other our ours ourselves own same shall she should since so some "
    "such than that the their theirs them themselves then there these they this those though to too until upon us very "
    "was we were what when where whether which while who whom whose why will with would yet you your yours yourself "
    "'s n't it's he's she's they're don't doesn't isn't aren't wasn't can't i'm there's that's".split()
)
