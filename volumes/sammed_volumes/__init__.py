"""Medical volumes as files, grids and slices: no torch, nothing of sammed."""
