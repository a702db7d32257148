"""The runners that carry operations to the store, synchronously and on asyncio."""
