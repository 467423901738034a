"""Interpolation: labels for the slices of an annotated volume without learning, in seconds."""
