"""The run: from a target under its settings to a report."""
