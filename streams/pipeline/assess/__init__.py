"""Assess: owns the actors of one activity partition, puts their sightings into event-time order and judges them."""
