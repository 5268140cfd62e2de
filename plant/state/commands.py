"""Which rows of `commands` count."""

OBEYED_NS = 60 * 10**9
"""A command is obeyed only if the plant took it so soon after it was given."""
