"""Prompts from class activation maps: to know which pictures hold an organ is enough to outline it."""
