"""Texts, whosever they are: made safe to show, JSON that everybody reads, others' patterns, cost for a model."""
