"""Journal, history and rdb compared; a day made again."""
