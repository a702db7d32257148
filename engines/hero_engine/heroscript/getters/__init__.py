"""The typed getters of `Params`, one family a module; `hero_engine.heroscript.params` puts them together."""
