"""Finding one's way: what is wrong, a demonstration, completion."""
