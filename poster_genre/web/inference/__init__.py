"""The work behind the endpoints: decoding, prediction, heat maps and layer traces in threads."""
