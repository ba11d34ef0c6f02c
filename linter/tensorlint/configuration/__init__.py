"""`tensorlint.toml` and `[tool.tensorlint]`: found, read with places, and checked key by key."""
