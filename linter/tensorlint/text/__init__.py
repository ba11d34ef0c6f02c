"""Texts that people write (YAML, TOML), with places; and the wording of what they read."""
