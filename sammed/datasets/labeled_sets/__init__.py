"""Labeled sets: cases with gold labels, with pseudo-labels and without labels, in one set file."""
