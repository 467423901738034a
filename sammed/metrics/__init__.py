"""Metrics: overlap and surface distance of two label volumes."""
