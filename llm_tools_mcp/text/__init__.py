"""Texts, whosever they are: made safe to show, JSON that everybody reads, and what they cost a model."""
