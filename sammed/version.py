"""The version, which files say that sammed writes."""

__version__ = "0.1.0"
