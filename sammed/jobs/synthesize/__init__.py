"""`synthesize`: train a diffusion model on a labeled set, and sample images from it."""
