"""`set`: make, split and describe labeled sets."""
