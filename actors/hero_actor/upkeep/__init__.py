"""What keeps an actor visible and controllable while its lanes work."""
