"""The nouns that the wanted and the observed state share, and the difference between two states."""
