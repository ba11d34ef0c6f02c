"""Reading a safetensors checkpoint: everything that meets hostile bytes."""
