"""Indicators on the chart: which are chosen, their numbers where the processor has none, how each is drawn."""
