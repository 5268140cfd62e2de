"""Indicators of all series at once: numpy passes over state in arrays, a slot for each series."""
