"""The streams of other systems, in their words."""
