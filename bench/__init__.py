"""Benches: what sammed's accuracy, pseudo-labels and speed are measured with; see README.md."""
