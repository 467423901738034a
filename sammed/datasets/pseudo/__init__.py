"""Pseudo-labelers: each learns from the gold part of a labeled set and labels the rest."""
