"""The monitor: it tells people of signals and of what the plant notices of itself, by Apprise."""
