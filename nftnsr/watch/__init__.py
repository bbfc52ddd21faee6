"""Watching: what is seen, what is to be done about it and when, and the loop that does both."""
