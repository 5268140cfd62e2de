"""How closed days lie on disk and in an archive: catalogue, layout, one file, order, merging, amendments; the days."""
