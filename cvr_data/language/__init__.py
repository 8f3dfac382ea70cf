"""English words: one tokeniser, one stemmer, one list of function words."""
