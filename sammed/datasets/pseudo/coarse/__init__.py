"""Auto-Generate-WLs: a student's coarse labels prompt the backbone, whose masks are the weak labels."""
