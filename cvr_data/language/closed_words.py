"""Small closed classes of English and of film captions that neither a parser nor a lexicon of meanings tells.

They are classes of grammar (prepositions of place, partitives) and of the craft (words for the film itself), not lists
of what captions show: what a noun is, the lexicon says.
"""

FILM = frozenset(
    "2d 3d 4k 8k alpha animation background backdrop beginning b-roll bokeh camera cartoon channel "
    "cgi cinemagraph clip clipart clips close close-up closeup concept copyspace definition design edit element end "
    "episode film footage format fps frame full-hd fullhd gif graphic graphics hd hdr illustration image infographic "
    "intro lapse logo-reveal loop macro mockup montage motion movie outro overlay panorama photo "
    "photograph picture portrait preview promo quality recording render rendering resolution scene "
    "screenshot segment sequence series shot shots slideshow slow-motion slowmo slowmotion slomo still stock teaser "
    "template texture thumbnail time-lapse timelapse trailer transition uhd ultra-hd vector version video videos view "
    "views vlog wallpaper zoom".split()
)
"""Words for the film, not for what it shows."""
OF_FILM = frozenset(
    "abstract aerial animated beautiful best close fast footage free full generic hd high loopable looping low new "
    "nice old real-time "
    "royalty-free seamless short slow stock time top unique various wide".split()
)
"""Adjectives that tell of a word of `FILM` how it is made, not what it shows."""
STILL_SEEN = frozenset("background backdrop cartoon graphic logo picture photo portrait texture scene".split())
"""Those of `FILM` that can also be a thing that is seen, where a verb or a preposition has them as its object."""
PARTITIVES = frozenset(
    "amount assortment back bit blade body bottom bunch bundle center centre chunk closeup cluster collection corner "
    "couple dozen drop edge end excess front group half handful heap herd flock inside interior exterior kind lot "
    "lots middle multitude number outside pack pair piece pile portion position quantity rest row section series set "
    "side slice sort surface swarm top type variety".split()
)
"""Nouns that hand on to what follows "of": "a slice of bread" is bread."""
SAME_PLACES = tuple(
    frozenset(words.split())
    for words in (
        "under beneath below underneath",
        "on upon onto atop",
        "in inside into within",
        "beside by near alongside",
    )
)
"""Prepositions that say the same place."""
DIRECTIONS = frozenset(
    "aside away back backward backwards clockwise counterclockwise down downhill downstream downward downwards forth "
    "forward forwards left leftward off out over right rightward round sideways uphill upright up upstream upward "
    "upwards anticlockwise".split()
)
PLACE_ADVERBS = frozenset(
    "ashore backstage downstairs indoor indoors offshore outdoor outdoors outside overseas underwater underground "
    "upstairs".split()
)
PLACE_WORDS = frozenset("background backdrop foreground nature outdoors indoors scenery surroundings".split())
"""Nouns of place that the lexicon takes for something else."""
GROUNDS = frozenset("asphalt dirt grass gravel ice mud pavement rocks sand snow tarmac".split())
"""What covers the ground: a place where somebody is on it, a substance where something is done with it."""
NOBODY = frozenset("someone somebody something anyone anybody anything everyone everybody everything one thing".split())
UNSEEN = NOBODY | frozenset("air c fun item job life music object self stuff time way work world".split())
"""Nouns that name nothing that is seen; C is who wears the camera in Ego4D."""
LIGHT_VERBS = frozenset("appear be become begin continue finish have keep let need seem start stop try want".split())
FULL_WITH_OBJECT = frozenset("do get go make".split())
"""Verbs that tell nothing where another hangs on them; the second kind only without an object or a particle."""
POSTURES = frozenset("lay lie rest sit stand".split())
"""Verbs that of a thing only say where it is."""
NARRATED = frozenset("i us we you".split())
SHOWING = frozenset("show display depict feature contain include illustrate present represent".split())
"""Verbs that say that the film shows something."""
SEEING = frozenset("see show view watch film record capture".split())
"""Verbs that say so in the passive, or of "we"."""
TOPIC_PREPOSITIONS = frozenset(("about", "regarding", "concerning"))
COUNTS = frozenset(
    "two three four five six seven eight nine ten eleven twelve dozen several many few some multiple various "
    "numerous".split()
)
NUMERALS = tuple("no one two three four five six seven eight nine ten eleven twelve".split())
"""In order, from zero on."""
VAGUE_COUNTS = frozenset("several many few some multiple various numerous single".split())
CAMERA_MOVES = frozenset("pan tilt zoom dolly track fly".split())
"""What a camera does."""
DETERMINING = frozenset(
    "able available best better certain different entire first former good half last lower main more most next "
    "only other own same second such third total upper whole".split()
)
"""Adjectives that choose among things and tell nothing of how one looks."""
