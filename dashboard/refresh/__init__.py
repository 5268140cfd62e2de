"""What a refresh of the page sends the browser of a chart: what changed since one that it has."""
