"""The lowest level of the language: from characters to tokens, and back. Also names, numbers, places and errors."""
