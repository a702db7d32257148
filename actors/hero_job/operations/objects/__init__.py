"""What can be done with the objects of OSIS and with the rights in their contexts; each is a procedure, as data."""
