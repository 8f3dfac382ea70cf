"""Trains and scores composed-video-retrieval models with numbers that can be trusted."""
