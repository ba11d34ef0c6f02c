"""Its place makes this folder importable, for `slow_measures` in the tests of devices."""
