"""JSON-RPC 2.0 for clients of the supervisor.

From the bottom up: ``protocol`` reads and answers messages, ``methods`` and ``subscriptions`` are the functions that
clients call, ``auth`` decides who may call them, ``endpoint`` puts these together, ``unix`` and ``tcp`` are the
servers.
"""
