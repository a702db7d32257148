"""Objects of OSIS: what is stored of one, who may do what in a context, and how queries find objects. Pure."""
