"""The command `sammed`: one module for each command, which calls a job of the library."""
