"""SAM_assist: prompt encoders trained on a few annotated slices, and masks from prompts."""
