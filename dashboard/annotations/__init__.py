"""Annotations on the chart: the plant's, kept up to date, what of them is shown and how, and what a visitor draws."""
