"""`student`: train a network on a labeled set, label with it, measure it."""
