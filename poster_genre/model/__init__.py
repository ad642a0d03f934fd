"""The networks, what a trained one consists of, and the file that holds it."""
