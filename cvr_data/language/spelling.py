"""One spelling for words that English writes in several ways: colour and color, grey and gray, t-shirt and tshirt.

The result need not be a word: two words are variants when their results are equal. The rules leave short words alone,
where two different words could meet ("four" and "for").
"""

import pyarrow as pa
import pyarrow.compute as pc

_RULES = (
    ("[-'.]", ""),
    ("(col|harb|neighb|flav|fav|vap|arm|hum|lab|rum|behavi|hon|parl|sav|od|glam|splend)our", r"\1or"),
    (r"(\w{2,}[bct])re(s?)$", r"\1er\2"),
    (r"\b(kilo|centi|milli)?(met|lit)re(s?)$", r"\1\2er\3"),
    (r"(\w{3,})([iy])s(e|es|ed|er|ers|ing|ation|ations)$", r"\1\2z\3"),
    (r"(\w{3,}[aeiou])ll(er|ers|ed|ing|ery|or|ors)$", r"\1l\2"),
    (r"(def|off|lic|pret)ence", r"\1ense"),
    (r"(\w{3,})ogue(s?)$", r"\1og\2"),
    (r"(\w{2,})wards$", r"\1ward"),
)
_IRREGULAR = {
    "grey": "gray", "greyish": "grayish", "aeroplane": "airplane", "aeroplanes": "airplanes", "tyre": "tire",
    "tyres": "tires", "kerb": "curb", "plough": "plow", "ploughs": "plows", "ploughing": "plowing",
    "moustache": "mustache", "moustaches": "mustaches", "pyjamas": "pajamas", "doughnut": "donut",
    "doughnuts": "donuts", "cosy": "cozy", "mould": "mold", "moulds": "molds", "jewellery": "jewelry",
    "programme": "program", "programmes": "programs", "aluminium": "aluminum", "yoghurt": "yogurt",
    "whisky": "whiskey", "omelette": "omelet", "ageing": "aging", "barbeque": "barbecue", "okay": "ok",
    "archaeological": "archeological", "aesthetic": "esthetic", "manoeuvre": "maneuver", "manoeuvres": "maneuvers",
    "amongst": "among", "whilst": "while", "amidst": "amid", "practise": "practice", "practising": "practicing",
    "sceptical": "skeptical", "axe": "ax", "storey": "story", "draught": "draft", "sulphur": "sulfur",
}  # fmt: skip


def plain_spelling(words: pa.Array) -> pa.Array:
    """Return each word in one spelling, looking each distinct word up once."""
    named = words.dictionary_encode()
    plain = named.dictionary
    for pattern, replacement in _RULES:
        plain = pc.replace_substring_regex(plain, pattern, replacement)
    found = pc.index_in(plain, pa.array(list(_IRREGULAR)))
    plain = pc.coalesce(pa.array(list(_IRREGULAR.values())).take(found), plain)
    return plain.take(named.indices)
