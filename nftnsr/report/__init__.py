"""Text, JSON and tables for people and programs: pure functions to strings."""
