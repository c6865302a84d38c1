"""Texts, whosever they are: made safe to show, JSON and patterns of others, and what they cost a model."""
