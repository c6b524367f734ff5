"""The parts views are made of. They know how to draw rows and lines, and nothing of servers."""
