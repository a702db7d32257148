"""The families of functions that come with the product, one module each. `host.catalogue` imports them on first use."""
