"""Runs that follow the plant: what is wanted, what is known, the runs themselves, and the process around them."""
