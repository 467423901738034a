"""The commands. `sammed --help` imports every module, so anything slow is imported inside functions."""
