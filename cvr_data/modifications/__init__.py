"""Prompt and row to request, to backend, to parsed and linted text."""
