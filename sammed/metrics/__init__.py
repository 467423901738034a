"""Metrics: overlap and surface distance between two label volumes."""
