"""Jobs: one module for each command, with its request, its job and its result.

The command `NAME` has `NameRequest` and `name(request, reporter)`, which returns a result with `to_json()`.
Groups of commands are folders, or one module where they are small.
"""
