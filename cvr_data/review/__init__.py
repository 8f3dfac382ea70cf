"""The local web page where people judge triplets, and what becomes of their judgments."""
