"""What is in a checkpoint: its schemes, sizes and bits per weight, and the values of its tensors."""
