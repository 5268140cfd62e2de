"""How a process lives: sections of plant.toml, settings, lifecycle, supervisord."""
