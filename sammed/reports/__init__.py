"""Reports: tables, HTML pages and overlays for the user."""
