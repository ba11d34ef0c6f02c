"""The gate of a git clone: a pre-push hook that checks what is about to be pushed."""
