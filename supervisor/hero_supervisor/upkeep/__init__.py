"""What every supervisor does for the whole deployment: recovering jobs, queueing due jobs, writing events of actors."""
