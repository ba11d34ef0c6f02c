"""Where a checkpoint's files come from."""
