"""What runs beside the lanes: presence and deadlines, stop requests, the supervisor's socket, and the shutdown."""
