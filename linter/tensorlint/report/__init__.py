"""Findings, the report, and its renderings: one module per format."""
