"""What the scenarios share: an instance of the server, clients, mailboxes, a debugger, the vectors."""
