"""The routes, a file for each group; each is thin."""
