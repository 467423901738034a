"""The version, which sammed also writes into its files."""

__version__ = "0.1.0"
