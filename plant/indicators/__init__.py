"""Indicators: what there is (the catalogue), what is declared, and each of them computed one bar at a time."""
