"""From the socket to an RPC: `acceptor` lets clients in, `http2` and `rpc` speak gRPC, `servicer` answers."""
