"""Every accepted record on disk: segments, their index, compressed ones, recovery, check, repair, export."""
