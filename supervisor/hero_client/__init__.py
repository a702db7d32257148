"""The Python API for programs that submit jobs. Starts no process and loads no server."""
