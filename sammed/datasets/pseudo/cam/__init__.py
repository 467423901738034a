"""Prompts from class activation maps: pictures with and without an organ are enough to outline it."""
