"""Writes rules/architectures from the classes of transformers."""
