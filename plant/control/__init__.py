"""What a person wants, as rows of `strategies`, `commands` and `annotations`: checked, and whether they count."""
