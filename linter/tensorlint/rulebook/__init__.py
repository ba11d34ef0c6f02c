"""Rules as data: the vocabulary, the language that reads rule files, and the library that finds them."""
