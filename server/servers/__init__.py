"""One conversation, several ways to wait: the servers, one file each."""
