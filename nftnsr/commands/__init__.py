"""One file for each verb; each has `run(options, console)`, which returns the exit status."""
