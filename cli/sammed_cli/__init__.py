"""The command `sammed`: one file a command, each of which calls the library."""
