"""What a person wants, written as rows of `strategies` and `commands`: checked, and whether they count."""
