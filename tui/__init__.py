"""The screen and the command line: draws what `echotui.server` knows, and takes keys."""
