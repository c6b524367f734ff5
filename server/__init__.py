"""The servers, what watches them, and the lab that holds both. Never imports Textual, nor `echotui.tui`."""
