"""What a person sees: text made safe to show, progress, tables."""
