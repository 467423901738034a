"""Embeddings: the output of the frozen image encoder for a scan, each slice encoded once."""
