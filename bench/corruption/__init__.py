"""Damaged files: a reader gives a result or one sentence, never a traceback, a hang or a full memory."""
