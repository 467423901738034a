"""Many volumes: which ones, what became of each, who works on which, and where the work is done."""
