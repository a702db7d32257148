"""The V engine: runs HeroScript with the V implementation's program, `hero`."""
