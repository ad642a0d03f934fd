"""Drawing imaginary movie posters: a pen, palettes, motifs for every genre, and how they share one page."""
