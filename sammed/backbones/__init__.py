"""Frozen SAMs: their weights, image encoders and mask decoders, and the frames that map slices to them."""
