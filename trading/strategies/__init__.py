"""The strategies that are shipped, each a file."""
