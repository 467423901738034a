"""Pseudo-labellers: each learns from the gold part of a labelled set and labels the rest."""
