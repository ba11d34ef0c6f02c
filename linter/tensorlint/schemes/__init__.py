"""Ways of storing a quantized weight, as data, and their recognition from names, dtypes and shapes."""
