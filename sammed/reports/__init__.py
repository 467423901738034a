"""Reports: what a person looks at: tables, HTML, overlays."""
