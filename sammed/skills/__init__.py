"""Skills: what is learned for one task, its file, learning it and labeling with it."""
