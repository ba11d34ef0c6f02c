"""Configuration files and the command line: this target under these rules."""
