"""The methods on objects of OSIS and on the rights in their contexts."""
