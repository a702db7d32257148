"""The web page of the supervisor: static files, and what serves them."""
