"""The datasets: each declared once, one file each; everything typed is derived from the declaration."""
