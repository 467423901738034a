"""Proposals: the masks that a frozen SAM suggests in a picture without a user's prompt."""
