"""The tools that servers offer: show them, call them."""
