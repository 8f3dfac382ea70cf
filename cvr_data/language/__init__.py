"""Words: one tokeniser for every script; for English one stemmer, one list of function words, tags and slots."""
