"""What parsing in native code would gain: a prototype behind the parser contract. The product does not import it."""
