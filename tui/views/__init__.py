"""What one looks at: a screen for each view, made of panes."""
