"""The commands. Each module is read for `sammed --help`, so what takes time is imported inside."""
