"""The command `plant`, one file a command of the core; a process brings its own."""
