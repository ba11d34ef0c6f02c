"""Measures: exact numbers about a tensor's bytes, and the plan that decides which bytes are read."""
