"""Embeddings: what the frozen image encoder makes of a scan, each slice once."""
