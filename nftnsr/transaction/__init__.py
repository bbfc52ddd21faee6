"""From differences to operations, and the running of them: all of it or nothing."""
