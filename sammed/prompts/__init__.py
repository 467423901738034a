"""Prompts: points, boxes and coarse masks, sampled, placed and read from files."""
