"""What campaigns are made of: offers, creatives, audiences, schedules."""
