"""JSON-RPC 2.0 over the transports that clients use.

One module an idea, from the bytes upwards: ``framer`` finds messages in a stream, ``wire`` reads and writes JSON-RPC,
``errors`` knows the codes, ``dispatch`` calls the registered function, ``methods`` are those functions, ``openrpc``
describes them, ``socket_file`` owns the path, ``unix`` is the server. ``framer`` and ``wire`` do no I/O.
"""
