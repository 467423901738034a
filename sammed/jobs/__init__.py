"""Jobs: what a command asks for, from files to files; `requests` go in and `results` come out."""
