"""What must hold of the tree's structure: sources in, breaches out, as "file:line what"; nothing is imported."""
