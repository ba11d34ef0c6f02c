"""The gate in front of huggingface_hub: what is uploaded is checked first."""
