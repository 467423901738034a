"""SAM_auto: labels without prompts. `labeling` is the whole of it: read that first."""
