"""The methods ``hero_subscribe`` and ``hero_unsubscribe``, and the feeds that send events to subscribers."""
