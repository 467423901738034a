"""Data sets: labeled sets, pseudo-labels, students, synthetic images and export."""
