"""Prompts: points, boxes and coarse masks, drawn, placed and read from files."""
