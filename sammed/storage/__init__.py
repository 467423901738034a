"""Storage: the files that sammed writes for itself, and the record of where labels come from."""
