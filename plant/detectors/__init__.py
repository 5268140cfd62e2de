"""What is found on a chart by itself: levels, zones, pivots, flags, as state machines over closed bars."""
