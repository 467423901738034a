"""sammed: label a volume from a few annotated slices (SAM^Med, arXiv 2307.05617)."""

__version__ = "0.1.0"
