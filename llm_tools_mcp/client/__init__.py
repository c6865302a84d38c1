"""The way to the daemon: `activation` has one that answers, `channel` speaks gRPC, `tools` is for callers."""
