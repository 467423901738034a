"""SAM_assist: prompt encoders learned from a few annotated slices, and masks from prompts."""
