"""Skills: what was learned for one task, its file, training it and labeling with it."""
