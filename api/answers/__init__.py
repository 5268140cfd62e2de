"""What goes out and in: rows as JSON, CSV and Arrow, times, pages, and problems."""
