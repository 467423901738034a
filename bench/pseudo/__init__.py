"""Pseudo-labels, and the students that learn from them."""
