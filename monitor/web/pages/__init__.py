"""The pages for people: made on the server, useful without any script."""
