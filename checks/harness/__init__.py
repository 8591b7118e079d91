"""What judges a project from outside: processes, servers, people, sockets, services."""
