"""Charts as pictures: what a viewport holds, drawn as a PNG."""
