"""Auto-Generate-WLs: a student's coarse masks prompt the backbone, whose masks are the weak labels."""
