"""Drawn posters of imaginary films: a pen, palettes, motifs for every genre, and their composition."""
