"""Annotations: the slices that a user marked, how they are sampled from a labeled volume, where to mark."""
