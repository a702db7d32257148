"""The parameters of an action: how they are stored, merged and filtered, and the typed getters that read them."""
