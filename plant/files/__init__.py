"""Files of somebody else's making: their columns, and what the values in them mean."""
