"""Accuracy on slices that nobody annotated."""
