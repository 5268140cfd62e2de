"""How closed days lie on disk: catalogue, layout, one file, its order, merging, amendments; the days."""
