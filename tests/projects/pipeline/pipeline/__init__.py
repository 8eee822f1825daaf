"""Runs as ``python -m pipeline`` and as ``python app.py`` beside it."""
