"""asyncio: the listener, TLS, threads for the store, limits, shutdown. The only room that knows sockets."""
