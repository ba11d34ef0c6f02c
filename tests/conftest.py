"""What all tests share. Its place makes `tests/` importable, for `hubserver`."""
