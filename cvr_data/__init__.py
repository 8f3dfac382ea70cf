"""Builds composed-video-retrieval datasets: captioned videos to published triplets."""
