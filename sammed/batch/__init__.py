"""Batches: which volumes to label, which process labels which one, where, and with what outcome."""
