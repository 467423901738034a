"""Synthetic images: a diffusion model learned from a set's pictures (Auto-Generate-WLs, "Synthetic Data")."""
