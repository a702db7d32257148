"""What every supervisor does for the whole deployment: recovery, due jobs, events of actors."""
